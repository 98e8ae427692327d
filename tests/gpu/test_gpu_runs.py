"""Whole runs on the GPU: the same twice, resumed bit for bit, looked at on the CPU, and what ends in one line."""

import json
import shutil
import sys

import processes
import pytest
import torch
from commands import assert_refused, command, environment, lta_run, train
from on_device import DEVICE, SMALL, TRAINER, needs_cuda

import lta

pytestmark = pytest.mark.gpu

SETTINGS = {
    "vgg_att3": ("model=vgg_att3", "model.dropout=1"),
    "air_att3": ("model=air_att3", "recipe=air", "recipe.epochs=3", "data.batch_size=32", "model.width=0.25"),
}


def read_weights(directory):
    return torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")["state_dict"]


def assert_same_weights(one, other):
    first, second = read_weights(one), read_weights(other)
    assert first.keys() == second.keys()
    different = [name for name, weight in first.items() if not torch.equal(weight, second[name])]
    assert not different


@pytest.mark.parametrize("name", SETTINGS)
def test_deterministic_runs_are_the_same_and_so_is_a_resumed_one(name, tmp_path):
    """In processes of their own: cuBLAS reads how it is to be deterministic when it is used first."""
    options = [*SMALL, "data.train_size=128", "recipe.epochs=3", *SETTINGS[name], "+trainer.deterministic=true"]
    for directory in ("one", "two"):
        program = command(*options, f"hydra.run.dir={tmp_path}/{directory}", "resume=auto")
        ended = processes.run(program, cwd=tmp_path, env=environment(), timeout=300)
        assert ended.returncode == 0, ended.stderr
    assert_same_weights(tmp_path / "one", tmp_path / "two")
    last = tmp_path / "two" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    (tmp_path / "two" / "results.json").unlink()
    ended = processes.run(program, cwd=tmp_path, env=environment(), timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "continuing from previous.ckpt, one epoch earlier" in ended.stdout + ended.stderr
    assert_same_weights(tmp_path / "one", tmp_path / "two")
    found = [json.loads((tmp_path / name / "results.json").read_text())["test"] for name in ("one", "two")]
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("trained") / "run"
    train(*SMALL, "data.train_size=128", "model.width=0.125", f"hydra.run.dir={directory}")
    return directory


def test_a_run_says_its_device_and_precision(trained):
    found = json.loads((trained / "results.json").read_text())
    assert found["device"].startswith(DEVICE.type)
    if DEVICE.type == "cuda" and torch.cuda.get_device_capability() >= (8, 0):
        assert found["precision"] == "bf16-mixed"


def test_what_was_trained_there_says_the_same_on_the_cpu(trained):
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.backends.cudnn.allow_tf32 = False
    outputs = []
    for device in (torch.device("cpu"), DEVICE):
        network = lta.load(trained).to(device)
        with torch.no_grad():
            outputs.append(network(images.to(device)))
        predicted = network.predict(images)
        assert len(predicted.labels) == 8
    torch.testing.assert_close(outputs[1].logits.cpu(), outputs[0].logits, rtol=1e-3, atol=1e-3)
    for level, attn in outputs[0].attn.items():
        torch.testing.assert_close(outputs[1].attn[level].cpu(), attn, rtol=1e-3, atol=1e-4)


def test_evaluators_find_the_same_on_both(trained, tmp_path, capsys):
    from lta.cli.own_data import add_saved_data
    from lta.evaluate.__main__ import evaluate
    from lta.loggers.wandb_evaluation import flatten_estimates

    found = []
    for name, device in (("one", "cpu"), ("other", DEVICE.type)):
        shutil.copytree(trained, tmp_path / name)
        which = "evaluator=classification,localisation,faithfulness"
        asked = [f"checkpoint={tmp_path}/{name}", which, f"device={device}", "wandb=false"]
        asked.append("evaluator.localisation.explanations=[]")  # whose libraries may be missing
        lists = ("evaluator", "checkpoint")
        ended = lta_run(capsys, asked, evaluate, "evaluate", lists=lists, sweeps=False, add_saved=add_saved_data)
        assert ended.status == 0, ended.err
        files = sorted((tmp_path / name / "evaluations").glob("*.json"))
        figures = {path.stem: json.loads(path.read_text())["figures"] for path in files}
        found.append(dict(flatten_estimates(figures)))
    on_cpu, there = found
    assert len(on_cpu) > 10
    assert there.keys() == on_cpu.keys()
    for name, value in on_cpu.items():
        # A picture whose two best classes are next to equal may go to the other one: 3 % of the pictures.
        assert there[name] == pytest.approx(value, rel=0.05, abs=4 if "error" in name else 0.05), name


@needs_cuda
def test_float16_trains(capsys, tmp_path):
    ended = lta_run(capsys, [*SMALL, "trainer.precision=16-mixed", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err


@needs_cuda
def test_too_little_memory_ends_in_one_line(capsys, tmp_path):
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + (64 << 20)
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    options = [*SMALL, "data.train_size=512", "data.batch_size=512", "model.width=0.5", f"hydra.run.dir={tmp_path}/run"]
    ended = lta_run(capsys, options)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert_refused(ended._replace(err=line), "too little memory with data.batch_size=512, ")
    assert "model.width=0.5" in line
    assert "out of memory" in line


@needs_cuda
def test_more_processes_than_gpus_are_refused(capsys, tmp_path):
    count = torch.cuda.device_count() + 1
    several = [argument for argument in SMALL if argument not in TRAINER]
    ended = lta_run(capsys, [*several, "trainer=ddp", f"trainer.devices={count}", f"hydra.run.dir={tmp_path}/run"])
    assert_refused(ended, f"trainer.devices={count} needs {count} GPUs, one for each process")


def test_one_process_of_several_runs_alone(tmp_path):
    """nccl, or on a CPU gloo, with one rank, as a loop over numbers of GPUs starts it."""
    several = [argument for argument in SMALL if argument not in TRAINER]
    kind = "gpu" if DEVICE.type == "cuda" else "cpu"
    options = ["trainer=ddp", "trainer.devices=1", f"trainer.accelerator={kind}", f"hydra.run.dir={tmp_path}/run"]
    options += ["trainer.sync_batchnorm=true"] if kind == "gpu" else []
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", "-m", "lta.run"]
    ended = processes.run(
        [*torchrun, *several, *options], cwd=tmp_path, env={**environment(), "NCCL_DEBUG": "VERSION"}, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert "test error" in ended.stdout
    assert ("NCCL version" in ended.stdout + ended.stderr) == (kind == "gpu")
