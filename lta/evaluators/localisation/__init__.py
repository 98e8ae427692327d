"""`evaluator=localisation`: maps against masks or boxes of the object, controls and explanations."""

from lta.evaluators.localisation.evaluator import Localisation

__all__ = ["Localisation"]
