"""`evaluator=robustness`: errors under FGSM and PGD attacks, and under noise."""

from lta.evaluators.robustness.evaluator import Robustness

__all__ = ["Robustness"]
