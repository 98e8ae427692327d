"""Holds a class of your own against lta's contracts, in one call from your own tests.

    from lta.testing import check_compat

    def test_cosine():
        check_compat(Cosine)

A check returns nothing, or raises AssertionError in one line: the class, and what is wrong with it. Random numbers are drawn
by a fixed seed, and the global ones are left as they were.
"""

from lta.testing.data import check_data
from lta.testing.evaluators import check_evaluator
from lta.testing.losses import check_loss
from lta.testing.networks import check_network
from lta.testing.parts import check_compat, check_effect, check_head

__all__ = ["check_compat", "check_data", "check_effect", "check_evaluator", "check_head", "check_loss", "check_network"]
