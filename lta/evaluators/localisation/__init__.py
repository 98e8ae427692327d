from lta.evaluators.localisation.evaluator import Localisation

__all__ = ["Localisation"]
