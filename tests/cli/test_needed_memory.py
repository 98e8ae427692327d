"""Too little memory on a device ends in one line, with the settings that decide how much is needed."""

import pytest
import torch
from commands import TINY, assert_refused, lta_run

from lta.cli.memory import LONGEST, describe_needed_memory, is_out_of_memory
from lta.training.classifier import Classifier

SAID = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.12 GiB is free. "
    "Including non-PyTorch memory, this process has 138.00 GiB memory in use. Of the allocated memory 130.00 GiB is "
    "allocated by PyTorch, and 1.00 GiB is reserved by PyTorch but unallocated.\nIf reserved but unallocated memory is large"
)


def test_the_line_names_the_settings_and_a_way():
    settings = {
        "data": {"batch_size": 512, "eval_batch_size": 500},
        "model": {"width": 2.0, "dropout": 1},
        "trainer": {"precision": "auto"},
    }
    assert describe_needed_memory(SAID, settings) == (
        "too little memory with data.batch_size=512, data.eval_batch_size=500, model.width=2.0, trainer.precision=auto: "
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.12 GiB is "
        "free; data.batch_size=256 +trainer.accumulate_grad_batches=2 needs less memory for as many images per step"
    )


def test_a_command_with_a_device_may_take_the_other_one():
    line = describe_needed_memory("x " * 200, {"batch_size": 64, "device": "auto", "model": None})
    assert line.startswith("too little memory with batch_size=64, device=auto: x x x")
    assert line.endswith("x ...; device=cpu takes the machine's own memory")
    assert len(line) < LONGEST + 120
    assert "device=cpu takes" not in describe_needed_memory("x", {"device": "cpu"})


def test_what_torch_says_is_known():
    with pytest.raises(RuntimeError) as found:
        torch.empty(1 << 55)
    assert is_out_of_memory(found.value)
    assert is_out_of_memory(torch.OutOfMemoryError(SAID))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_run_and_its_resumption_end_in_one_line(capsys, tmp_path, monkeypatch):
    def fail(self, batch, batch_index):
        raise torch.OutOfMemoryError(SAID)

    monkeypatch.setattr(Classifier, "training_step", fail)
    for arguments in ([*TINY, f"hydra.run.dir={tmp_path}/run"], [f"resume={tmp_path}/run", "trainer=cpu"]):
        ended = lta_run(capsys, arguments)
        (line,) = [line for line in ended.err.splitlines() if line.startswith("error:")]
        assert_refused(ended._replace(err=line), "data.batch_size=32, data.eval_batch_size=500, model.width=0.0625, ")
        assert "Tried to allocate 2.00 GiB" in line
        assert "Traceback" not in ended.err
