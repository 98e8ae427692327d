"""Hydra composes the configuration of each command twice: the first time only to read `hydra.mode`, which no file sets."""

import re
from typing import Any

SETS_MODE = re.compile(r"[+~]*hydra(\.mode|\.searchpath|=|/)")


def compose_once() -> None:
    """In this process, commands compose a first time only where something of theirs might set it: it saves them 0.2 s."""
    from hydra._internal.hydra import Hydra

    compose_for_mode = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        providers = {source.provider for source in self.config_loader.get_search_path().get_path()}
        might = not providers <= {"hydra", "main", "schema"} or any(map(SETS_MODE.match, overrides))
        return compose_for_mode(self, config_name, overrides) if might else None

    Hydra.get_mode = get_mode
