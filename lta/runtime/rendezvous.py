"""What the processes that torchrun starts must agree on before they can talk to each other by Lightning."""

import os
from collections.abc import Callable
from functools import cache

from lta.checks import RunError
from lta.runtime.ranks import is_first


@cache
def agree_on_directory(directory: str, claim: Callable[[str], str]) -> str:
    """What the first process gets by `claim(directory)`, a directory that no other run has: those that torchrun starts may
    read the clock in different seconds, and another run may have begun in the same one."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        raise RunError("give hydra.run.dir=...: the processes of this torchrun can't agree on a directory otherwise")
    # Imported here: most runs need none of it.
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] documented, not listed

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    if is_first():
        store.set("lta/run_directory", claim(directory))
    return store.get("lta/run_directory").decode()
