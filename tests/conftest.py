"""Shapes in signatures are checked by beartype under pytest only."""

from jaxtyping import install_import_hook

install_import_hook("lta", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
