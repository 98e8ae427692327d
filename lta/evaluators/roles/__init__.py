from lta.evaluators.roles.evaluator import Roles

__all__ = ["Roles"]
