"""A checkpoint may come from anywhere: loading one calls nothing but what conf/ names."""

import re

import pytest
import torch
from untrained_run import untrained_run

from lta.inference.checkpoint import load


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("trust") / "run")


@pytest.mark.parametrize("part", ["model", "data", "preprocess", "augment", "recipe", "loss", "seed"])
@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"_target_": "os.getcwd"}, "asks for os.getcwd ({part}): no conf/"),
        ({"_target_": None}, "asks for None"),
        (
            {"_target_": "lta.inference.checkpoint.torch.load", "f": "x.pt"},
            "asks for lta.inference.checkpoint.torch.load",
        ),  # through lta
        (
            {"_target_": "lta.runtime.files.write_text", "path": "x", "text": "x"},
            "asks for lta.runtime.files.write_text",
        ),
        ({"deep": [{"_target_": "os.getcwd"}]}, "asks for os.getcwd ({part}.deep)"),
        ("${oc.create:{_target_:os.getcwd}}", "which OmegaConf would evaluate"),
    ],
)
def test_load_calls_no_foreign_code(run, tmp_path, part, node, says):
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    content["hyper_parameters"]["config"][part] = node
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=re.escape(says.format(part=part))):
        load(tmp_path / "other.ckpt")


def test_what_conf_names_is_loaded(run):
    assert load(run).predict(torch.zeros(3, 32, 32, dtype=torch.uint8)).labels
