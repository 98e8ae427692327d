"""`python -m lta.evaluate`: what it writes, and what it answers to wrong commands."""

import csv
import json
import shutil
import sys
from contextlib import nullcontext

import processes
import pytest
from commands import TINY, command, environment, lta_run, read_wandb, train
from filelock import FileLock
from untrained_run import untrained_run

from lta.evaluate.__main__ import evaluate
from lta.evaluate.answers import find_networks
from lta.loggers.reopen import WANDB, reopen_session


def asked(capsys, *arguments):
    return lta_run(capsys, arguments, evaluate, "evaluate", lists=("evaluator", "checkpoint"), sweeps=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("evaluate") / "run"
    tiny = (*TINY, "trainer.precision=32-true", "default_evaluators=none")  # lta.evaluate asks in float32
    train(*tiny, f"hydra.run.dir={directory}")
    return directory


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def answer(run, name="classification"):
    return json.loads((run / "evaluations" / f"{name}.json").read_text())


def test_an_answer_is_printed_and_written(run, capsys):
    ended = asked(capsys, f"checkpoint={run}", "evaluator=classification")
    assert ended.status == 0, ended.err
    found = answer(run)
    figure = found["figures"]["error"]
    tested = json.loads((run / "results.json").read_text())["test"]["error"]
    assert figure["value"] == pytest.approx(tested, abs=1e-4), "the run itself has measured it"
    assert f"error           {figure['value']:.2f} % (" in ended.out
    assert found["command"] == ["python", "-m", "lta.evaluate", f"checkpoint={run}", "evaluator=classification"]
    assert found["question"]["checkpoint"] == "last.ckpt"
    assert found["question"]["settings"] == {"bins": 15, "views": "one"}
    assert found["question"]["data"]["_target_"] == "lta.data.digit_scenes.DigitScenes"
    with (run / "evaluations" / "classification.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["error"]) == figure["value"]
    assert rows[0]["class"] == "all"
    assert ended.out.rstrip().endswith(str(run / "evaluations" / "classification.json"))


def test_data_are_prepared_by_one_process_at_a_time(run, capsys, monkeypatch):
    entered = []
    monkeypatch.setattr("lta.data.base.make_machine_lock", lambda what: entered.append(what) or nullcontext())
    assert asked(capsys, f"checkpoint={run}", "evaluator=classification").status == 0
    assert entered == ["DigitScenes"]


def test_another_question_loses_no_answer(run, capsys):
    asked(capsys, f"checkpoint={run}", "evaluator=classification")
    first = answer(run)
    asked(capsys, f"checkpoint={run}", "evaluator=classification")
    assert not (run / "evaluations" / "earlier").exists(), "the same question has the same answer"
    assert asked(capsys, f"checkpoint={run}", "evaluator=classification", "evaluator.classification.bins=5").status == 0
    assert answer(run)["question"]["settings"] == {"bins": 5, "views": "one"}
    (kept,) = (run / "evaluations" / "earlier").iterdir()
    assert json.loads((kept / "classification.json").read_text())["question"] == first["question"]
    assert (kept / "classification.csv").is_file()


def test_other_data_and_several_checkpoints(run, capsys):
    other = shutil.copytree(run, run.parent / "other")
    ended = asked(
        capsys,
        f"checkpoint={run}*,{other}/checkpoints/last.ckpt",
        "evaluator=classification",
        "data=digit_scenes",
        "data.test_size=40",
        "data.train_size=10",
        "data.val_size=0",
    )
    assert ended.status == 0, ended.err
    assert answer(run)["figures"]["error"]["n"] == answer(other)["figures"]["error"]["n"] == 40


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluator=nonsense",), "error: evaluator=nonsense is unknown; choose one of classification"),
        ((), "error: evaluator=... must be given; choose one or more of classification"),
        (("evaluator=classification", "device=tpu"), "error: device=tpu is unknown; choose one of auto, cpu, cuda, "),
        (("evaluator=classification", "device=cuda:9"), "error: device=cuda:9: this machine has none that torch"),
        (("evaluator=classification", "precision=half"), "error: precision=half is unknown; choose one of float32, bf16"),
        (("evaluator=classification", "recipe.lr=1"), "error: recipe.lr=1: lta.evaluate has no setting recipe; its setting"),
        (("evaluator=classification", "wandb=perhaps"), "error: wandb=perhaps must be true or false"),
        (("evaluator=classification", "logger=none"), "error: logger=none: this command does not use logger"),
        (("evaluator=classification", "which=first"), "error: which=first is unknown; choose one of last, best"),
        (("-m", "evaluator=classification"), "error: -m is for sweeps of lta.run; several checkpoints are given as"),
        (("evaluator=classification", "data=digit_scenes", "data.image_size=9"), "error: there is no setting data.image_s"),
    ],
)
def test_what_can_be_wrong_ends_in_one_line(run, capsys, arguments, says):
    ended = asked(capsys, f"checkpoint={run}", *arguments)
    assert ended.status == 1
    assert ended.err.startswith(says)
    assert ended.err.count("\n") == 1
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ("nothing", "error: checkpoint=nothing: there is no such file or run directory"),
        ("nothing*", "error: checkpoint=nothing*: no run directory or .ckpt file has such a name"),
        (".", "error: . is not a run directory: it has no config.yaml"),
    ],
)
def test_a_checkpoint_that_is_not_there(tmp_path, capsys, monkeypatch, checkpoint, says):
    monkeypatch.chdir(tmp_path)
    ended = asked(capsys, f"checkpoint={checkpoint}", "evaluator=classification")
    assert ended.status == 1
    assert ended.err.startswith(says)


