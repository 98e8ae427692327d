"""A trained network, loaded from its run and shown pictures."""

from lta.inference.checkpoint import BrokenCheckpoint, build_untrained, load
from lta.inference.query import resolve_query
from lta.inference.windows import Seen, run_at_scales

__all__ = ["BrokenCheckpoint", "Seen", "build_untrained", "load", "resolve_query", "run_at_scales"]
