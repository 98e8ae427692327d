"""Run directories and checkpoints that somebody sent: nothing in them is called, written to, downloaded or waited for."""

import contextlib
import copy
import itertools
import os
import pickle
import random
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from commands import assert_refused, lta_run
from hydra.errors import HydraException
from networks import composed
from PIL import Image
from untrained_run import untrained_run

from lta.apply.__main__ import apply
from lta.cli import saved
from lta.cli.migrate import read_config
from lta.demo.__main__ import demo
from lta.evaluate.__main__ import evaluate
from lta.export.__main__ import export
from lta.inference.checkpoint import BrokenCheckpoint, Checkpoint, read_checkpoint, restore_classifier
from lta.instantiate import build, build_each, plain
from lta.loggers.reopen import reopen_session
from lta.predict.__main__ import predict
from lta.report.runs import read_runs
from lta.sweep.records import config_of
from lta.training.checkpoint_io import DIGEST, add_digest

CALLS = {
    "os.system": {"command": "touch ran"},
    "posix.system": {"command": "touch ran"},
    "os.mkdir": {"path": "ran"},
    "os.path.os.mkdir": {"path": "ran"},
    "subprocess.run": {"args": ["touch", "ran"]},
    "subprocess.Popen": {"args": ["touch", "ran"]},
    "builtins.open": {"file": "ran", "mode": "w"},
    "io.open": {"file": "ran", "mode": "w"},
    "builtins.eval": {"_args_": ["open('ran', 'w')"]},
    "builtins.exec": {"_args_": ["open('ran', 'w')"]},
    "pathlib.Path.touch": {"self": {"_target_": "pathlib.Path", "_args_": ["ran"]}},
    "importlib.import_module": {"name": "sent_module"},
    "runpy.run_path": {"path_name": "sent_module.py"},
    "sent_module.touch": {},
    "torch.load": {"f": "sent.pickle", "weights_only": False},
    "torch.serialization.load": {"f": "sent.pickle", "weights_only": False},
    "torch.hub.load": {"repo_or_dir": ".", "model": "touch", "source": "local"},
    "torch.save": {"obj": 1, "f": "ran"},
    "joblib.load": {"filename": "sent.pickle"},
    "numpy.load": {"file": "sent.pickle", "allow_pickle": True},
    "numpy.save": {"file": "ran", "arr": [1]},
    "pickle.load": {"file": {"_target_": "builtins.open", "file": "sent.pickle", "mode": "rb"}},
    "shutil.copy": {"src": "sent.pickle", "dst": "ran"},
    "hydra.utils.call": {"config": {"_target_": "os.mkdir", "path": "ran"}},
    "hydra.utils.instantiate": {"config": {"_target_": "os.mkdir", "path": "ran"}},
    "hydra.utils.get_method": {"path": "sent_module.touch"},
    "lta.instantiate.build": {"node": {"_target_": "os.mkdir", "path": "ran"}},
    "lta.runtime.files.write_text": {"path": "ran", "text": "x"},
    "lta.inference.checkpoint.torch.load": {"f": "sent.pickle", "weights_only": False},
    "lta.load": {"path": "sent.ckpt", "trust": ["sent_module.touch"]},
    "lta.inference.checkpoint.load": {"path": "sent.ckpt", "config_dir": "."},
    "lta.loggers.wandb_run.wandb_logger": {"directory": "ran", "mode": "offline"},
    "lta.training.trainer.build_trainer": {"directory": "ran", "epochs": 1},
    " os.mkdir": {"path": "ran"},
    "os.mkdir ": {"path": "ran"},
    "os..mkdir": {"path": "ran"},
    "OS.mkdir": {"path": "ran"},
    "${oc.create:{_target_:os.mkdir,path:ran}}": {},
}
"""Each would leave something called `ran`, if it were called."""

