"""Machines that don't share the run's directory end before they train, all of them."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

from lta.training.shared_directory import SharedDirectory

MODULE = Mock(spec=pl.LightningModule)


def trainer(processes: int, all_see_it: bool | None = None):
    """`all_see_it`: what the processes come to together; None: what this one says."""

    def decide(decision: bool, all: bool) -> bool:
        assert all
        return decision if all_see_it is None else all_see_it

    return Mock(spec=pl.Trainer, world_size=processes, strategy=SimpleNamespace(reduce_boolean_decision=decide))


def test_a_directory_that_one_process_does_not_see_ends_all(tmp_path):
    says = f"hydra.run.dir={tmp_path} is not the same folder for all processes"
    with pytest.raises(ValueError, match=says):
        SharedDirectory(str(tmp_path)).on_fit_start(trainer(2), MODULE)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ValueError, match=says):
        SharedDirectory(str(tmp_path)).on_fit_start(trainer(2, all_see_it=False), MODULE)
    SharedDirectory(str(tmp_path)).on_fit_start(trainer(2), MODULE)


def test_one_process_asks_nobody(tmp_path):
    SharedDirectory(str(tmp_path)).on_fit_start(trainer(1, all_see_it=False), MODULE)
