"""`evaluator=transfer`: a linear SVM on frozen features."""

from lta.evaluators.transfer.evaluator import Transfer

__all__ = ["Transfer"]
