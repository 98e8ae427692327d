"""The report as one HTML file and as Markdown: what is said stands here, how it looks in templates/."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lta.report import plots
from lta.report.answers import Table, build_tables
from lta.report.dots import draw_dots
from lta.report.forest import draw_forest
from lta.report.formatting import (
    cite_runs,
    compute_cost,
    describe_answer,
    describe_code,
    describe_run,
    escape_markdown,
    format_cell,
    format_interval,
    format_published,
    format_setting,
    format_spread,
    join_commands,
    name_checkpoint,
    title_deviations,
)
from lta.report.fronts import RULE as FRONTS_RULE
from lta.report.fronts import Front, draw_front, find_fronts
from lta.report.groups import Group, find_differences, find_most_common, select_best_recipes
from lta.report.names import Names
from lta.report.pairs import RULE as PAIRS_RULE
from lta.report.pairs import Pair, compare_groups, format_difference
from lta.report.panels import build_films, build_sheets
from lta.report.published import TRUST, find_published, list_rows, read_paper
from lta.report.runs import LeftOut, Run
from lta.report.unfinished import Unfinished
from lta.report.verdict import RULE
from lta.report.wording import describe_estimate

TEMPLATES = Path(__file__).parent / "templates"

REMARKS = (
    "The example command (model=vgg_att3 compat=pc data=cifar10) is not the 5.23 % row: that is vgg_att2 (pc, concat). For "
    "vgg_att3 on CIFAR-10 the authors recorded 6.45 %.",
    "The published figures are one run each, as far as is known; their spread over seeds is not published.",
)


BESIDE_PAPER, OWN = "Learn To Pay Attention: the paper and our runs", "Our runs"
"""Titles."""


class Numbered(NamedTuple):
    """A run with the number by which figures refer to it."""

    number: int
    run: Run


class Report(NamedTuple):
    """What the templates read."""

    title: str
    command: str
    time: str
    groups: Sequence[Group]
    runs: Sequence[Numbered]
    tables: Sequence[Table]
    pairs: Sequence[Pair]
    left_out: Sequence[LeftOut]
    fronts: Sequence[Front] = ()

    @property
    def is_of_paper(self) -> bool:
        """Whether anything published is of one of the data sets; else the page says nothing of the paper."""
        published = {names.data for names in list_rows()}
        return any(group.names.data in published or any(find_published(group.names)) for group in self.groups)

    @property
    def data_sets(self) -> list[str]:
        """Names of the data sets, each once, in the order of the groups."""
        return list(dict.fromkeys(group.names.data for group in self.groups))

    @property
    def unfinished(self) -> list[Unfinished]:
        """Runs that go on come before those that were stopped."""
        begun = [one.unfinished for one in self.left_out if one.unfinished is not None]
        return sorted(begun, key=lambda one: not one.is_running)

    def groups_of(self, data: str) -> list[Group]:
        """The groups on one data set."""
        return [group for group in self.groups if group.names.data == data]

    def pairs_of(self, data: str) -> list[Pair]:
        """The comparisons on one data set."""
        return [pair for pair in self.pairs if pair.group.names.data == data]


def build_report(
    title: str, command: str, time: str, groups: Sequence[Group], left_out: Sequence[LeftOut], reference: str = ""
) -> Report:
    """`command` and `time`: of the report itself. `title`: "" chooses one by what the report is about. `reference`: what the
    others are compared with, see `pairs.against`."""
    runs = [run for group in groups for run in group.runs]
    numbered = [Numbered(number, run) for number, run in enumerate(runs, 1)]
    pairs = compare_groups(groups, reference)
    made = Report(title, command, time, groups, numbered, build_tables(groups), pairs, left_out, find_fronts(groups))
    return made if title else made._replace(title=BESIDE_PAPER if made.is_of_paper else OWN)


class Drawn(NamedTuple):
    """The charts of one data set, and those of its attention. `lines`: the groups in them, each with its look; `begun`: the
    unfinished runs, likewise."""

    lines: Sequence[tuple[Group, plots.Style]]
    begun: Sequence[tuple[Unfinished, plots.Style]]
    charts: Sequence[plots.Drawing]
    attention: Sequence[plots.Drawing]
    not_drawn: Sequence[Group]


def render_html(made: Report) -> str:
    """The report as one HTML page with its charts and pictures inside."""
    charts, forests, dots = {}, {}, {}
    for data in dict.fromkeys([*made.data_sets, *(one.names.data for one in made.unfinished)]):
        of = made.groups_of(data)
        begun = [one for one in made.unfinished if one.names.data == data and one.history][: plots.LINES // 2]
        shown = plots.select_groups(of, len(begun))
        lines: list[plots.Line] = [*shown, *begun]
        looks = plots.choose_styles(lines)
        drawn = [drawing for chart in plots.list_charts(lines) if (drawing := plots.draw(chart, lines, looks)) is not None]
        not_drawn = [group for group in of if group not in shown]
        attention = [drawing for chart in plots.list_attention_charts(lines) if (drawing := plots.draw(chart, lines, looks))]
        looks, of_begun = looks[: len(shown)], list(zip(begun, looks[len(shown) :], strict=True))
        charts[data] = Drawn(list(zip(shown, looks, strict=True)), of_begun, drawn, attention, not_drawn)
        with plots.use_ink(plots.INK):
            if (figure := draw_forest(made.pairs_of(data))) is not None:
                forests[data] = plots.render_svg(figure)
            if (figure := draw_dots(shown, looks)) is not None:
                dots[data] = plots.render_svg(figure)
    with plots.use_ink(plots.INK):
        fronts = [(front, plots.render_svg(draw_front(front))) for front in made.fronts]
    return _render(
        "report.html.j2",
        made,
        autoescape=True,
        charts=charts,
        forests=forests,
        dots=dots,
        fronts=fronts,
        films=build_films(made.groups),
        sheets=build_sheets(made.groups),
    )


def render_markdown(made: Report) -> str:
    """The report's tables as Markdown."""
    return _render("report.md.j2", made, autoescape=False)


