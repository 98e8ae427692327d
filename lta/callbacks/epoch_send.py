"""The rows of EpochLog and the panels of AttentionMaps, sent to W&B, TensorBoard and other loggers."""

from collections.abc import Sequence

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from lta.callbacks.attention_maps import AttentionMaps, Panel
from lta.callbacks.epoch_log import EpochLog
from lta.callbacks.find import find_callbacks
from lta.loggers.logged import LoggedRows
from lta.loggers.rows import read_logged_rows, send_row

Rows = Sequence[dict[str, float]]


class EpochSend(Checkpoint):
    """Sends an epoch's row, with its panel, once the checkpoint that holds the row is written; from rank zero.

    Derives from Lightning's `Checkpoint`, whose subclasses keep their order, and stands behind the model checkpoints:
    a run that is killed before an epoch's checkpoint has not sent that epoch, so that the resumed run, which trains it
    again, does not send it twice. A row that was lost by a kill after the checkpoint is sent when the run is resumed;
    its panel is then the one on disk. Other loggers than W&B's and TensorBoard's can't be asked what they hold: there
    a row lost so stays lost.
    """

    def __init__(self) -> None:
        self._held: list[LoggedRows] | None = None  # by logger; None until the rows before a resume are known

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._held = None
        if trainer.loggers and not any(find_callbacks(trainer, EpochLog)):
            raise ValueError("callbacks.epoch_send has nothing to send with callbacks.epoch_log=null: set it to null too")

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._send(trainer, resumed=True)  # what the checkpoint holds and a logger does not

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._send(trainer)

    def on_test_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero and trainer.loggers and (tested := _find_epoch_log(trainer).tested):
            for logger, held in zip(
                trainer.loggers, self._get_logged_rows(trainer, _find_epoch_log(trainer).rows), strict=True
            ):
                if not held.tested:
                    send_row(logger, trainer.current_epoch - 1, tested)

    def _send(self, trainer: pl.Trainer, resumed: bool = False) -> None:
        if not (trainer.is_global_zero and trainer.loggers and (rows := _find_epoch_log(trainer).rows)):
            return
        sent = []
        for logger, held in zip(
            trainer.loggers, self._get_logged_rows(trainer, rows if resumed else rows[:-1]), strict=True
        ):
            for row in rows:
                if (epoch := int(row["epoch"])) not in held.epochs:
                    metrics = {key: value for key, value in row.items() if key != "epoch"}
                    send_row(logger, epoch, metrics, _panel(trainer, epoch))
            sent.append(held._replace(epochs=held.epochs | {int(row["epoch"]) for row in rows}))
        self._held = sent

    def _get_logged_rows(self, trainer: pl.Trainer, before: Rows) -> list[LoggedRows]:
        """What each logger has; asked once, when there is something to send. `before`: the rows of earlier starts."""
        if self._held is None:
            epochs = frozenset(int(row["epoch"]) for row in before)
            self._held = [read_logged_rows(logger, epochs) for logger in trainer.loggers]
        return self._held


def _find_epoch_log(trainer: pl.Trainer) -> EpochLog:
    return next(find_callbacks(trainer, EpochLog))


def _panel(trainer: pl.Trainer, epoch: int) -> Panel | None:
    maps = find_callbacks(trainer, AttentionMaps)
    return next((panel for callback in maps if (panel := callback.get_panel(trainer, epoch))), None)
