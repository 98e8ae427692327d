"""`trainer.compile=true` on the GPU: the same training, compiled in the first epoch and not again."""

import csv

import pytest
import pytorch_lightning as pl
import torch
from commands import lta_run
from on_device import DEVICE, SMALL

pytestmark = pytest.mark.gpu


class Compiled(pl.Callback):
    """How many graphs were compiled until each epoch's end."""

    counts: list[int]

    def on_train_epoch_end(self, trainer, module):
        self.counts.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def test_a_compiled_run_trains_the_same_and_compiles_once(capsys, tmp_path, monkeypatch):
    if DEVICE.type == "cpu":  # a rehearsal of when it compiles, without the minutes that the compiler takes
        real = torch.compile
        monkeypatch.setattr(torch, "compile", lambda function, **options: real(function, backend="eager"))
    rows = {}
    for way in ("false", "true"):
        Compiled.counts = []
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        options = [
            *SMALL,
            "data.train_size=128",
            "recipe.epochs=3",
            "model.dropout=0",
            "augment=none",
            "trainer.precision=32-true",
            f"trainer.compile={way}",
            f"+callbacks.compiled._target_={__name__}.Compiled",
            f"trust={__name__}.Compiled",
            f"hydra.run.dir={tmp_path}/{way}",
        ]
        ended = lta_run(capsys, options)
        assert ended.status == 0, ended.err
        with (tmp_path / way / "metrics.csv").open(newline="") as file:
            rows[way] = list(csv.DictReader(file))
        first, *later = Compiled.counts
        assert (first > 0) == (way == "true")
        assert later == [first, first], "nothing is compiled in later epochs"
    for plain, compiled in zip(rows["false"], rows["true"], strict=True):
        assert float(compiled["train/loss"]) == pytest.approx(float(plain["train/loss"]), rel=2e-2)
