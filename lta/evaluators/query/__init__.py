"""`evaluator=query`: what changes when the query is replaced."""

from lta.evaluators.query.evaluator import Query

__all__ = ["Query"]
