"""evaluator=query as a command: on a run, by one process and by two, in bf16, and on two objects."""

import json
import sys

import processes
import pytest
from commands import TINY, environment, train

pytestmark = pytest.mark.slow
ASKED = (
    "evaluator=query",
    "data=digit_pairs",
    "data.test_size=50",
    "data.singles_size=40",
    "data.eval_batch_size=20",
    "device=cpu",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    train(*TINY, "model=vgg_att2", "compat=dp", f"hydra.run.dir={directory / 'dp'}")
    return directory / "dp"


def ask(run, *arguments, count=1):
    start = ["-m", "lta.evaluate"]
    if count > 1:
        start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *start]
    command = [sys.executable, *start, f"checkpoint={run}", *ASKED, *arguments]
    return processes.run(command, cwd=run, env=environment())


def figures(run):
    return json.loads((run / "evaluations" / "query.json").read_text())["figures"]


def test_one_process_two_and_bf16_give_the_same_figures(run):
    ended = ask(run)
    assert ended.returncode == 0, ended.stderr
    assert "does the map move to the object of the query's class? 50 pictures of two objects" in ended.stdout
    one = figures(run)
    assert set(one["levels"]) == {"B", "C"}
    assert one["pairs"]["images"] == 50
    for name in ("replaced_B", "replaced_C", "pairs_B", "pairs_C"):
        assert (run / "evaluations" / "query" / f"{name}.png").is_file()
    ended = ask(run, count=2)
    assert ended.returncode == 0, ended.stderr
    assert figures(run) == one
    ended = ask(run, "precision=bf16")
    if ended.returncode:
        assert "computes it slower" in ended.stderr  # not native here
    else:
        assert figures(run) == one


def test_nothing_can_be_trained_on_pairs(run):
    command = [
        sys.executable,
        "-m",
        "lta.run",
        *TINY[1:2],
        "data=digit_pairs",
        "model=vgg_att2",
        "logger=none",
        "trainer=cpu",
    ]
    ended = processes.run(command, cwd=run, env=environment())
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: data=digit_pairs is only for evaluation and has no training images"), line
