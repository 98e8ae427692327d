"""A directory that holds a run: the same command goes on in it, another run is refused, two at a time are refused."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from commands import TINY, command, lta_run

import lta
from lta.cli.plugins import find_own_code
from lta.runtime import run_directory
from lta.runtime.provenance import code_version
from lta.training.trainer import build_trainer


def rows(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# resume=auto: the same command again.


def test_the_same_command_again_goes_on_in_its_directory(capsys, tmp_path):
    options = [*TINY, "recipe.epochs=2", f"hydra.run.dir={tmp_path}/run", "resume=auto"]
    ended = lta_run(capsys, options)
    assert "epoch 2/2" in ended.out
    (tmp_path / "run" / "results.json").unlink()  # as if cut off before its end
    again = lta_run(capsys, options)
    assert "epoch" not in again.out.split("== summary")[0], "both epochs are done: only the test is left"
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["starts"]) == 2
    complete = lta_run(capsys, options)
    assert "this run is complete" in complete.out
    elsewhere = lta_run(capsys, [*options, "+trainer.log_every_n_steps=7"])
    assert "this run is complete" in elsewhere.out, "where it runs makes no other run of it"
    shorter = lta_run(capsys, [*options, "+trainer.limit_train_batches=1"])
    assert shorter.status == 1, "but what it computes does"
    assert "another configuration: trainer.limit_train_batches is nothing there, but 1 here" in shorter.err
    other = lta_run(capsys, [*options, "recipe.epochs=3"])
    assert other.status == 1
    assert f"{tmp_path}/run holds a run of another configuration: recipe.epochs is 2 there, but 3 here" in other.err
    assert len(rows(tmp_path / "run")) == 2, "nothing was touched"


def test_a_run_that_was_cut_off_after_its_test_asks_what_is_missing(capsys, tmp_path, monkeypatch):
    options = [*TINY, "evaluator=classification,faithfulness", f"hydra.run.dir={tmp_path}/run", "resume=auto"]
    with monkeypatch.context() as cut:
        cut.setattr(
            "lta.evaluators.faithfulness.evaluator.Faithfulness.run", lambda *_: (_ for _ in ()).throw(ValueError("cut off"))
        )
        ended = lta_run(capsys, options)
    assert (ended.status, ended.err.splitlines()[-1]) == (1, "error: cut off")
    before = json.loads((tmp_path / "run" / "results.json").read_text())
    assert not before["complete"]
    answers = tmp_path / "run" / "evaluations"
    assert not (answers / "faithfulness.json").exists()
    again = lta_run(capsys, options)
    assert again.status == 0, again.err
    assert "epoch 1" not in again.out.split("== summary")[0], "nothing is trained again"
    assert (answers / "faithfulness.json").is_file()
    command = json.loads((answers / "faithfulness.json").read_text())["command"]
    assert command[:4] == ["python", "-m", "lta.run", options[0]]
    after = json.loads((tmp_path / "run" / "results.json").read_text())
    assert after["complete"]
    assert after["test"] == before["test"]
    assert "this run is complete" in lta_run(capsys, options).out


def test_what_an_evaluator_lacks_is_said_before_anything_is_trained(capsys, tmp_path):
    lacking = {"transfer": "baseline", "robustness": "source"}
    for name, setting in lacking.items():
        key = f"evaluator.{name}.{setting}={tmp_path}/nothing"
        ended = lta_run(capsys, [*TINY, "data.train_size=600", f"evaluator={name}", key, f"hydra.run.dir={tmp_path}/{name}"])
        assert ended.status == 1
        assert "there is no" in ended.err
        assert "epoch 1" not in ended.out
        assert not (tmp_path / name / "config.yaml").exists(), "nothing is begun"


def test_a_run_goes_on_elsewhere(capsys, tmp_path):
    """`trainer=` takes the place of the whole part, with the settings that come with it; nothing else changes."""
    run = tmp_path / "run"
    ended = lta_run(capsys, [*TINY, "trainer.precision=32-true", "+trainer.log_every_n_steps=7", f"hydra.run.dir={run}"])
    assert ended.status == 0, ended.err
    (run / "results.json").unlink()
    assert "bf16" not in (run / "run.log").read_text()
    again = lta_run(capsys, [f"resume={run}", "trainer=cpu", "trainer.precision=bf16-mixed"])
    assert again.status == 0, again.err
    assert "epoch" not in again.out.split("== summary")[0]
    log = (run / "run.log").read_text()
    assert "precision bf16-mixed" in log
    assert "the trainer's settings have changed: precision was 32-true, log_every_n_steps was 7\n" in log
    # the precision that a run has, `trainer=` alone takes away from it as little as another machine does
    (run / "results.json").unlink()
    assert lta_run(capsys, [f"resume={run}", "trainer=cpu"]).status == 0
    assert json.loads((run / "results.json").read_text())["precision"] == "bf16-mixed"
    assert (run / "run.log").read_text().count("precision was") == 1


def test_a_run_keeps_its_precision_on_a_machine_that_would_choose_another(capsys, tmp_path, monkeypatch):
    run = tmp_path / "run"
    chosen = []
    monkeypatch.setattr("lta.training.trainer.bfloat16_is_faster", lambda *_: bool(chosen))
    assert lta_run(capsys, [*TINY, "trainer.precision=auto", f"hydra.run.dir={run}"]).status == 0
    chosen.append("now it is")
    for asked, precision in ((), "32-true"), (("trainer.precision=bf16-mixed",), "bf16-mixed"), ((), "bf16-mixed"):
        (run / "results.json").unlink()
        assert lta_run(capsys, [f"resume={run}", *asked]).status == 0
        assert json.loads((run / "results.json").read_text())["precision"] == precision
    assert [start["precision"] for start in json.loads((run / "run.json").read_text())["starts"]] == [
        "32-true",
        "32-true",
        "bf16-mixed",
        "bf16-mixed",
    ]
    says = "precision: 32-true, as before; a new run would use bf16-mixed here (trainer.precision=bf16-mixed)"
    assert (run / "run.log").read_text().count(says) == 1


def test_what_is_known_of_a_runs_precision(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text("trainer: {precision: 32-true}\n")
    assert run_directory.find_saved_precision(tmp_path) is None, "there is nothing to resume"
    (tmp_path / "checkpoints" / "previous.ckpt").touch()
    assert run_directory.find_saved_precision(tmp_path) == "32-true"
    (tmp_path / "config.yaml").write_text("trainer: {precision: auto}\n")
    assert run_directory.find_saved_precision(tmp_path) is None
    (tmp_path / "run.json").write_text('{"starts": [{"command": []}]}')
    (tmp_path / "results.json").write_text('{"precision": "16-mixed"}')
    assert run_directory.find_saved_precision(tmp_path) == "16-mixed", "of a version that recorded it nowhere else"
    with pytest.raises(ValueError, match=r"trainer\.precision=16-mixed needs a GPU"):
        build_trainer(1, str(tmp_path), accelerator="cpu")
    (tmp_path / "run.json").write_text('{"starts": [{"precision": "32-true"}, {"precision": "bf16-mixed"}]}')
    assert run_directory.find_saved_precision(tmp_path) == "bf16-mixed"


def test_what_is_computed_stays_the_runs_own_wherever_it_goes_on(capsys, tmp_path):
    run = tmp_path / "run"
    ended = lta_run(capsys, [*TINY, "+trainer.limit_train_batches=2", f"hydra.run.dir={run}"])
    assert ended.status == 0, ended.err
    (run / "results.json").unlink()
    for asked in ("+trainer.limit_train_batches=1", "trainer=cpu +trainer.limit_train_batches=1"):
        refused = lta_run(capsys, [f"resume={run}", *asked.split()])
        assert refused.status == 1
        assert (
            f"trainer.limit_train_batches is 2 in {run}, but 1 here: a run may continue on another machine, but not as"
            in refused.err
        )
    more = lta_run(capsys, [f"resume={run}", "trainer=cpu", "+trainer.accumulate_grad_batches=4"])
    assert f"trainer.accumulate_grad_batches is nothing in {run}, but 4 here" in more.err
    assert lta_run(capsys, [f"resume={run}", "trainer=cpu"]).status == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["limit_train_batches"] == 2
    assert "limit_train_batches" not in (run / "run.log").read_text().partition("resume:")[2], "nothing was dropped"


@pytest.mark.parametrize(
    ("also", "own", "stays"),
    [
        ((), True, False),
        ((), False, True),
        (("run_rank1.log", "run_node1_rank0.log"), True, False),
        (("notes.txt",), True, True),
        (("runner.log",), True, True),
        (("run_4711.log",), True, True),
        (("config.yaml",), True, True),
    ],
)
def test_of_what_never_began_nothing_stays_but_what_others_wrote_or_named(tmp_path, also, own, stays):
    directory = tmp_path / "run"
    directory.mkdir()
    for name in ("run.log", *also):
        (directory / name).touch()
    with pytest.raises(ValueError, match="refused"), run_directory.lock_directory(directory, own):
        raise ValueError("refused")
    assert directory.exists() is stays
    assert not stays or sorted(path.name for path in directory.iterdir()) == [".lock", *sorted(["run.log", *also])]


def test_another_run_in_a_directory_keeps_it(tmp_path):
    with run_directory.lock_directory(tmp_path, own=True):
        with (
            pytest.raises(ValueError, match="is being run by another process"),
            run_directory.lock_directory(tmp_path, own=True),
        ):
            pass
        assert (tmp_path / ".lock").exists()


def test_auto_needs_a_directory_that_stays(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = lta_run(capsys, [*TINY, "resume=auto"])
    assert ended.status == 1
    assert "resume=auto needs a directory that stays the same: give hydra.run.dir=" in ended.err


def test_every_start_records_the_code(capsys, tmp_path):
    code = code_version()
    assert len(code) == 12
    assert int(code, 16) >= 0
    ended = lta_run(capsys, [*TINY, f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0
    (start,) = json.loads((tmp_path / "run" / "run.json").read_text())["starts"]
    assert start["code"] == code


def test_the_code_version_changes_with_any_file_of_the_code(tmp_path, monkeypatch):
    package = shutil.copytree(Path(lta.__file__).parent, tmp_path / "lta", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(lta, "__file__", str(package / "__init__.py"))
    before = code_version()
    assert code_version() == before
    kinds = {(path.parent, path.suffix): path for path in package.rglob("*") if path.is_file()}
    for path in kinds.values():
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert code_version() != before, path
        path.write_bytes(content)
    assert code_version() == before
    (package / "conf").mkdir()
    (package / "conf" / "config.yaml").touch()
    assert code_version() == before, "a wheel and a checkout are the same code"
    (package / "sub" / "__pycache__").mkdir(parents=True)
    (package / "sub" / "__pycache__" / "more.pyc").touch()
    assert code_version() == before
    (package / "sub" / "more.py").touch()
    assert code_version() != before


def test_it_changes_with_code_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    for name in ("mine/__init__.py", "mine/part.py", "lone.py", "other.py"):
        (tmp_path / name).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"model": {"_target_": "mine.part.Net", "x": [{"_target_": "lone.f"}]}, "a": {"_target_": "torch.nn.Identity"}}
    places = find_own_code(config)
    assert places == [tmp_path / "lone.py", tmp_path / "mine"]
    before = code_version(places)
    assert before != code_version()
    (tmp_path / "other.py").write_text("changed")
    assert code_version(places) == before
    (tmp_path / "mine" / "part.py").write_text("changed")
    assert code_version(places) != before
    assert find_own_code({"model": {"_target_": "lta.models.vgg_family.vgg"}}) == []


# One run at a time.


def test_two_runs_never_share_a_directory(capsys, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    hold = "import sys; from lta.runtime.run_directory import lock_directory; from pathlib import Path\n"
    hold += "with lock_directory(Path(sys.argv[1])): print(1, flush=True); sys.stdin.read()"
    program = [command()[0], "-c", hold, str(directory)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        ended = lta_run(capsys, [*TINY, f"hydra.run.dir={directory}"])
        assert ended.status == 1
        assert f"error: {directory} is being run by another process" in ended.err
        holder.kill()  # however it ends
    assert lta_run(capsys, [*TINY, f"hydra.run.dir={directory}"]).status == 0
