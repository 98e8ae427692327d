"""transfer and faithfulness as commands: on real runs, by one process and by two."""

import json
import sys

import processes
import pytest
import torch
from commands import TINY, environment, train

import lta
from lta.inference.checkpoint import build_untrained

pytestmark = pytest.mark.slow
ASKED = (
    "evaluator=transfer,faithfulness",
    "data=digit_scenes",
    "data.train_size=90",
    "data.val_size=0",
    "data.test_size=60",
    "data.eval_batch_size=20",
    "evaluator.transfer.train_images=60",
    "evaluator.faithfulness.images=45",
    "evaluator.transfer.folds=2",
    "evaluator.faithfulness.areas=[0.25,0.75]",
    "device=cpu",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An attention network and a plain one."""
    directory = tmp_path_factory.mktemp("runs")
    for name, model in (("att", "vgg_att2"), ("plain", "vgg")):
        train(*TINY, f"model={model}", f"hydra.run.dir={directory / name}")
    return directory


def ask(runs, name, *arguments, count=1):
    start = ["-m", "lta.evaluate"]
    if count > 1:
        start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *start]
    command = [sys.executable, *start, f"checkpoint={runs / name}", *ASKED, *arguments]
    return processes.run(command, cwd=runs, env=environment())


def answers(runs, name):
    folder = runs / name / "evaluations"
    return {path.stem: json.loads(path.read_text())["figures"] for path in folder.glob("*.json")}


def test_one_process_and_two_give_the_same_figures(runs):
    baseline = f"evaluator.transfer.baseline={runs / 'plain'}"
    ended = ask(runs, "att", baseline)
    assert ended.returncode == 0, ended.stderr
    assert "baseline plain" in ended.stdout
    one = answers(runs, "att")
    assert set(one) == {"transfer", "faithfulness", "roles"}  # the last was answered by the training
    assert set(one["transfer"]["features"]) == {"this network", "baseline plain", "untrained copy", "raw pixels 16x16"}
    assert set(one["faithfulness"]["orders"]) == {"B", "C", "product", "shuffled", "random", "central"}
    for path in ("transfer.csv", "faithfulness.csv", "faithfulness/curves.png", "faithfulness/examples.png"):
        assert (runs / "att" / "evaluations" / path).is_file()
    ended = ask(runs, "att", baseline, count=2)
    assert ended.returncode == 0, ended.stderr
    assert answers(runs, "att") == one


def test_a_plain_network_is_asked_too(runs):
    ended = ask(runs, "plain")
    assert ended.returncode == 0, ended.stderr
    assert "no maps" in ended.stdout
    assert set(answers(runs, "plain")["faithfulness"]["orders"]) == {"random", "central"}


def test_an_untrained_copy(runs):
    trained = lta.load(runs / "att")
    state = torch.random.get_rng_state()
    fresh, same, other = build_untrained(trained), build_untrained(trained, 0), build_untrained(trained, 1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not fresh.training
    weights = [dict(one.network.named_parameters()) for one in (trained, fresh, same, other)]
    assert weights[0].keys() == weights[1].keys()
    name = next(name for name, values in weights[0].items() if values.ndim == 4)
    assert torch.equal(weights[1][name], weights[2][name])
    assert not torch.equal(weights[1][name], weights[0][name])
    assert not torch.equal(weights[1][name], weights[3][name])
    for ours, theirs in zip(fresh.preprocess.buffers(), trained.preprocess.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_errors_are_one_line(runs):
    ended = ask(runs, "att", f"evaluator.transfer.baseline={runs / 'nothing'}")
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith(f"error: evaluator.transfer.baseline={runs / 'nothing'}: there is no")
