"""Learn To Pay Attention: trainable attention in image classifiers."""

from typing import Any

__all__ = ["autoblur", "load", "mask_of"]
__version__ = "0.2.0.dev0"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # Imported when asked for: torch costs seconds, and `lta.run --help` needs none of it.
    if name == "load":
        from lta.inference.checkpoint import load

        return load
    if name in ("autoblur", "mask_of"):
        from lta.apply import direct

        return getattr(direct, name)
    raise AttributeError(f"module 'lta' has no attribute {name!r}")
