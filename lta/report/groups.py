"""Runs that differ by their seed only, as one line of the report: what they say together, and what sets them apart."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lta.report.deviations import Deviation, find_deviations
from lta.report.names import Names, shorten_target
from lta.report.published import Published, find_published
from lta.report.runs import LeftOut, Run
from lta.report.statistics import Summary, summarise_values
from lta.report.verdict import Verdict, judge_reproduction
from lta.runtime.run_directory import is_free, spell_out_image_size

PARTS = ("model", "data", "preprocess", "augment", "recipe", "loss", "test_checkpoint")
"""What decides about the error; `compat`, `head` and `schedule` stand in these too. The rest is where it ran and logged."""

ELSEWHERE = {"data.seed", "data.root", "data.download", "data.cache", "data.eval_batch_size", "preprocess.cache"}
"""What of these may differ between seeds or machines."""

TWICE = {"loss.label_smoothing"}
"""What another of them says: the recipe."""

FOLDERS = ("ImageFolder", "MaskFolder", "BoxFolder")
"""Data of the user's own: another root is other data."""

RECIPE = ("recipe.", "loss.", "augment.", "preprocess.", "trainer.", "data.batch_size", "precision")
"""What a recipe is made of: two groups that differ in these only are the same question, trained in two ways."""

TIE = object()
"""No value is the usual one."""


class Group(NamedTuple):
    """`label` tells it from the others of the report; `val_error` is the mean after the last epoch, None without val set."""

    names: Names
    label: str
    settings: Mapping[str, Any]
    runs: Sequence[Run]
    summary: Summary
    val_error: float | None
    deviations: Sequence[Deviation]
    published: Published
    verdict: Verdict


def group_runs(runs: Sequence[Run]) -> tuple[list[Group], list[LeftOut]]:
    """Groups by data set, model and settings; of a configuration with one seed the newest run counts."""
    found: dict[str, dict[Any, Run]] = {}
    left_out = []
    for run in sorted(runs, key=lambda run: str(run.starts[0].get("time", "")) if run.starts else ""):
        try:  # a configuration of another program, or changed by hand, may hold anything
            find_deviations(run, run.names)
            key = json.dumps(settings_of(run), sort_keys=True, default=str)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            left_out.append(LeftOut(run.path, f"its config.yaml is none of lta's: {error}"))
            continue
        of = found.setdefault(key, {})
        which = ("not seeded", str(run.path)) if run.seed is None else ("seed", run.seed)
        if which in of:
            left_out.append(LeftOut(of[which].path, f"the same configuration and seed ({run.seed}) as the newer {run.path}"))
        of[which] = run
    members = [[of[which] for which in sorted(of)] for of in found.values()]
    labels = _make_labels(members)
    groups = [_build_group(of, label) for of, label in zip(members, labels, strict=True)]
    return sorted(groups, key=lambda group: (group.names.data, str(group.names), group.label)), left_out


def settings_of(run: Run) -> dict[str, Any]:
    """By dotted name."""
    config = spell_out_image_size(run.config)
    leaves = {name: value for part in PARTS if part in config for name, value in _leaves(config[part], part)}
    apart = ELSEWHERE - {"data.root"} if shorten_target(run.config["data"].get("_target_")) in FOLDERS else ELSEWHERE
    apart = apart | TWICE
    leaves = {name: value for name, value in leaves.items() if name not in apart and not name.endswith("_partial_")}
    trainer = {f"trainer.{name}": value for name, value in (run.config.get("trainer") or {}).items()}
    trainer = {name: value for name, value in trainer.items() if not is_free(name)}
    seen = {name: run.results[name] for name in ("coding", "precision", "test_images") if run.results.get(name)}
    return leaves | trainer | seen


def find_differences(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """Settings whose values differ, with a value a group; None where a group does not have it."""
    names = dict.fromkeys(name for group in groups for name in group.settings)
    table = {name: [group.settings.get(name) for group in groups] for name in names}
    return {name: values for name, values in table.items() if len({_key(value) for value in values}) > 1}


def find_most_common(values: Sequence[Any]) -> Any:
    """The most frequent of them; TIE where several are."""
    (most, count), *others = Counter(map(_key, values)).most_common(2)
    return TIE if others and others[0][1] == count else next(value for value in values if _key(value) == most)


def select_best_recipes(groups: Sequence[Group]) -> list[Group]:
    """Of groups that differ in their recipe only, each by as many seeds, the one of least validation error.

    None of them where one has no validation error: the test set would choose.
    """
    alike: dict[str, list[Group]] = {}
    for group in groups:
        question = {name: value for name, value in group.settings.items() if not name.startswith(RECIPE)}
        alike.setdefault(_key([group.names, question]), []).append(group)
    return [
        min(of, key=lambda group: group.val_error or 0.0)
        for of in alike.values()
        if len(of) > 1 and len({group.summary.n for group in of}) == 1 and all(group.val_error is not None for group in of)
    ]


def _build_group(runs: Sequence[Run], label: str) -> Group:
    first = runs[0]
    names = first.names
    errors = summarise_values([run.error for run in runs])
    found, figures = find_deviations(first, names), find_published(names)
    last = [run.val_error for run in runs if run.val_error is not None]
    val_error = sum(last) / len(last) if len(last) == len(runs) else None
    return Group(
        names, label, settings_of(first), runs, errors, val_error, found, figures, judge_reproduction(errors, figures, found)
    )


def _make_labels(members: Sequence[Sequence[Run]]) -> list[str]:
    """The network's name, followed by the settings in which it differs from most of its name."""
    all_settings = [settings_of(runs[0]) for runs in members]
    all_names = [runs[0].names for runs in members]
    differing: dict[Names, dict[str, Any]] = {}
    for names in set(all_names):
        others = [one for one, of in zip(all_settings, all_names, strict=True) if of == names]
        columns = {
            setting: [one.get(setting) for one in others] for setting in dict.fromkeys(s for one in others for s in one)
        }
        differing[names] = {
            setting: find_most_common(values)
            for setting, values in columns.items()
            if any(value != values[0] for value in values) and len({_key(value) for value in values}) > 1
        }
    labels = []
    for names, own in zip(all_names, all_settings, strict=True):
        said = [
            words
            for setting, most in differing[names].items()
            if (most is TIE or _key(own.get(setting)) != _key(most))
            and (words := _describe_setting(setting, own.get(setting), most))
        ]
        labels.append(", ".join([str(names), *said[:4], *(["..."] if len(said) > 4 else [])]))
    keys = [(names.data, label) for names, label in zip(all_names, labels, strict=True)]
    repeated = Counter(keys)
    counts: Counter[tuple[str, str]] = Counter()
    for place, key in enumerate(keys):
        if repeated[key] > 1:
            counts[key] += 1
            labels[place] = f"{labels[place]} #{counts[key]}"
    return labels


def _describe_setting(setting: str, value: Any, most: Any) -> str:
    """Where as many have a switch on as off, by its name where it is on."""
    if most is TIE and isinstance(value, bool):
        return _shorten_setting(setting) if value else ""
    return f"{_shorten_setting(setting)}={_format_value(value)}"


def _shorten_setting(setting: str) -> str:
    """A setting by its last name, a class by its part's: `preprocess._target_` is `preprocess`."""
    return setting.removesuffix("._target_").rpartition(".")[2]


def _format_value(value: Any) -> str:
    return shorten_target(value) if isinstance(value, str) and value.startswith("lta.") else str(value)


def _leaves(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{prefix}.{key}")
    else:
        yield prefix, node


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
