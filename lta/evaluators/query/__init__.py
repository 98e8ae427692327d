from lta.evaluators.query.evaluator import Query

__all__ = ["Query"]
