"""`trainer.compile`: training steps by torch.compile, everything else as it is."""

from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch
from commands import TINY, lta_run

import lta
from lta.training.classifier import Classifier
from lta.training.compiled import choose_compile

SAME = [*(argument for argument in TINY if not argument.startswith("data.train_size")), "trainer.precision=32-true"]
"""In bf16-mixed the compiled step's own order of rounding would be compared: the inner product is torch's there."""


@pytest.mark.slow
def test_a_compiled_run_trains_the_same_network(capsys, tmp_path, monkeypatch):
    compiled = []
    real = torch.compile

    def compile_here(function, mode):
        compiled.append(mode)
        return real(function, backend="eager")

    monkeypatch.setattr(torch, "compile", compile_here)
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
    assert ended.err.strip() == "error: trainer.compile=maybe must be true, false, or reduce-overhead (CUDA graphs)"


def test_cuda_graphs_need_a_gpu_and_are_a_mode_of_torch_compile(monkeypatch):
    with pytest.raises(ValueError, match=r"trainer\.compile=reduce-overhead needs a GPU: it records CUDA graphs"):
        choose_compile("reduce-overhead", "cpu")
    trainer, module = Mock(spec=pl.Trainer), Mock(spec=Classifier)
    (callback,) = choose_compile("reduce-overhead", "gpu")
    modes, begun = [], []
    module.compile_training = modes.append
    callback.setup(trainer, module, "fit")
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(True))
    callback.on_train_batch_start(trainer, module, None, 0)
    (plain,) = choose_compile(True, "cpu")
    plain.setup(trainer, module, "fit")
    plain.on_train_batch_start(trainer, module, None, 0)
    assert modes == ["reduce-overhead", None]
    assert begun == [True]
    assert choose_compile(False, "gpu") == []


@pytest.mark.slow
def test_later_epochs_compile_nothing_again(capsys, tmp_path, monkeypatch):
    """Also where a part is trained for the first epochs only."""
    graphs = []
    real = torch.compile

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda function, mode: real(function, backend=count))
    few = ["recipe=air", "model=air_att3", "recipe.lookahead=false", "recipe.first_bias_epochs=1", "recipe.epochs=3"]
    tiny = [argument for argument in TINY if not argument.startswith(("recipe.epochs", "experiment="))]
    ended = lta_run(capsys, [*tiny, *few, "model.width=0.125", "trainer.compile=true", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err
    assert len(graphs) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_trainer_gpu_never_falls_back(capsys, tmp_path):
    ended = lta_run(capsys, [argument for argument in TINY if argument != "trainer=cpu"] + ["trainer=gpu"])
    assert ended.status == 1
    assert ended.err.startswith("error: trainer.accelerator=gpu: this machine has none")
