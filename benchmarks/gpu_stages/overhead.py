"""What the framework adds to a step, and panel and telemetry to an epoch, by benchmarks/framework.py and panel.py."""

import statistics
from typing import Any

import framework
import panel

from gpu_stages.settings import Settings

LOGGER = "logger=csv"


def time_overhead(settings: Settings, seconds: float) -> dict[str, Any]:
    """In runs on digit_scenes, which needs no files."""
    sizes = settings.sizes
    trainer = f"trainer={'cpu' if settings.is_dry else 'gpu'}"
    rounds, batch = sizes.framework_rounds, sizes.batch
    of_run, bare = framework.race(sizes.widths[1], batch, rounds, 2 * sizes.steps, [trainer], logger=LOGGER)
    val = batch if settings.is_dry else panel.VAL
    taken = panel.measure(sizes.widths[0], sizes.epochs_each, batch, val, [trainer], LOGGER)
    share = [more / whole for more, whole in zip(taken.added, taken.without, strict=True)]
    return {
        "step_ms": {"lta run": 1e3 * statistics.median(of_run), "bare loop": 1e3 * statistics.median(bare)},
        "panel_seconds_an_epoch": statistics.median(taken.added),
        "panel_share_of_an_epoch": statistics.median(share),
    }
