"""Which settings go together: of a run, of one that is gone on with, and of the other commands. Imports no torch."""

import logging
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from lta import checks
from lta.checks import RunError
from lta.cli.commands import COMMANDS, PARTS, list_choices
from lta.cli.limits import check_limits
from lta.cli.migrate import read_config
from lta.cli.own_data import PLACES
from lta.cli.resolvers import find_existing_run, find_run_directory, is_directory_given
from lta.cli.saved import read_whole_config
from lta.cli.suggestions import describe_unknown_setting
from lta.instantiate import escape, plain
from lta.runtime.run_directory import CHECKPOINTS, find_difference, is_free

log = logging.getLogger(__name__)

RESUME_MAY_CHANGE = ("trainer=", "trainer.", "recipe.epochs=", *(f"{key}=" for key in sorted(PLACES)))
"""What a resumed run may be told beside its directory: where it runs, where its data lie, and how much longer, where its
schedule allows that."""


def settings_of(command: str, cfg: DictConfig) -> DictConfig:
    """What such a command was told; raises RunError where something was asked for that nothing there reads."""
    parts, chosen = COMMANDS[command]
    for override in HydraConfig.get().overrides.task:
        key = override.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in parts:
            raise RunError(f"{override}: lta.{command} has no setting {key}; its settings are {', '.join(parts)}")
    if chosen and not cfg[chosen[0]]:
        raise RunError(f"{chosen[0]}=... must be given; choose one or more of {', '.join(list_choices(chosen[0]))}")
    return cfg


def resolve_settings(cfg: DictConfig) -> DictConfig:
    """The configuration that this run uses: as composed, or that of the run named by `resume`, read from its folder.

    Raises RunError where something was asked for that nothing reads.
    """
    if unknown := set(cfg) - PARTS:
        more = describe_unknown_setting(min(unknown)) or f"; the settings are {', '.join(sorted(PARTS))}"
        raise RunError(f"there is no setting {min(unknown)}{more}")
    with open_dict(cfg):
        cfg.pop("trust", None)  # of this command alone: nothing that a run directory says is trusted
    model = str(OmegaConf.to_container(cfg.model, resolve=False))
    for part in ("compat", "head"):
        if part in cfg and part not in cfg.model and f"${{{part}}}" not in model:
            raise RunError(f"{part} is not used by this model, which has no attention")
    check_limits(cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=False)), _list_given_keys())
    if cfg.resume == "auto" or (cfg.resume is None and HydraConfig.get().mode == RunMode.MULTIRUN):
        return _resume_or_begin(cfg)
    if cfg.resume is None:
        return cfg
    return _resume_settings(cfg)


def check_settings(cfg: DictConfig) -> None:
    """Raises ValueError where a setting of the run itself can't be."""
    checks.require_whole_number("seed", cfg.seed)
    checks.require_flag("test_each_epoch", cfg.test_each_epoch)
    checks.require_choice("test_checkpoint", cfg.test_checkpoint, CHECKPOINTS)
    if not cfg.callbacks.get(f"{cfg.test_checkpoint}_checkpoint"):
        raise ValueError(f"test_checkpoint={cfg.test_checkpoint} needs callbacks.{cfg.test_checkpoint}_checkpoint")


def _resume_settings(cfg: DictConfig) -> DictConfig:
    """The run's own configuration; of what was asked for, where and how it is computed."""
    find_existing_run(cfg.resume)
    asked = [override for override in HydraConfig.get().overrides.task if not override.startswith(("resume=", "trust="))]
    if find_run_directory().resolve() != Path(cfg.resume).resolve():
        raise RunError(f"resume={cfg.resume} continues one run in its own directory: leave out -m and hydra.run.dir")
    refused = [override for override in asked if not override.lstrip("+").startswith(RESUME_MAY_CHANGE)]
    if refused:
        raise RunError(
            f"{refused[0]} can't be given with resume={cfg.resume}: a resumed run keeps its own configuration "
            f"(you may give trainer=..., trainer.*=..., trust=..., recipe.epochs=..., {', '.join(sorted(PLACES))})"
        )
    path = Path(cfg.resume) / "config.yaml"
    before = read_whole_config(path)
    saved = OmegaConf.create(escape(before))
    if any(override.startswith("trainer=") for override in asked):
        kept = {key: value for key, value in before["trainer"].items() if not is_free(f"trainer.{key}")}
        dropped = {key: value for key, value in saved.trainer.items() if key not in kept and cfg.trainer.get(key) != value}
        if cfg.trainer.get("precision") == "auto":
            dropped.pop("precision", None)  # a run that goes on keeps it
        if dropped:
            told = ", ".join(f"{key} was {value}" for key, value in dropped.items())
            log.info("resume: the trainer's settings have changed: %s", told)
        saved.trainer = escape({**kept, **plain(cfg.trainer)})
        asked = [override for override in asked if not override.startswith("trainer")]
    for override in asked:
        key = override.lstrip("+").partition("=")[0]
        if not _has_setting(saved, key) and not is_free(key):
            raise RunError(f"{override.lstrip('+')}: the run in {cfg.resume} has no setting {key}")
        OmegaConf.update(saved, key, escape(OmegaConf.select(cfg, key)))
    if found := find_difference({"trainer": before["trainer"]}, {"trainer": plain(saved.trainer)}):
        key, there, here = found
        raise RunError(
            f"{key} is {there} in {cfg.resume}, but {here} here: a run may continue on another machine, but not as another "
            "experiment"
        )
    had, asked_for = before["recipe"].get("epochs"), OmegaConf.select(saved, "recipe.epochs")
    if had != asked_for and not (isinstance(asked_for, int) and asked_for > had):
        raise RunError(f"recipe.epochs={asked_for}: the run in {cfg.resume} has {had} epochs; give more than that")
    saved.resume = escape(cfg.resume)
    return saved


def _list_given_keys() -> list[str]:
    """Of the settings on the command line (or a job's in a sweep) that are not a choice of a group."""
    words = (override.lstrip("+") for override in HydraConfig.get().overrides.task)
    keys = (word.partition("=")[0].partition("@")[0] for word in words if not word.startswith("~"))
    return [key for key in keys if "/" not in key]


def _has_setting(config: DictConfig, key: str) -> bool:
    above, _, name = key.rpartition(".")
    return name in (OmegaConf.select(config, above) or {})


def _resume_or_begin(cfg: DictConfig) -> DictConfig:
    """`resume` becomes the run's directory where that already holds this very run, else None."""
    hydra_config = HydraConfig.get()
    directory = find_run_directory()
    if hydra_config.mode == RunMode.RUN and not is_directory_given():
        raise RunError("resume=auto needs a directory that stays the same: give hydra.run.dir=...")
    path = directory / "config.yaml"
    begun = path.is_file()
    if begun and (found := find_difference(read_config(path), plain(cfg))):
        key, there, here = found
        raise RunError(f"{directory} holds a run of another configuration: {key} is {there} there, but {here} here")
    cfg.resume = escape(str(directory)) if begun else None
    return cfg
