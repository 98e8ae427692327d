"""python service_gone.py SIGNAL EPOCH ARGUMENTS: a run whose W&B service gets SIGNAL before the row of EPOCH is sent.

A call that hangs is given up after five seconds.
"""

import os
import signal
import sys

from lta.callbacks.epoch_send import EpochSend
from lta.cli.launch import launch
from lta.loggers import run_logger
from lta.run.__main__ import run

name, epoch, *arguments = sys.argv[1:]
run_logger.CALL = 5.0
send = EpochSend.on_train_epoch_end


def sending(callback, trainer, module):
    if trainer.current_epoch == int(epoch):
        from wandb.sdk import wandb_setup

        os.kill(wandb_setup.singleton()._connection._proc._process.pid, getattr(signal, name))
    send(callback, trainer, module)


if __name__ == "__main__":
    EpochSend.on_train_epoch_end = sending
    sys.argv = ["lta.run", *arguments]
    launch(run)
