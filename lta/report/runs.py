"""Run directories, read as files: what is whole enough to be reported, and why the rest is not."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lta.cli.migrate import migrate_config
from lta.report.files import Unusable, read_json_mapping, read_yaml_mapping
from lta.report.history import clean_history, is_number
from lta.report.names import Names, names_of
from lta.report.places import list_files, walk_folders
from lta.report.unfinished import Unfinished, read_unfinished
from lta.runtime.run_directory import describe_divergence

MARKS = ("config.yaml", "run.json")
"""What lies in a run's directory from its start on."""

PARTS = ("checkpoints", "evaluations", "wandb")
"""Folders of a run in which no other run is looked for."""


class Run(NamedTuple):
    """`results`, `starts` and `answers` as the run and lta.evaluate wrote them; `history` has a mapping an epoch."""

    path: Path
    config: Mapping[str, Any]
    results: Mapping[str, Any]
    starts: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, float]]
    answers: Mapping[str, Mapping[str, Any]]
    panels: Sequence[Path]

    @property
    def choices(self) -> Mapping[str, Any]:
        """By group of conf/, what was chosen when it began; {} of versions that did not record it."""
        return self.starts[0].get("choices", {}) if self.starts else {}

    @property
    def names(self) -> Names:
        return names_of(self.config, self.choices)

    @property
    def seed(self) -> int | None:
        return self.config.get("seed")

    @property
    def error(self) -> float:
        return float(self.results["test"]["error"])

    @property
    def val_error(self) -> float | None:
        """After the last epoch; None without a validation set."""
        last = self.history[-1] if self.history else {}
        return float(last["val/error"]) if "val/error" in last else None


class LeftOut(NamedTuple):
    """What is missing from the report: a whole run, or a part of one. `unfinished`: the run, where it has curves so far."""

    path: Path
    reason: str
    unfinished: Unfinished | None = None


class NotFinished(Unusable):
    """With what there is of the run."""

    def __init__(self, reason: str, unfinished: Unfinished | None):
        super().__init__(reason)
        self.unfinished = unfinished


