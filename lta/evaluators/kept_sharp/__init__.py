from lta.evaluators.kept_sharp.evaluator import KeptSharp

__all__ = ["KeptSharp"]
