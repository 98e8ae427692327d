"""Evaluators that a run asks without being told: where they fit, for the summary and for the run's directory."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from commands import TINY, lta_run
from experiment_files import composed

from lta.cli.migrate import read_config
from lta.data.batches import Split
from lta.evaluate.answers import Network, answer_all, describe_question, select_possible
from lta.evaluators.classification import Classification
from lta.evaluators.evaluator import NotApplicable
from lta.evaluators.roles import Roles
from lta.instantiate import plain
from lta.models.output import NetworkOutput
from lta.runtime.run_directory import find_difference

HEADING = "where attention lies: density on a role, uniform attention = 1"


def test_one_that_is_asked_for_too_is_asked_once_as_it_was_told(capsys, tmp_path, monkeypatch):
    asked = []
    run = Roles.run
    monkeypatch.setattr(Roles, "run", lambda self, *given: asked.append(self.margin) or run(self, *given))
    told = ("evaluator=roles", "evaluator.roles.margin=0.5")
    ended = lta_run(capsys, [*TINY, *told, f"hydra.run.dir={tmp_path / 'run'}"])
    assert ended.status == 0, ended.err
    assert asked == [0.5]
    assert HEADING in ended.out
    assert ended.out.count("== roles of") == 1
    assert json.loads((tmp_path / "run" / "results.json").read_text())["roles"]["margin"] == 0.5
    again = lta_run(capsys, [f"resume={tmp_path / 'run'}"])
    assert HEADING in again.out, "the summary of a finished run is the same"


def test_none_is_asked_where_there_are_none(capsys, tmp_path):
    ended = lta_run(capsys, [*TINY, "default_evaluators=none", f"hydra.run.dir={tmp_path / 'run'}"])
    assert ended.status == 0, ended.err
    assert HEADING not in ended.out
    assert not (tmp_path / "run" / "evaluations").exists()


class Cannot(Classification):
    def run(self, classifier, data):
        raise NotApplicable("maps are no numbers")


class Stand(torch.nn.Module):
    """A network without maps that says class 1 where a picture is bright."""

    class_names, network = ("a", "b"), SimpleNamespace(levels=())

    def __init__(self):
        super().__init__()
        self.device_tells = torch.nn.Parameter(torch.zeros(()))

    def forward(self, images):
        bright = images[:, 0, 0, 0].float() / 255
        logits = torch.stack([1 - bright, bright], 1)
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


@pytest.fixture
def network_and_data(tmp_path):
    split = Split(np.array([[[[0, 0, 0]]], [[[255, 0, 0]]]], np.uint8), np.array([0, 1]), None, None)
    data = SimpleNamespace(test=split, class_names=("a", "b"), eval_batch_size=2)
    return Network(tmp_path, tmp_path / "last.ckpt"), Stand(), data


def test_only_those_that_fit_are_asked(network_and_data):
    _, classifier, data = network_and_data
    asked = {"roles": Roles(), "classification": Classification()}
    assert list(select_possible(asked, classifier, data)) == ["classification"]


def test_an_answer_that_nobody_asked_for_and_that_cannot_be_given_is_left_out_and_said(network_and_data, capsys):
    network, classifier, data = network_and_data
    question = describe_question(network, 3, {"_target_": "lta.data.X", "batch_size": 8})
    given = {"cannot": Cannot(), "classification": Classification()}
    found = answer_all(network, given, classifier, data, question, silent=given)
    assert list(found) == ["classification"]
    assert capsys.readouterr().out == f"left out: cannot of {network.directory}: maps are no numbers\n"
    written = json.loads((network.directory / "evaluations" / "classification.json").read_text())
    assert written["question"]["epoch"] == 3
    with pytest.raises(NotApplicable):
        answer_all(network, given, classifier, data, question)


def test_a_run_from_before_there_was_the_setting_is_the_same_run(tmp_path):
    config = plain(composed("data=digit_scenes")[0])
    before = {key: value for key, value in config.items() if key != "default_evaluators"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(before))
    assert find_difference(read_config(tmp_path / "config.yaml"), config) is None
    assert find_difference(read_config(tmp_path / "config.yaml"), {**config, "default_evaluators": {}}) is not None
