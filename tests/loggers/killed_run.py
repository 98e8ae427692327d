"""python killed_run.py POINT EPOCH ARGUMENTS: `python -m lta.run ARGUMENTS`, killed with W&B's service at one point.

POINT, in the end of the epoch EPOCH (0-based): `recorded` the row is recorded, no checkpoint of the epoch is written;
`saved` the checkpoints are written, the row is not sent; `sent` the row has just been handed to W&B; `tested` the row of
the test set has just been handed over. `fails` raises where `saved` kills; `waits` only waits, where `sent` kills.
A kill comes after WHILE seconds (not with `sent`), 2 unless the environment says so: W&B sends what it has every 15.
"""

import os
import signal
import sys
import time

from lta.callbacks.checkpoints import RunCheckpoint
from lta.callbacks.epoch_send import EpochSend
from lta.cli.launch import launch
from lta.run.__main__ import run

WHILE = float(os.environ.get("WHILE", "2"))


def kill(wait):
    from wandb.sdk import wandb_setup

    time.sleep(wait)
    wandb_setup.singleton()._connection._proc._process.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_):
    raise RuntimeError("in the middle")


def ended(hook, epoch, before, how=kill, wait=WHILE):
    def wrapped(callback, trainer, module):
        here = trainer.current_epoch == epoch
        if here and before:
            how(wait)
        hook(callback, trainer, module)
        if here and not before:
            how(wait)

    return wrapped


if __name__ == "__main__":
    point, epoch, *arguments = sys.argv[1:]
    epoch, send = int(epoch), EpochSend.on_train_epoch_end
    if point == "recorded":
        RunCheckpoint.on_train_epoch_end = ended(RunCheckpoint.on_train_epoch_end, epoch, before=True)
    elif point == "tested":
        EpochSend.on_test_end = ended(EpochSend.on_test_end, epoch, before=False)
    elif point == "fails":
        EpochSend.on_train_epoch_end = ended(send, epoch, before=True, how=fail)
    elif point == "waits":
        EpochSend.on_train_epoch_end = ended(send, epoch, before=False, how=time.sleep)
    elif point == "saved":
        EpochSend.on_train_epoch_end = ended(send, epoch, before=True)
    else:
        EpochSend.on_train_epoch_end = ended(send, epoch, before=False, wait=0.0)
    sys.argv = ["lta.run", *arguments]
    launch(run)
