"""`trainer.compile`: training steps by torch.compile, everything else as it is."""

import pytest
import torch
from commands import TINY, lta_run

import lta

SAME = [*(argument for argument in TINY if not argument.startswith("data.train_size")), "trainer.precision=32-true"]
"""In bf16-mixed the compiled step's own order of rounding would be compared: the inner product is torch's there."""


@pytest.mark.slow
def test_a_compiled_run_trains_the_same_network(capsys, tmp_path, monkeypatch):
    compiled = []
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function) or real(function, backend="eager"))
    for way in ("false", "true"):
        ended = lta_run(capsys, [*SAME, "data.train_size=128", f"trainer.compile={way}", f"hydra.run.dir={tmp_path}/{way}"])
        assert ended.status == 0, ended.err
        assert len(compiled) == (way == "true")
    plain, other = (lta.load(tmp_path / way).state_dict() for way in ("false", "true"))
    assert plain.keys() == other.keys()
    for name, value in plain.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-4)


def test_it_is_a_switch(capsys, tmp_path):
    ended = lta_run(capsys, [*TINY, "trainer.compile=maybe", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 1
    assert ended.err.strip() == "error: trainer.compile=maybe must be true or false"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_trainer_gpu_never_falls_back(capsys, tmp_path):
    ended = lta_run(capsys, [argument for argument in TINY if argument != "trainer=cpu"] + ["trainer=gpu"])
    assert ended.status == 1
    assert ended.err.startswith("error: trainer.accelerator=gpu: this machine has none")
