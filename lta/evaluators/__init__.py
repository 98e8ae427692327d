"""Questions asked of a trained network, each with its answer, intervals and controls; a folder each."""

from importlib import import_module
from typing import Any

from lta.evaluators.evaluator import Evaluator, NotApplicable, Result

__all__ = [
    "Classification",
    "Evaluator",
    "Faithfulness",
    "Localisation",
    "NotApplicable",
    "Query",
    "Result",
    "Robustness",
    "Roles",
    "Transfer",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # Imported when asked for: they need scikit-learn, matplotlib and more, and a run asks few of them.
    if name in __all__:
        return getattr(import_module(f"lta.evaluators.{name.lower()}"), name)
    raise AttributeError(f"module 'lta.evaluators' has no attribute {name!r}")
