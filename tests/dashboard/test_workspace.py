"""The dashboard as W&B's workspace, saved to a stand-in for the server."""

import json
import sys

import processes
import pytest
from wandb_commands import environment
from wandb_server import KEY, Server

pytest.importorskip("wandb_workspaces", reason="needs pip install lta[dashboard]")

from lta.dashboard.panels import SECTIONS, keys
from lta.dashboard.workspace import spec


class Project(Server):
    """Has one project, `lta`, and keeps what is saved."""

    def __init__(self):
        super().__init__()
        self.saved = []

    def graphql(self, query):
        text, variables = query["query"], query.get("variables") or {}
        if "query GetDefaultEntity" in text:
            return {"viewer": {"id": "v", "entity": "somebody"}}
        if "query GetProject" in text:
            about = {"__typename": "Project", "id": "p", "createdAt": "2026-01-01T00:00:00Z", "isBenchmark": False}
            there = about | {"name": "lta", "entityName": variables["entity"], "user": None}
            return {"project": there if variables["name"] == "lta" else None}
        if "mutation UpsertView2" in text:
            self.saved.append(variables)
            return {"upsertView": {"view": {"id": "x", "name": variables["name"]}, "inserted": True}}
        return super().graphql(query)


def command(*arguments, **more):
    return processes.run([sys.executable, "-m", "lta.dashboard", *arguments], env=environment(**more), timeout=120)


def without_ids(value):
    """Panels get random ones."""
    if isinstance(value, dict):
        return {key: without_ids(part) for key, part in value.items() if key not in ("__id__", "id")}
    return [without_ids(part) for part in value] if isinstance(value, list) else value


def test_every_panel_and_key_is_in_what_is_sent():
    text = spec("lta", None, "lta")
    section = json.loads(text)["section"]
    sent = section["panelBankConfig"]["sections"]
    assert [(part["name"], len(part["panels"])) for part in sent] == [(part.name, len(part.panels)) for part in SECTIONS]
    for where, key in keys():
        stored = key.replace(".", ".value.", 1) if "." in key else f"{key}.value"
        assert (stored if where == "config" else key) in text, key


def test_runs_are_grouped_by_sweep_and_setting_and_curves_are_means_over_seeds():
    section = json.loads(spec("lta", None, "lta"))["section"]
    (runs,) = section["runSets"]
    groups = [(group["section"], group["name"]) for group in runs["grouping"]]
    assert groups == [("run", "group"), ("config", "run.value.setting")]
    error = section["panelBankConfig"]["sections"][0]["panels"][0]["config"]
    drawn = {key: error[key] for key in ("metrics", "xAxis", "groupBy", "groupAgg", "groupArea")}
    assert drawn == {
        "metrics": ["val/error"],
        "xAxis": "epoch",
        "groupBy": "run.value.setting",
        "groupAgg": "mean",
        "groupArea": "stddev",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("entity", "owner"), [([], "somebody"), (["entity=team"], "team")])
def test_it_is_saved_as_a_view_of_the_project(entity, owner):
    server = Project()
    ended = command("name=first", *entity, **server.environment)
    server.stop()
    assert ended.returncode == 0, ended.stderr
    (view,) = server.saved
    assert (view["projectName"], view["entityName"], view["displayName"]) == ("lta", owner, "first")
    assert without_ids(json.loads(view["spec"])) == without_ids(json.loads(spec("lta", owner, "first")))
    identity = view["name"].removeprefix("nw-").removesuffix("-v")
    assert ended.stdout == f"saved: {server.url}/{owner}/lta?nw={identity}\n"


@pytest.mark.slow
def test_a_project_that_is_not_there_and_a_server_that_is_not():
    server = Project()
    ended = command("project=nothing", **server.environment)
    server.stop()
    assert server.saved == []
    says = "error: the dashboard was not saved to project=nothing entity=null: Project nothing not found\n"
    assert (ended.returncode, ended.stderr) == (1, says)
    ended = command(WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY=KEY)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: the dashboard was not saved to project=lta entity=null: ")
    assert "127.0.0.1:9" in line


def test_nobody_is_asked_for_a_login(tmp_path):
    ended = command(HOME=str(tmp_path))
    says = "error: the dashboard can't be saved: there is no login: run `wandb login`, or set WANDB_API_KEY\n"
    assert (ended.returncode, ended.stderr) == (1, says)
