"""Which checkpoints a run keeps."""

import re
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from lta.callbacks.telemetry import check_is_measured
from lta.protocols import get_splits


def choose_mode(monitor: str) -> str:
    """ "max" where a higher value is better, else "min"."""
    return "max" if re.match("val/(iou|pointing|energy|mAP|auroc)", monitor) else "min"


class RunCheckpoint(ModelCheckpoint):
    """`<default_root_dir>/checkpoints/<filename>.ckpt`: after every epoch, or, with `monitor`, of its lowest value; of
    val/iou, val/pointing and val/energy, which say how well maps find objects, and of val/mAP and val/auroc of the highest.

    Written at the very end of an epoch, so that a resumed run starts with the next one. Two of them are used rather
    than Lightning's `save_last`, which writes only when the best one improves. Does nothing where `monitor` is a value
    of the validation set and there is none. Raises ValueError, before the training, for a monitor that says how well maps
    find objects where no validation pictures have masks.
    """

    def __init__(self, filename: str, monitor: str | None = None):
        if not re.fullmatch(r"\w[\w.-]*", filename):
            raise ValueError(f"callbacks.*.filename={filename} must be a file name of letters, digits, _, - and .")
        if monitor is not None and monitor.startswith("test"):
            raise ValueError(
                f"callbacks.{filename}_checkpoint.monitor={monitor}: a checkpoint can't be chosen by the test set; give a "
                "value such as val/error"
            )
        super().__init__(
            filename=filename,
            monitor=monitor,
            mode=choose_mode(monitor or ""),
            save_top_k=1,
            save_on_train_epoch_end=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Writes to the run directory's `checkpoints/`. Without a validation set, no best checkpoint is kept."""
        self.dirpath = str(Path(trainer.default_root_dir).resolve() / "checkpoints")
        if (monitor := self.monitor or "").startswith("val/"):
            if get_splits(trainer).val is None:
                self.save_top_k = 0
            elif stage == "fit":
                check_is_measured(f"callbacks.{self.filename}_checkpoint.monitor", monitor, trainer, module)
        super().setup(trainer, module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The run directory may have been moved since: Lightning would then forget which one was the best."""

        directory = self.dirpath
        assert directory is not None, "setup comes first"

        def move_path(path: str) -> str:
            return str(Path(directory) / Path(path).name) if path else path

        moved = {name: move_path(state_dict[name]) for name in ("best_model_path", "last_model_path", "kth_best_model_path")}
        best = {move_path(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": best, "dirpath": self.dirpath})