def read_runs(places: Sequence[Path]) -> tuple[list[Run], list[LeftOut]]:
    """All runs at or below `places`, each once, in the order of their paths, and what had to be left out.

    Runs are not looked for inside runs. A folder that is none, but has a run.json, is named; so is one with a config.yaml,
    unless there are runs below it. Raises ValueError where a place does not exist.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    seen: set[tuple[int, int]] = set()
    for place in places:
        if not place.exists():
            raise ValueError(f"{place} does not exist; give run directories, or folders that hold some")
        found, notes, again = _find_runs_below(place, seen)
        runs += sorted(found, key=lambda run: run.path)
        left_out += sorted(notes, key=lambda one: one.path)
        if not found and not notes and not any(map(_holds_one_of([*runs, *left_out]), again)):
            left_out.append(LeftOut(place, f"no run: neither it nor a folder below it has a {' or '.join(MARKS)}"))
    return runs, left_out


def holds_marks(folder: Path) -> bool:
    """Whether it is, or may have been meant as, the directory of a run."""
    return any((folder / name).exists() for name in MARKS)


def _holds_one_of(known: Sequence[Run | LeftOut]) -> Callable[[Path], bool]:
    """Of real folders."""
    real = [one.path.resolve() for one in known]
    return {above for path in real for above in (path, *path.parents)}.__contains__


def _find_runs_below(place: Path, seen: set[tuple[int, int]]) -> tuple[list[Run], list[LeftOut], list[Path]]:
    """The last are folders, by their real paths, that have been gone through before."""
    runs: list[Run] = []
    begun: list[LeftOut] = []
    others: list[LeftOut] = []
    notes: list[LeftOut] = []
    again: list[Path] = []
    unread: list[tuple[Path, OSError]] = []
    for folder, files, below in walk_folders(place, seen, unread):
        if files is None:
            again.append(folder.resolve())
            continue
        if files.isdisjoint(MARKS):
            continue
        try:
            run, missing = _read_run(folder, files)
        except Unusable as why:
            unfinished = why.unfinished if isinstance(why, NotFinished) else None
            (begun if "run.json" in files else others).append(LeftOut(folder, str(why), unfinished))
            if "run.json" in files:
                below[:] = [name for name in below if name not in PARTS]
        else:
            below.clear()
            runs.append(run)
            notes += [LeftOut(folder, reason) for reason in missing]
    notes += [LeftOut(path, f"can't be read: {error.strerror}") for path, error in unread]
    over = {above for path in [run.path for run in runs] + [one.path for one in begun] for above in path.parents}
    return runs, [*notes, *begun, *(one for one in others if one.path not in over)], again


def _read_run(directory: Path, files: set[str]) -> tuple[Run, list[str]]:
    """Raises Unusable where `directory` is no run that could be reported."""
    missing: list[str] = []
    config = migrate_config(read_yaml_mapping(directory / "config.yaml"))
    if "results.json" not in files:
        if "run.json" not in files:
            raise Unusable("no run, or one that never began: it has a config.yaml, but no run.json and no results.json")
        unfinished, progress = read_unfinished(directory, config)
        raise NotFinished(progress, unfinished)
    results = read_json_mapping(directory / "results.json")
    if why := describe_divergence(results):
        raise Unusable(f"in no figure: {why}")
    error = results.get("test", {}).get("error") if isinstance(results.get("test"), dict) else None
    if not is_number(error) or not 0 <= error <= 100:
        why = "another version wrote it, or the run was not tested"
        raise Unusable(f"results.json has no test error (test.error is {error!r}): {why}")
    for part in ("model", "data", "recipe"):
        if not isinstance(config.get(part), dict):
            raise Unusable(f"config.yaml has no {part}: another version wrote it")
    seed = config.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise Unusable(f"config.yaml has the seed {seed!r}: lta's are whole numbers, at least 0, or null")
    starts: Sequence[Mapping[str, Any]] = []
    try:
        starts = [_parse_start(start) for start in read_json_mapping(directory / "run.json")["starts"]]
    except (Unusable, AttributeError, KeyError, TypeError, ValueError):
        missing.append("its run.json can't be read: command and commit are unknown")
    history, changed = clean_history(results.get("history"))
    answers, unread = _read_answers(directory / "evaluations")
    panels: list[Path] = []
    try:
        panels = [directory / "attention" / name for name in list_files(directory / "attention") if _is_panel(name)]
    except OSError as why:
        unread.append(f"attention/ can't be read: {why.strerror}")
    return Run(directory, config, results, starts, history, answers, panels), [*missing, *changed, *unread]


def _read_answers(folder: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """By evaluator; and what can't be read of them."""
    answers, unread = {}, []
    try:
        names = [name for name in list_files(folder) if name.endswith(".json")]
    except OSError as why:
        return {}, [f"evaluations/ can't be read: {why.strerror}"]
    for name in names:
        try:
            answer = read_json_mapping(folder / name)
            question = answer["question"]
            of_lta = isinstance(answer["figures"], dict) and isinstance(question.get("settings", {}), dict)
            if not of_lta or not isinstance(question["data"]["_target_"], str):
                raise TypeError
        except (Unusable, AttributeError, KeyError, TypeError):
            unread.append(f"evaluations/{name} can't be read")
        else:
            answers[name.removesuffix(".json")] = answer
    if not answers:
        unread.append("without evaluations: only its training is shown")
    return answers, unread


def _is_panel(name: str) -> bool:
    epoch = name.removeprefix("epoch_").removesuffix(".png")
    return name == f"epoch_{epoch}.png" and epoch.isdecimal()


def _parse_start(start: Mapping[str, Any]) -> dict[str, Any]:
    """As begun by lta.run; raises TypeError where it is not."""
    git = start.get("git") or {}
    if not isinstance(start.get("command"), list) or not isinstance(git, dict):
        raise TypeError
    if not isinstance(start.get("choices", {}), dict):
        raise TypeError
    return {**start, "git": {**git, "commit": str(git.get("commit", "unknown"))}}
