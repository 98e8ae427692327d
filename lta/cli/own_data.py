"""Settings of data that a run has saved, on a command line whose own configuration has none. Imports nothing of lta.

Where data and caches lie is no part of what is computed: a run whose data were moved goes on, and is asked, by naming the
place. Hydra refuses a setting that the configuration it composes has not; what is given here, it adds.
"""

from collections.abc import Sequence

PLACES = frozenset({"data.root", "data.cache", "data.download", "model.backbone.weights", "preprocess.cache"})
"""Settings of a run that say where something lies, or may be fetched from."""


def add_saved_places(arguments: Sequence[str]) -> list[str]:
    """Of lta.run: with `resume=RUN`, its places."""
    resumed = any(
        argument.startswith("resume=") and argument not in ("resume=null", "resume=auto") for argument in arguments
    )
    return [f"++{one}" if resumed and _key(one) in PLACES else one for one in arguments]


def add_saved_data(arguments: Sequence[str]) -> list[str]:
    """Of a command that takes a network's own data where no others are chosen by `data=`: any setting of theirs."""
    chosen = any(_key(argument) == "data" for argument in arguments)
    return [f"++{one}" if not chosen and one.startswith("data.") else one for one in arguments]


def _key(argument: str) -> str:
    return argument.partition("=")[0]
