"""What happens during training, and when: pictures of maps, telemetry, the epochs' rows, checkpoints, progress."""

from lta.callbacks.attention_maps import AttentionMaps, Panel
from lta.callbacks.checkpoints import RunCheckpoint
from lta.callbacks.early_stopping import EarlyStop
from lta.callbacks.epoch_log import EpochLog
from lta.callbacks.epoch_send import EpochSend
from lta.callbacks.progress import EpochBar, EpochLines
from lta.callbacks.stopping import Stopping
from lta.callbacks.telemetry import AttentionTelemetry

__all__ = [
    "AttentionMaps",
    "AttentionTelemetry",
    "EarlyStop",
    "EpochBar",
    "EpochLines",
    "EpochLog",
    "EpochSend",
    "Panel",
    "RunCheckpoint",
    "Stopping",
]
