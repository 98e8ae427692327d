from lta.evaluators.transfer.evaluator import Transfer

__all__ = ["Transfer"]
