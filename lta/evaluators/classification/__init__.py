"""`evaluator=classification`: errors, confusion matrix, calibration."""

from lta.evaluators.classification.evaluator import Classification

__all__ = ["Classification"]
