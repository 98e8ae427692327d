"""Run directories as training and lta.evaluate leave them, with made-up figures."""

import copy
import io
import json
from functools import cache

import yaml
from networks import composed
from omegaconf import OmegaConf
from PIL import Image


@cache
def composed_plain(*overrides):
    """All but what says where a run is logged, which needs the command that started it."""
    found = {key: node for key, node in composed(*overrides).items_ex(resolve=False) if key not in ("logger", "callbacks")}
    return {
        key: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node for key, node in found.items()
    }


def config_of(*overrides, seed=0):
    config = copy.deepcopy(composed_plain(*overrides))
    config["seed"] = config["data"]["seed"] = seed
    return config


def history(error, epochs=4):
    """Falls to `error` over the epochs."""
    rows = []
    for epoch in range(epochs):
        above = 1 + 3 * (epochs - 1 - epoch) / epochs
        rows.append(
            {
                "epoch": float(epoch),
                "train/loss": 0.1 * above,
                "train/error": 0.9 * error * above,
                "val/error": error * above,
                "time/seconds": 60.0 * (epoch + 1),
                "time/images": 6000.0 * (epoch + 1),
            }
        )
    return rows


@cache
def picture(shade):
    out = io.BytesIO()
    Image.new("RGB", (60, 40), (shade, 0, 0)).save(out, "png")
    return out.getvalue()


def make_run(directory, *overrides, seed=0, error=5.0, epochs=4, panels=0, answers=None, **results):
    """`results`: of results.json, beside or in place of the usual ones."""
    directory.mkdir(parents=True)
    config = config_of(*overrides, seed=seed)
    (directory / "config.yaml").write_text(yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False))
    start = {
        "command": ["python", "-m", "lta.run", *overrides, f"seed={seed}"],
        "time": f"2026-11-20T10:00:{seed or 0:02d}+00:00",
        "git": {"commit": "0123456789abcdef", "changed": False},
    }
    (directory / "run.json").write_text(json.dumps({"starts": [start]}))
    found = {
        "test": {"error": error, "loss": 0.2},
        "test_images": 10000,
        "test_checkpoint": "last",
        "epochs": epochs,
        "device": "cpu",
        "processes": 1,
        "precision": "32-true",
        "seconds": 240.0,
        "training_flops": 2.5e13,
        "history": history(error, epochs),
        "parameters": 123456,
        "coding": "official",
    } | results
    (directory / "results.json").write_text(json.dumps(found))
    if panels:
        (directory / "attention").mkdir()
    for epoch in range(panels):
        (directory / "attention" / f"epoch_{epoch:04d}.png").write_bytes(picture(10 * epoch))
    for name, figures in (answers or {}).items():
        (directory / "evaluations").mkdir(exist_ok=True)
        answer = {
            "evaluator": name,
            "figures": figures,
            "time": "2026-11-21T10:00:00+00:00",
            "command": ["python", "-m", "lta.evaluate", f"evaluator={name}"],
            "question": {
                "data": {"_target_": "lta.data.cifar.CIFAR", "name": "cifar10"},
                "images": 9,
                "checkpoint": "best.ckpt",
            },
        }
        (directory / "evaluations" / f"{name}.json").write_text(json.dumps(answer))
    return directory


def figure(value):
    return {"value": value, "interval": [value - 1, value + 1], "n": 9}