PLACES = {
    "itself": lambda node, call: call,
    "its argument": lambda node, call: {**node, "extra": call},
    "deep inside": lambda node, call: {**node, "a": {"b": [{"c": call}]}},
    "partial": lambda node, call: {**call, "_partial_": True},
    "a positional argument": lambda node, call: {**node, "_args_": [call]},
    "not recursive": lambda node, call: {**node, "_recursive_": False, "extra": call},
    "in the name of a group": lambda node, call: {**node, "callbacks": {"x": call}},
    "in the name of a logger": lambda node, call: {**node, "logger": call},
    "in the name of an evaluator": lambda node, call: {**node, "evaluator": {"load": call}},
}

HARMLESS = {
    ("logger", "lta.loggers.wandb_run.wandb_logger"),
    ("trainer", "lta.training.trainer.build_trainer"),
}
"""Each is what belongs there; the directory is the command's."""

GROUPS = (*saved.PARTS, "trainer", *saved.NESTS)


class Touch:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """A run directory as lta writes it, with code and pickles in it."""
    run = untrained_run(tmp_path_factory.mktemp("sent") / "run", names="{}")
    cfg = composed("experiment=quickstart", "trainer=cpu", "evaluator=[robustness,transfer]", "logger=none")
    config = {key: plain(cfg[key]) for key in GROUPS} | {"seed": 0, "test_each_epoch": False, "test_checkpoint": "last"}
    config["logger"] = {"wandb": {"_target_": "lta.loggers.wandb_run.wandb_logger", "project": "lta", "mode": "offline"}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "run.json").write_text('{"starts": []}')
    (run / "sent_module.py").write_text("import os\ndef touch(**_): os.mkdir('ran')\nos.mkdir('ran')\n")
    (run / "hubconf.py").write_text("import os\ndef touch(**_): os.mkdir('ran')\n")
    (run / "sent.pickle").write_bytes(pickle.dumps(Touch()))
    (run / "x.yaml").write_text("_target_: sent_module.touch\n")
    return run


@pytest.fixture
def inside(sent, monkeypatch):
    """The folder that everything happens in; what ran is told by what lies in there."""
    monkeypatch.chdir(sent)
    monkeypatch.syspath_prepend(str(sent))  # as `python -m` with the folder as current directory would have it
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    yield sent
    for name in ("ran", "ran.npy"):
        assert not (sent / name).exists()
    (sent / "sent.ckpt").unlink(missing_ok=True)


def build_all(config, directory):
    """As lta.run does."""
    build(config["model"])(num_classes=10)
    for part in saved.PARTS[1:]:
        build(config[part])
    for nest in ("callbacks", "evaluator", "default_evaluators"):
        build_each(config[nest])
    for node in config["logger"].values():
        build(node, directory=directory)
    build(config["trainer"], epochs=1, directory=directory)


def with_call(config, group, place, call):
    node = config[group]
    if group in saved.NESTS:
        name = next(iter(node), "x")
        return {**config, group: {**node, name: PLACES[place](node.get(name) or {}, call)}}
    return {**config, group: PLACES[place](node, call)}


CASES = list(itertools.product(GROUPS, PLACES))


@pytest.mark.parametrize(("group", "place"), CASES)
def test_a_configuration_calls_nothing_foreign(inside, group, place, tmp_path):
    """Of 11 groups in 9 places each, every call is tried as a checkpoint's, every third as a config.yaml: 3,300 in all."""
    ours = yaml.load((inside / "config.yaml").read_text(), yaml.CSafeLoader)
    for number, (target, arguments) in enumerate(CALLS.items(), CASES.index((group, place))):
        config = with_call(ours, group, place, {"_target_": target, **arguments})
        if number % 3 == 0 and ((group, target) not in HARMLESS or place not in ("itself", "partial")):
            (tmp_path / "config.yaml").write_text(yaml.dump(copy.deepcopy(config), Dumper=yaml.CSafeDumper))
            with pytest.raises((ValueError, HydraException)):
                build_all(saved.read_whole_config(tmp_path / "config.yaml"), str(tmp_path))
        if group in saved.PARTS:
            with pytest.raises(ValueError, match=r"sent\.ckpt"):
                saved.accept_config({key: config[key] for key in (*saved.PARTS, "seed")}, "sent.ckpt")
        assert not (inside / "ran").exists(), target
    assert "sent_module" not in sys.modules


