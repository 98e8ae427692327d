"""Calls to W&B's service, a process beside this one that may die or hang: with a bound, and how to be rid of it.

Imports no torch.
"""

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

ANSWER = 20
"""Seconds that the server has to answer at the start."""

BOUNDED: dict[str, Any] = {
    "init_timeout": ANSWER,
    "x_service_wait": ANSWER,
    "finish_timeout_raises": True,
    "x_transaction_log_flush_interval": 1,  # seconds of which a kill can rob the copy on disk
}

QUIET: dict[str, Any] = {"quiet": True, "show_info": False}
"""Its warnings and errors are seen; what else it says is said here in a line."""

NO_LOGIN = "there is no login: run `wandb login`, or set WANDB_API_KEY"


class NoAnswer(Exception):
    """The service neither answers nor ends."""


def call_within(seconds: float, call: Callable[[], Any]) -> Any:
    """What `call` returns or raises; raises NoAnswer after `seconds`, and leaves it behind in a thread of its own."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:  # SystemExit too: W&B passes on the exit status of its service
            outcome["error"] = error

    thread = threading.Thread(target=run, name="wandb-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise NoAnswer(f"no answer within {seconds:g} s")
    if error := outcome.get("error"):
        raise error if isinstance(error, Exception) else RuntimeError(repr(error))
    return outcome["value"]


def find_service_process() -> subprocess.Popen | None:
    """The service that this process has started; None where it has none, or another program's (WANDB_SERVICE)."""
    from wandb.sdk import wandb_setup

    # No public name leads to the process: a test holds these, which a later W&B may change.
    connection = getattr(wandb_setup.singleton(), "_connection", None)
    return getattr(getattr(connection, "_proc", None), "_process", None)


def abandon() -> None:
    """Ends the service without waiting for it: neither this program's end nor the next run of a sweep meets it."""
    import wandb

    if (process := find_service_process()) is not None:
        process.kill()
    with suppress(Exception):  # the connection is broken: what matters is that it is forgotten
        call_within(5, wandb.teardown)


def has_login() -> bool:
    """Whether W&B has a key or a token; asks no server."""
    import wandb

    wandb.setup(wandb.Settings(mode="online", **BOUNDED, **QUIET))
    return wandb.login(prompt=False, verify=False)


def reason(error: BaseException) -> str:
    """For people, in one line: W&B's messages have several, or none."""
    return " ".join(str(error).split())[:300] or type(error).__name__
