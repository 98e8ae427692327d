"""What lies in TensorBoard's files beside the rows of epochs (those are in tests/callbacks)."""

import logging
from types import SimpleNamespace

from PIL import Image
from pytorch_lightning.loggers.logger import DummyLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lta.loggers.reopen import TENSORBOARD, reopen_session
from lta.loggers.session import Session
from lta.loggers.tensorboard import read_logged_rows, tensorboard_logger


def test_tensorboard_has_what_evaluators_answered(tmp_path):
    """Other loggers have no place for it."""
    session = Session([tensorboard_logger(str(tmp_path)), DummyLogger()])
    figures = {"error": {"value": 4.5, "n": 9}, "by_class": {"ant": {"value": 1.0}}, "words": "none"}
    picture = Image.new("RGBA", (5, 3), (255, 0, 0, 255))
    session.send_answers({"classification": SimpleNamespace(figures=figures, pictures={"confusion": picture}, rows=[])})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (error,) = events.Scalars("evaluation/classification/error")
    assert error.value == 4.5
    assert "evaluation/classification/by_class/ant" in events.Tags()["scalars"]
    (image,) = events.Images("evaluation/classification/confusion")
    assert (image.width, image.height) == (5, 3)


def test_a_finished_runs_files_are_begun_again(tmp_path, capsys, monkeypatch):
    """What `lta evaluate` finds out later; that W&B is not wanted does not matter here."""
    (tmp_path / "config.yaml").write_text(f"logger: {{tensorboard: {{_target_: {TENSORBOARD}}}}}\n")
    with reopen_session(tmp_path, with_wandb=False) as session:
        session.send_answers({"query": SimpleNamespace(figures={"error": {"value": 2.5}}, pictures={}, rows=[])})
    (error,) = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("evaluation/query/error")
    assert error.value == 2.5
    monkeypatch.setattr("lta.loggers.reopen.find_spec", lambda name: None)
    with reopen_session(tmp_path, with_wandb=True) as session:
        assert session.loggers == []
    assert capsys.readouterr().out.startswith("TensorBoard: nothing is written for ")


def test_a_look_into_the_files_says_nothing(tmp_path, caplog):
    logger = tensorboard_logger(str(tmp_path))
    logger.log_metrics({"time/seconds": 1.0}, step=3)
    logger.experiment.flush()
    with caplog.at_level(logging.INFO):
        assert read_logged_rows(logger).epochs == {3}
    assert not caplog.records