def write_checkpoint(file, part, node):
    content = torch.load("checkpoints/last.ckpt", weights_only=True)
    content["hyper_parameters"]["config"][part] = node
    torch.save(add_digest(content), file)


def call():
    return {"_target_": "sent_module.touch"}


COMMANDS = {
    "run": (["resume=."],),
    "evaluate": (["evaluator=classification"], evaluate, "evaluate"),
    "evaluate other data": (["evaluator=classification", "data=digit_pairs"], evaluate, "evaluate"),
    "apply": (["images=pictures/a.png", "effect=blurout", "out=made"], apply, "apply"),
    "predict": (["images=pictures", "out=made"], predict, "predict"),
    "export": (["out=made.onnx"], export, "export"),
    "demo": (["open=false"], demo, "demo"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["config.yaml", "checkpoint", ".hydra"])
def test_commands_refuse_in_one_line(inside, capsys, command, place, tmp_path, monkeypatch):
    run = shutil.copytree(inside, tmp_path / "run")
    monkeypatch.chdir(run)
    (run / "pictures").mkdir()
    Image.new("RGB", (40, 40)).save(run / "pictures" / "a.png")
    config = yaml.safe_load((run / "config.yaml").read_text())
    evil = {
        **config,
        "model": {**config["model"], "x": call()},
        "logger": {"wandb": {**config["logger"]["wandb"], "x": call()}},
    }
    if place == "config.yaml":
        (run / "config.yaml").write_text(yaml.safe_dump(evil))
    elif place == "checkpoint":
        write_checkpoint(run / "checkpoints" / "last.ckpt", "preprocess", {**config["preprocess"], "x": call()})
    else:
        (run / ".hydra").mkdir()
        for name in ("config.yaml", "hydra.yaml", "overrides.yaml"):
            (run / ".hydra" / name).write_text(yaml.safe_dump({**evil, "hydra": {"callbacks": {"x": call()}}}))
        (run / ".hydra" / "config.pickle").write_bytes(pickle.dumps(Touch()))
    arguments, *task = COMMANDS[command]
    if place == "checkpoint" or (place, command) == ("config.yaml", "run"):
        given = [] if command == "run" else ["checkpoint=."]
        ended = lta_run(capsys, [*given, *arguments], *task)
        assert_refused(ended, "asks for sent_module.touch")
    elif command == "evaluate" and place == "config.yaml":
        assert lta_run(capsys, ["checkpoint=.", "wandb=false", *arguments], *task).status == 0, "it builds nothing of it"
    assert not (run / "ran").exists()


@pytest.mark.parametrize(
    "flags", [["--experimental-rerun", "sent.pickle"], ["-cp", "."], ["--config-path", "."], ["--config-path=."]]
)
def test_flags_by_which_hydra_itself_would_call_what_was_sent(inside, capsys, flags):
    assert_refused(lta_run(capsys, flags), f"{flags[0].partition('=')[0]} is not supported: ")


# Arguments of what may be called.


@pytest.mark.parametrize("part", ["data", "preprocess"])
def test_a_folder_to_write_to_and_downloads_are_the_users_own(inside, part, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(inside / "own"))
    cifar = {"_target_": "lta.data.cifar.CIFAR", "name": "cifar10", "root": "ran", "cache": "ran", "download": True}
    yuv = {"_target_": "lta.transforms.yuv_lcn.YuvLcn", "cache": "ran"}
    node = {"data": cifar, "preprocess": yuv}[part]
    write_checkpoint("sent.ckpt", part, node)
    content = read_checkpoint("sent.ckpt")
    if part == "data":
        data = build(saved.withhold_places(content["hyper_parameters"]["config"]["data"], "data", "sent.ckpt"))
        assert (data.cache, data.download) == (None, False)
        with pytest.raises(ValueError, match=r"data\.download=false"):
            data.prepare_data()
    else:
        weights = {name: value for name, value in content["state_dict"].items() if not name.startswith("preprocess.")}
        weights |= {f"preprocess.{name}": torch.ones(2) for name in ("mean", "std")}
        built = restore_classifier(Checkpoint(inside / "sent.ckpt", {**content, "state_dict": weights}))
        assert built.preprocess.folder == inside / "own" / "lta"
    config = yaml.safe_load(Path("config.yaml").read_text()) | {part: node}
    Path("sent.yaml").write_text(yaml.safe_dump(config))
    assert saved.read_whole_config(Path("sent.yaml"))[part]["cache"] is None
    assert not saved.read_whole_config(Path("sent.yaml"))[part].get("download")
    assert saved.withhold_places({"cache": "off", "download": False}, "data", "x") == {"cache": "off", "download": False}


@pytest.mark.parametrize(
    ("nest", "name", "more", "says"),
    [
        ("callbacks", "last_checkpoint", {"filename": "../../ran"}, "must be a file name"),
        ("callbacks", "last_checkpoint", {"filename": "/tmp/ran"}, "must be a file name"),
        ("callbacks", "last_checkpoint", {"dirpath": "ran"}, "dirpath"),
        ("trainer", None, {"default_root_dir": "ran"}, "default_root_dir"),
        ("trainer", None, {"logger": True}, "logger"),
        ("trainer", None, {"callbacks": ["x"]}, "callbacks"),
        ("trainer", None, {"plugins": ["x"]}, "plugins"),
        ("trainer", None, {"model_registry": "theirs"}, "would upload the network"),
    ],
)
def test_no_path_that_something_is_written_to_is_taken(inside, nest, name, more, says):
    config = yaml.safe_load(Path("config.yaml").read_text()) | {"logger": {}}
    (config[nest] if name is None else config[nest][name]).update(more)
    Path("sent.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises((ValueError, HydraException), match=says):
        build_all(saved.read_whole_config(Path("sent.yaml")), str(inside))


def test_of_a_logger_only_its_own_settings_are_taken(inside, monkeypatch):
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["logger"]["wandb"] |= {"directory": "ran", "x": call(), "_partial_": True, "_args_": ["ran"]}
    Path("config.yaml").rename("kept.yaml")
    Path("config.yaml").write_text(yaml.safe_dump(config))
    asked = []
    monkeypatch.setattr("lta.loggers.reopen.open_session", lambda nodes, _: contextlib.nullcontext(asked.extend(nodes)))
    with reopen_session(inside, with_wandb=True):
        assert asked == [{"_target_": "lta.loggers.wandb_run.wandb_logger", "project": "lta", "mode": "offline"}]
    Path("kept.yaml").rename("config.yaml")


# Shapes.

DEEP = "x: " + "[" * 5000 + "]" * 5000

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n"
    for n in range(1, 12)
)


@pytest.mark.parametrize(
    "text", [LAUGHS, DEEP, "&a [*a]", "a: &a {b: *a}", "a: !!python/object/apply:os.mkdir [ran]", "? [a]"]
)
def test_a_yaml_of_a_few_lines_takes_no_time(inside, text, tmp_path):
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "run.json").write_text('{"starts": []}')
    began = time.process_time()
    for read in (read_config, saved.read_whole_config, config_of_parent):
        with pytest.raises(ValueError, match="can't be read: "):
            read(tmp_path / "config.yaml")
    read_runs([tmp_path])
    assert time.process_time() - began < 5


