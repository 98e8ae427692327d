from lta.evaluators.robustness.evaluator import Robustness

__all__ = ["Robustness"]