def _render(template: str, made: Report, autoescape: bool, **more: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    numbers = {run.path: number for number, run in made.runs}
    environment.globals |= {
        "asked": lambda evaluator, runs: "\n".join(describe_answer(numbers[run.path], run, evaluator) for run in runs),
        "checkpoint": name_checkpoint,
        "command": join_commands,
        "code": describe_code,
        "deviations_title": title_deviations,
        "first": lambda runs: min(numbers[run.path] for run in runs),
        "cite": lambda runs: cite_runs([numbers[run.path] for run in runs]),
        "traced": lambda runs: "\n".join(describe_run(numbers[run.path], run) for run in runs),
        "cell": format_cell,
        "spread": format_spread,
        "signed": format_difference,
        "interval": format_interval,
        "cost": compute_cost,
        "figures": format_published,
        "in_words": describe_estimate,
        "text": format_setting,
    }
    environment.filters["cells"] = lambda value: escape_markdown(str(value))
    return environment.get_template(template).render(
        report=made,
        paper=read_paper(),
        trust=TRUST,
        rule=RULE,
        pairs_rule=PAIRS_RULE,
        fronts_rule=FRONTS_RULE,
        remarks=REMARKS,
        published_rows=_build_published_rows(made.groups),
        best=_describe_best(made.groups),
        tables=made.tables,
        differences=_tabulate_differences(made.groups),
        usual=find_most_common,
        **more,
    )


def _build_published_rows(groups: Sequence[Group]) -> Mapping[str, Sequence[tuple[Names, Any, Sequence[Group]]]]:
    """By data set each network that somebody published or that we ran, with the published figures and our groups."""
    ran = dict.fromkeys(group.names for group in groups)
    shown = [figures for names in ran if (figures := find_published(names))]
    not_run = [
        names for names in list_rows() if names.data in {one.data for one in ran} and find_published(names) not in shown
    ]
    order = not_run + list(ran)
    found: dict[str, list[tuple[Names, Any, Sequence[Group]]]] = {}
    for names in sorted(dict.fromkeys(order), key=lambda names: names.data):
        found.setdefault(names.data, []).append(
            (names, find_published(names), [group for group in groups if group.names == names])
        )
    return found


def _describe_best(groups: Sequence[Group]) -> Mapping[tuple[str, str], str]:
    """By data and label of the groups whose recipe is the best of their network's: what is said of them."""
    return {
        (one.names.data, one.label): f"best recipe by val error, {one.val_error:.2f}" for one in select_best_recipes(groups)
    }


def _tabulate_differences(groups: Sequence[Group]) -> Mapping[str, tuple[Sequence[Group], Mapping[str, Sequence[Any]]]]:
    """By data set the settings in which its groups differ."""
    found = {}
    for data in dict.fromkeys(group.names.data for group in groups):
        of = [group for group in groups if group.names.data == data]
        if table := find_differences(of):
            found[data] = (of, table)
    return found
