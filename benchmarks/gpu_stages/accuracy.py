"""Seconds to 94 % on CIFAR-10: shorter trainings first, until one ends at 6.00 % test error or below."""

import time
from typing import Any

from gpu_stages.settings import Settings
from gpu_stages.training import Training, train

TARGET = 6.0
EPOCHS = (10, 16, 24)
ANCHORS = {"hiverge, seconds on an A100": 2.0, "airbench94_muon, seconds on an A100": 2.59}
"""As they are published: their own trainings, with test-time augmentation, after a warm-up that is not counted."""


def time_to_94(settings: Settings, model: str, seconds: float) -> dict[str, Any]:
    """Seconds of the training from its first step: with all that an epoch has in a run, but panel and telemetry; without the
    imports, the data and the test. One picture is looked at once: no test-time augmentation."""
    begun = time.monotonic()
    tries: dict[str, Any] = {}
    for epochs in EPOCHS:
        plain = ("callbacks.attention_maps=null", "callbacks.telemetry=null", "default_evaluators=none")
        choices = (f"model={model}", "recipe=air", "data.val_size=0", f"recipe.epochs={epochs}", *plain)
        left = seconds - (time.monotonic() - begun)
        found = train(settings, Training(f"{model}_{epochs}_epochs", "cifar10", choices), left)
        tries[str(epochs)] = found
        if found["test_error"] <= TARGET or settings.is_dry:
            break
    reached = found["test_error"] <= TARGET
    answer = {"reached": reached, "epochs": epochs, "seconds_to_94": found["training_seconds"] if reached else None}
    return {**answer, "test_error": found["test_error"], "tries": tries, "anchors": ANCHORS}
