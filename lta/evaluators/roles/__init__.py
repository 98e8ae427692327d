"""`evaluator=roles`: density of attention on main object, side objects and background."""

from lta.evaluators.roles.evaluator import Roles

__all__ = ["Roles"]
