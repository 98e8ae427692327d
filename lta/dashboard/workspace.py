"""The dashboard as W&B's own workspace (the optional library wandb-workspaces), and saving it. Imports no torch."""

from functools import partial
from typing import Any

from lta.dashboard import panels as shown
from lta.loggers.wandb_service import ANSWER, NO_LOGIN, NoAnswer, abandon, call_within, has_login, reason

SAVED_WITHIN = 3.0 * ANSWER
"""Seconds for all that the server is asked."""


def spec(project: str, entity: str | None, name: str) -> str:
    """What would be saved, as JSON; asks no server."""
    view = workspace(project, entity or "", name)._to_model()  # there is no public way to it but saving
    return view.spec.model_dump_json(by_alias=True, exclude_none=True)


def save(project: str, entity: str | None, name: str) -> str:
    """Adds it to the project's saved views; returns its address. `entity`: None is the login's own.

    Raises ValueError in one line where there is no login, no such project, or no answer.
    """
    made = partial(workspace, project, name=name)
    made(entity="")  # without the library nobody is asked anything
    if not has_login():
        raise ValueError(f"the dashboard can't be saved: {NO_LOGIN}")
    try:
        return call_within(SAVED_WITHIN, lambda: _save_view(project, entity, made))
    except Exception as error:  # W&B raises one of many things
        abandon()
        why = f"W&B gives {error}" if isinstance(error, NoAnswer) else reason(error)
        raise ValueError(f"the dashboard was not saved to project={project} entity={entity or 'null'}: {why}") from error


def _save_view(project: str, entity: str | None, made: Any) -> str:
    import wandb

    api = wandb.Api(timeout=ANSWER)
    owner = entity or api.default_entity
    if owner is None:
        raise ValueError("the login has no entity of its own: give entity=")
    if not api.project(project, owner).id:
        raise ValueError(f"there is no project {owner}/{project}")
    return made(entity=owner).save().url


def workspace(project: str, entity: str, name: str) -> Any:
    """A `wandb_workspaces.workspaces.Workspace`; raises ValueError where the library is missing."""
    try:
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws
    except ModuleNotFoundError as error:
        raise ValueError("lta.dashboard needs the library wandb-workspaces: pip install lta[dashboard]") from error
    group, setting = shown.GROUPED_BY
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[
            ws.Section(name=section.name, panels=[_panel(panel) for panel in section.panels], is_open=section.is_open)
            for section in shown.SECTIONS
        ],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=100),
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Metric(group), expr.Config(setting)],
            pinned_columns=[
                *(f"config:{_make_config_path(key)}" for key in shown.COLUMNS["config"]),
                *(f"summary:{key}" for key in shown.COLUMNS["summary"]),
            ],
        ),
    )


def _panel(panel: shown.Panel) -> Any:
    from wandb_workspaces.reports import v2 as wr

    over_seeds = {"groupby": wr.Config(shown.SETTING), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    match panel:
        case shown.Curves():
            return wr.LinePlot(
                title=panel.title, x=panel.x, y=list(panel.y), title_x=panel.x_title, log_y=panel.log_y or None, **over_seeds
            )
        case shown.Bars():
            return wr.BarPlot(title=panel.title, metrics=list(panel.figures), **over_seeds)
        case shown.Images():
            axes: dict[str, Any] = {"grid_x_axis": "step", "grid_y_axis": "index"}
            axes = axes if panel.by_step else {"gallery_axis": "run"}
            return wr.MediaBrowser(title=panel.title, media_keys=list(panel.keys), **axes)
        case shown.Table():
            return wr.WeavePanelSummaryTable(table_name=panel.key)
        case shown.Coordinates():
            chosen = [(key.rpartition(".")[2], wr.Config(key)) for key in panel.settings]
            found = [(key, wr.SummaryMetric(key)) for key in panel.figures]
            column = wr.ParallelCoordinatesPlotColumn  # pyright: ignore[reportPrivateImportUsage] documented, not listed
            columns = [column(metric=metric, display_name=name) for name, metric in chosen + found]
            return wr.ParallelCoordinatesPlot(title=panel.title, columns=columns)
        case shown.Differences():
            return wr.RunComparer(diff_only="split")


def _make_config_path(key: str) -> str:
    """W&B keeps each part of a configuration below `value`."""
    part, *rest = key.split(".")
    return ".".join([part, "value", *rest])
