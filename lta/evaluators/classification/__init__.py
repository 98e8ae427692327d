from lta.evaluators.classification.evaluator import Classification

__all__ = ["Classification"]
