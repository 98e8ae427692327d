"""Which setting somebody may have meant."""

import pytest

from lta.messages import CONF
from lta.spelling import hint


@pytest.mark.parametrize(("key", "says"), [
    ("model.widht", ": did you mean model.width?"),
    ("modle", ": did you mean model?"),
    ("epochs", ": did you mean recipe.epochs?"),
    ("init.scorer", ": did you mean model.init.scorer?"),
    ("batch_size", ": did you mean data.batch_size?"),
    ("logger.wandb.projct", ": did you mean logger.wandb.project?"),
    ("head.combine", ": head=indep has it"),
    ("recipe.muon_lr", ": recipe=muon has it"),
    ("compat.scale", ": compat=frozen has it"),
    ("schedule.every", ": schedule=author has it"),
    ("seed", ""),
    ("model", ""),
    ("model.foo", ""),
    ("xyzzy", ""),
    ("hydra.run.dir", ""),
])  # fmt: skip
def test_near_names_and_where_a_setting_is(key, says):
    assert hint(key, CONF) == says


def test_a_setting_that_several_have():
    assert hint("data.image_size", CONF) == ": data=composites, cub200, image_folder, mask_folder, stl10 have it"


def test_a_file_without_settings(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "logger").mkdir()
    (tmp_path / "logger" / "none.yaml").write_text("# nothing\n")
    (tmp_path / "logger" / "odd.yaml").write_text("# @package logger.odd\n_target_: a.b\ninner: {_target_: c.d, size: 1}\n")
    assert hint("logger.odd.inner.sise", tmp_path) == ": did you mean logger.odd.inner.size?"
    assert hint("logger.odd.inner", tmp_path) == ": logger=odd has it"
    assert hint("sede", tmp_path) == ": did you mean seed?"
