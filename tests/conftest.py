"""Shapes in signatures are checked by beartype under pytest only."""

from jaxtyping import install_import_hook

install_import_hook("lta", "beartype.beartype")
