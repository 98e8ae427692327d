"""Shapes in signatures are checked by beartype under pytest only; no test touches the user's own cache."""

import os
import signal
from pathlib import Path

import jaxtyping
import pytest
import signatures  # noqa: F401  before the hook: it needs lta.protocols itself
from composed_once import compose_once
from jaxtyping import install_import_hook

install_import_hook("lta", "signatures.check")
compose_once()


LONGEST = (
    "test_the_quickstart_learns_and_attends_to_the_object",
    "test_a_run_killed_at_twenty_random_moments_ends_with_the_same_weights",
    "test_the_authors_recipe_learns_on_real_pictures",
    "test_slurm_runs_a_task_a_device_and_a_preempted_job_goes_on",
    "test_a_dry_run_goes_through_all_stages",
)
"""Tests of minutes: begun first, so that no process is left with one of them when all others are through."""


def pytest_ignore_collect(collection_path, config):
    """`pytest -m gpu` reads the folder of those tests alone: others import what a machine with a GPU may lack."""
    alone = config.getoption("markexpr") == "gpu" and collection_path.is_file()
    return True if alone and Path(__file__).parent / "gpu" not in collection_path.parents else None


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.originalname not in LONGEST)  # stable


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _this_checkout_in_other_processes():
    """Commands that tests start in other folders run the code under test, not an lta that is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
        yield


@pytest.fixture(autouse=True, scope="session")
def _signals_as_on_a_terminal():
    """nohup and background shells have Ctrl-C and SIGHUP ignored, and what a test starts would inherit that."""
    ours = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def shapes_unchecked():
    """As users run it: torch.export would take the comparisons of shapes for conditions of the network."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