def test_of_a_pattern_runs_without_the_checkpoint_are_left_out(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.yaml").touch()
    shutil.copytree(trained, tmp_path / "done")
    (tmp_path / "multirun.yaml").touch()  # what the sweep writes beside its runs
    (tmp_path / "sweep.csv").touch()
    found = find_networks("*", "last")
    assert [network.directory.name for network in found] == ["done"]
    assert capsys.readouterr().out == "left out: begun has no last checkpoint\n"
    with pytest.raises(ValueError, match=r"begun has no last checkpoint: it is written after an epoch$"):
        find_networks(["done", "begun"], "last")
    with pytest.raises(ValueError, match=r"checkpoint=be\*: none of 1 runs has a last checkpoint"):
        find_networks("be*", "last")


def test_of_a_pattern_what_a_network_cannot_be_asked_is_left_out(tmp_path, capsys):
    for name, model in (("a_late", "vgg_late"), ("b_att", "vgg_att2")):
        (untrained_run(tmp_path / name, f"model={model}", names="{}") / "config.yaml").write_text("logger: {}\n")
    asks = (
        "evaluator=localisation,classification",
        "evaluator.localisation.explanations=[]",
        "data=digit_scenes",
        "evaluator.localisation.examples=0",
        "data.train_size=10",
        "data.val_size=0",
        "data.test_size=20",
    )
    ended = asked(capsys, f"checkpoint={tmp_path}/*", *asks)
    assert ended.status == 0, ended.err
    assert f"left out: localisation of {tmp_path}/a_late: evaluator=localisation: this network has no maps" in ended.out
    answered = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/evaluations/*.json"))
    assert answered == [
        "a_late/evaluations/classification.json",
        "b_att/evaluations/classification.json",
        "b_att/evaluations/localisation.json",
    ]
    # what is named must be asked, and of a pattern one at least
    ended = asked(capsys, f"checkpoint={tmp_path}/*,{tmp_path}/a_late", *asks)
    assert ended.status == 1
    assert ended.err.startswith("error: evaluator=localisation: this network has no maps")
    ended = asked(capsys, f"checkpoint={tmp_path}/a*", *asks[1:], "evaluator=localisation")
    assert ended.status == 1
    assert ended.err.endswith("none of 1 networks can be evaluated this way\n")


def test_of_a_pattern_networks_that_do_not_know_the_classes_are_left_out(tmp_path, capsys):
    for name, names in (("a_others", "digit {}"), ("b_digits", "{}")):
        (untrained_run(tmp_path / name, names=names) / "config.yaml").write_text("logger: {}\n")
    data = ("data=digit_scenes", "data.train_size=10", "data.val_size=0", "data.test_size=20")
    ended = asked(capsys, f"checkpoint={tmp_path}/*", "evaluator=classification", *data)
    assert ended.status == 0, ended.err
    assert f"left out: classification of {tmp_path}/a_others: the data have the class 0, which this" in ended.out
    assert [path.parts[-3] for path in tmp_path.glob("*/evaluations/*.json")] == ["b_digits"]


def test_of_a_pattern_a_wrong_setting_is_no_fault_of_the_network(tmp_path, capsys):
    for name in ("a", "b"):
        (untrained_run(tmp_path / name) / "config.yaml").write_text("logger: {}\n")
    ended = asked(
        capsys,
        f"checkpoint={tmp_path}/*",
        "evaluator=transfer",
        "evaluator.transfer.baseline=nothing",
        "data=digit_scenes",
        "data.train_size=200",
        "data.val_size=0",
        "data.test_size=20",
    )
    assert ended.status == 1
    assert "left out" not in ended.out
    assert "evaluator.transfer.baseline=nothing: there is no" in ended.err


def test_the_w_and_b_run_of_a_run_that_goes_on_is_left_to_it(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(f"logger:\n  wandb:\n    _target_: {WANDB}\n")
    with FileLock(tmp_path / ".lock"), reopen_session(tmp_path, with_wandb=True) as session:
        assert session.loggers == []
    assert f"because {tmp_path} is still being run" in capsys.readouterr().out


def test_images_of_another_size(run, capsys, tmp_path):
    from PIL import Image

    for name in ("0", "1"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / "pictures" / name / f"{number}.png")
    data = ("data=image_folder", f"data.root={tmp_path / 'pictures'}", "data.split=order", "data.on_shared=allow")
    ended = asked(capsys, f"checkpoint={run}", "evaluator=classification", *data, "data.image_size=40")
    assert ended.err == (
        "error: the data's images have 40x40 pixels, but this network was trained on 32x32: give data.image_size=32\n"
    )
    assert asked(capsys, f"checkpoint={run}", "evaluator=classification", *data).status == 0


def test_nothing_is_left_where_the_command_was_given(run, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    asked(capsys, f"checkpoint={run}", "evaluator=classification")
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_may_ask_at_its_end(tmp_path, capsys):
    directory = tmp_path / "run"
    ended = lta_run(capsys, [*TINY, f"hydra.run.dir={directory}", "evaluator=classification"])
    assert ended.status == 0, ended.err
    assert "== classification of" in ended.out
    at_the_end = answer(directory)
    assert asked(capsys, f"checkpoint={directory}", "evaluator=classification").status == 0
    assert answer(directory)["figures"] == at_the_end["figures"]
    assert not (directory / "evaluations" / "earlier").exists(), "it is the same question"


def test_what_cant_be_asked_is_said_before_the_training(tmp_path, capsys):
    ended = lta_run(capsys, [*TINY, "model=vgg_late", f"hydra.run.dir={tmp_path / 'run'}", "evaluator=roles"])
    assert ended.status == 1
    assert ended.err == "error: evaluator=roles needs attention maps, but this network has none\n"
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.slow
def test_two_processes_give_the_same_answer(run):
    module = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "lta.evaluate"]
    arguments = [f"checkpoint={run}", "evaluator=classification", "data=digit_scenes", "data.eval_batch_size=300"]
    processes.run([*module, *arguments], check=True, env=environment(), cwd=run.parent)
    of_two = answer(run)
    processes.run([sys.executable, "-m", "lta.evaluate", *arguments], check=True, env=environment(), cwd=run.parent)
    assert answer(run)["figures"] == of_two["figures"]


@pytest.mark.slow
def test_the_answers_go_to_the_runs_w_and_b_run(tmp_path):
    run = tmp_path / "run"
    tiny = [argument for argument in TINY if argument != "logger=none"]
    processes.run(
        command(*tiny, "logger.wandb.mode=offline", f"hydra.run.dir={run}"), check=True, env=environment(), cwd=tmp_path
    )
    identity = (run / "wandb_id").read_text()
    first, _ = read_wandb(run)
    shutil.move(first, tmp_path / first.name)
    processes.run(
        [sys.executable, "-m", "lta.evaluate", f"checkpoint={run}", "evaluator=classification"],
        check=True,
        env=environment(),
        cwd=tmp_path,
    )
    second, records = read_wandb(run)
    assert first.name.rsplit("-", 1)[1] == second.name.rsplit("-", 1)[1] == identity, "it is the same run"
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert any("evaluation/classification._type" in str(row) or "evaluation/classification" in row for row in rows)
    assert "evaluation/classification/error" in str(records)
    (table,) = (second / "files").rglob("classification*.table.json")
    assert json.loads(table.read_text())["columns"][:2] == ["class", "error"]


def test_help_names_every_evaluator(capsys):
    ended = asked(capsys, "--help")
    from lta.cli.plugins import CONF

    assert f"evaluator: {', '.join(sorted(path.stem for path in (CONF / 'evaluator').glob('*.yaml')))}\n" in ended.out
    assert ended.out.count("-m lta.evaluate checkpoint=") == 6, "the usage line and five examples"
