"""`evaluator=faithfulness`: insertion, deletion, and errors with attended pixels blurred."""

from lta.evaluators.faithfulness.evaluator import Faithfulness

__all__ = ["Faithfulness"]
