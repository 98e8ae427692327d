from lta.evaluators.faithfulness.evaluator import Faithfulness

__all__ = ["Faithfulness"]