def config_of_parent(path):
    return config_of(path.parent)


def laugh(depth=40):
    node = ["x"]
    for _ in range(depth):
        node = [node] * 9
    return node


def endless():
    node = []
    node.append(node)
    return node


MALFORMED = {
    "no configuration at all": (("config",), 3),
    "a list for it": (("config",), [1]),
    "nothing for it": (("config",), None),
    "no model": (("config", "model"), None),
    "a number for a model": (("config", "model"), 3),
    "a list for a model": (("config", "model"), [{}]),
    "a model that names nothing": (("config", "model"), {}),
    "a whole model": (("config", "model", "_partial_"), False),
    "a width in words": (("config", "model", "width"), "wide"),
    "a nest for a width": (("config", "model", "width"), {"a": 1}),
    "levels that are none": (("config", "model", "levels"), ["Q"]),
    "a number for levels": (("config", "model", "levels"), 7),
    "an unknown setting": (("config", "model", "colour"), "red"),
    "an unfinished preprocessing": (("config", "preprocess", "_partial_"), True),
    "no recipe": (("config", "recipe"), "fast"),
    "epochs in words": (("config", "recipe", "epochs"), "many"),
    "a schedule that is none": (("config", "recipe", "schedule"), 5),
    "a loss without a name": (("config", "loss"), {"label_smoothing": 0.1}),
    "a seed in words": (("config", "seed"), "x"),
    "a seed that is a list": (("config", "seed"), [1]),
    "something mandatory": (("config", "model", "width"), "???"),
    "no classes": (("class_names",), []),
    "a number for classes": (("class_names",), 10),
    "numbers for classes": (("class_names",), [1, 2]),
    "a class less": (("class_names",), ["a"] * 9),
    "no size": (("image_size",), None),
    "a size in words": (("image_size",), ["a", "b"]),
    "a format in words": (("format",), "two"),
    "laughs": (("config", "model", "gates"), laugh()),
    "an endless list": (("config", "model", "gates"), endless()),
    "a tensor": (("config", "model", "gates"), torch.zeros(3)),
    "a key that is none": (("config", "model", (1, 2)), 3),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_checkpoint_is_one_line(inside, capsys, case):
    content = torch.load("checkpoints/last.ckpt", weights_only=True)
    (*path, last), value = MALFORMED[case]
    node = content["hyper_parameters"]
    for key in path:
        node = node[key]
    node[last] = value
    torch.save({**content, DIGEST: "x"} if case in ("laughs", "an endless list") else add_digest(content), "sent.ckpt")
    began = time.process_time()
    ended = lta_run(capsys, ["checkpoint=sent.ckpt", "evaluator=classification", "wandb=false"], evaluate, "evaluate")
    assert_refused(ended, "sent.ckpt")
    assert time.process_time() - began < 10


@pytest.mark.parametrize("key", ["state_dict", "epoch", "hyper_parameters"])
@pytest.mark.parametrize("value", [None, 3.5, [1], {"a": 1}])
def test_a_malformed_file_is_one_line(inside, capsys, key, value):
    content = torch.load("checkpoints/last.ckpt", weights_only=True)
    torch.save(add_digest({**content, key: value}), "sent.ckpt")
    ended = lta_run(capsys, ["checkpoint=sent.ckpt", "evaluator=classification", "wandb=false"], evaluate, "evaluate")
    assert_refused(ended, "sent.ckpt")


# Damage.


def test_a_flipped_bit_is_noticed(inside, tmp_path):
    """In the archive's directory, and in some of the rest: refused, or it changes nothing."""
    whole = Path("checkpoints/last.ckpt").read_bytes()
    ours = read_checkpoint("checkpoints/last.ckpt")["state_dict"]
    directory = whole.rindex(b"PK\x05\x06")
    first = whole.index(b"PK\x01\x02")
    flips = random.Random(0).sample(range(8 * first, 8 * len(whole)), 150)
    path = tmp_path / "sent.ckpt"
    refused = 0
    assert first < directory < len(whole)
    for bit in flips:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            theirs = read_checkpoint(path)["state_dict"]
        except BrokenCheckpoint:
            refused += 1
        else:
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert refused > 50


def test_other_weights_than_were_written_are_noticed(inside, caplog):
    content = torch.load("checkpoints/last.ckpt", weights_only=True)
    name, weight = next((name, weight) for name, weight in content["state_dict"].items() if weight.is_floating_point())
    content["state_dict"][name] = weight + 1
    torch.save(content, "sent.ckpt")
    with pytest.raises(
        BrokenCheckpoint, match=r"sent\.ckpt is not a readable checkpoint: its weights are not what was written"
    ):
        read_checkpoint("sent.ckpt")
    del content[DIGEST]
    torch.save(content, "sent.ckpt")
    assert torch.equal(read_checkpoint("sent.ckpt")["state_dict"][name], weight + 1)
    assert "sent.ckpt has no digest of its weights" in caplog.text
