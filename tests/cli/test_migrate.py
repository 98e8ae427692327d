"""A configuration or checkpoint of an older version is read as if today's had written it."""

import copy
import hashlib
import inspect

import hydra
import numpy as np
import pytest
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from networks import composed
from old_runs import CHECKPOINTS, RUNS, read_recorded
from omegaconf import OmegaConf

import lta
from lta.cli.migrate import ADDED, MOVED, migrate_config, read_config
from lta.cli.plugins import CONF
from lta.inference.checkpoint import read_checkpoint
from lta.instantiate import build, plain
from lta.report.runs import read_runs
from lta.runtime.run_directory import find_difference
from lta.sweep.records import config_of

RECORDED = read_recorded("compositions")


def old_config(words):
    """What 051d123 composed from this command line."""
    return {part: copy.deepcopy(RECORDED["nodes"][number]) for part, number in RECORDED["commands"][words].items()}


def compose(words):
    """What is composed from it today, resolved as a run saves it."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("config", words.split(), return_hydra_config=True)
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(cfg)  # the loggers' names of what was chosen
    try:
        return plain(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]))
    finally:
        HydraConfig.instance().cfg = before


def find_targets(node):
    """The parts that name a function or class, as they stand."""
    if isinstance(node, dict):
        yield from (node,) if "_target_" in node else ()
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from find_targets(part)


def choose_commands():
    """All; fast are those that between them name every function and class that any of them names."""
    seen = set()
    for words in sorted(RECORDED["commands"], key=lambda words: "evaluator" not in words):
        named = {part["_target_"] for part in find_targets(old_config(words))}
        yield pytest.param(words, marks=() if named - seen else pytest.mark.slow)
        seen |= named


@pytest.mark.parametrize("words", list(choose_commands()))
def test_the_same_command_is_the_same_run(words):
    before = {"data.split=order", "data.nested=true", "data.on_shared=allow"} if "image_folder" in words else set()
    assert find_difference(migrate_config(old_config(words)), compose(" ".join([words, *before]))) is None


def test_what_an_old_run_names_is_there_and_takes_its_keywords():
    for node in find_targets(migrate_config({"nodes": RECORDED["nodes"]})):
        keywords = {key: None for key in node if key not in ("_target_", "_partial_")}
        inspect.signature(hydra.utils.get_object(node["_target_"])).bind_partial(**keywords)


def test_a_moved_name_leads_to_one_that_has_not_moved_again():
    assert not set(MOVED) & set(MOVED.values())
    for name in MOVED.values():
        assert callable(hydra.utils.get_object(name))


def test_the_given_configuration_is_kept():
    before = old_config("logger=tensorboard")
    given = copy.deepcopy(before)
    assert migrate_config(given)["logger"]["tensorboard"]["_target_"] == "lta.loggers.tensorboard.tensorboard_logger"
    assert given == before


def test_todays_configuration_stays_as_it_is():
    config = compose("logger=[wandb,tensorboard]")
    assert migrate_config(config) == config


READERS = {
    "resume": lambda run: read_config(run / "config.yaml"),
    "sweep": config_of,
    "checkpoint": lambda run: read_checkpoint(run / "checkpoints" / "last.ckpt")["hyper_parameters"]["config"],
    "report": lambda run: read_runs([run])[0][0].config,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_whoever_reads_an_old_configuration_reads_it_as_todays(reader):
    run = RUNS / "finished_wandb"
    assert reader(run)["logger"]["wandb"]["_target_"] == "lta.loggers.wandb_run.wandb_logger"
    assert reader(run) == migrate_config(yaml.safe_load((run / "config.yaml").read_text()))


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.relative_to(RUNS).as_posix())
def test_old_checkpoints_give_the_logits_that_they_gave(path):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8))
    with torch.inference_mode():
        logits = lta.load(path)(images).logits
    recorded = torch.tensor(read_recorded("logits")[path.relative_to(RUNS).as_posix()])
    torch.testing.assert_close(logits, recorded, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("words", read_recorded("layouts"))
def test_networks_have_the_weights_that_old_checkpoints_name(words):
    with torch.device("meta"):
        network = build(composed(*words.split()).model)(num_classes=10)
    lines = sorted(f"{name} {tuple(value.shape)} {value.dtype}" for name, value in network.state_dict().items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == read_recorded("layouts")[words]


def test_the_gate_is_asked_about_what_a_name_has_become(tmp_path):
    """A logger is no part of a network, under its old name no more than under its new one."""
    content = torch.load(CHECKPOINTS[0], weights_only=True)
    content["hyper_parameters"]["config"]["preprocess"]["_target_"] = "lta.callbacks.wandb_run.wandb_logger"
    torch.save(content, tmp_path / "sent.ckpt")
    with pytest.raises(ValueError, match=r"asks for lta\.loggers\.wandb_run\.wandb_logger \(preprocess\): no conf"):
        read_checkpoint(tmp_path / "sent.ckpt")


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "while parsing a flow node"), ("- a", "it holds no settings"), ("", "it holds no settings")],
)
def test_a_broken_configuration_is_said_in_one_line(text, says, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path} can't be read: ")
    assert "\n" not in str(caught.value)


def test_a_saved_configuration_is_read_as_it_was_written(tmp_path):
    """YAML 1.1 of the standard library writes and reads it: `1e-4` in quotes or not is the same text."""
    config = {"loss": {}, "recipe": {"lr": 1e-5, "name": "1e-4"}, "model": {"levels": ["A"]}, "resume": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert read_config(tmp_path / "config.yaml") == config | ADDED


def test_a_run_begun_before_it_ends_where_it_diverges_as_a_new_one():
    old = {"callbacks": {"bar": None, "epoch_log": {"a": 1}, "best_checkpoint": {"b": 2}}}
    assert list(migrate_config(old)["callbacks"]) == ["bar", "epoch_log", "divergence", "best_checkpoint"]
    off = {"callbacks": {"epoch_log": {"a": 1}, "divergence": None}}
    assert migrate_config(off)["callbacks"] == off["callbacks"]
