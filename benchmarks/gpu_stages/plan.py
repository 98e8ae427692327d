"""The stages of the day, in their order: the answers that are wanted most come first."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gpu_stages.accuracy import time_to_94
from gpu_stages.facts import collect_facts
from gpu_stages.gpu_tests import run_gpu_tests
from gpu_stages.networks import Compared, compare_air, compare_backbones, compare_vgg
from gpu_stages.overhead import time_overhead
from gpu_stages.pipeline import time_pipeline
from gpu_stages.settings import Settings
from gpu_stages.stage import Stage
from gpu_stages.step_times import COMPILED, LAYOUTS, PLAIN, time_steps
from gpu_stages.training import Training, train

ROWS = {
    "att2": ("model=vgg_att2", "compat=pc", "head=concat"),
    "att3": ("model=vgg_att3", "compat=pc", "head=concat"),
    "gap": ("model=vgg_gap",),
    "uniform": ("model=vgg_att3", "compat=uniform", "head=concat"),
}
"""Of the paper's tables, at full width, and what they are to be held against."""

BARS = {("att2", "cifar10"): 5.23, ("att3", "cifar100"): 22.97}
"""Test errors in percent, as published."""

SEEDS = (1, 2)
"""While time lasts."""

DRY = (("gap", "cifar10"), ("uniform", "cifar100"))
"""Of the further rows, those of a dry run: the others, other seeds and the second training of the authors would show nothing
new there."""

FASTER, WAITING = 1.5, 0.05
"""How many times the textbook's images a second, and the share of the time in which the GPU waits for Python."""


def make_plan(dry_run: bool) -> list[Stage]:
    """Expected seconds are those of a GPU with 150 TFLOP/s in convolutions, of the dry run those of two CPU cores."""
    rest = [(row, data) for data in ("cifar10", "cifar100") for row in ROWS if (row, data) not in BARS]
    rest, seeds, authors = (DRY, (), [*BARS][:1]) if dry_run else (rest, SEEDS, BARS)
    stages = [
        Stage("facts", "the machine, its libraries, its peak", 20, "facts", collect_facts),
        Stage("tests", "tests marked gpu", 120, "tests", run_gpu_tests),
        Stage("step", "a step of vgg_att3 at width 1, in every layout", 45, "step", time_vgg_step),
        _make_accuracy_stage("air"),
        *(_make_row_stage(*one) for one in BARS),
        Stage("step_compiled", "a step of vgg_att3 by torch.compile and CUDA graphs", 240, "compiled", time_compiled_step),
        Stage("step_narrow", "a step of vgg_att3 at width 0.25", 25, "step", partial(_time, _narrow)),
        Stage("step_air", "a step of air_att3 and air", 25, "step", partial(_time, compare_air)),
        Stage(
            "step_backbone",
            "a step with attention on a backbone, frozen and whole",
            40,
            "step",
            partial(_time, compare_backbones),
        ),
        Stage("pipeline", "pictures to the network", 20, "pipeline", time_pipeline),
        Stage("overhead", "what the framework, panel and telemetry add", 120, "overhead", time_overhead),
        _make_accuracy_stage("air_att3"),
        *(_make_row_stage(*one) for one in rest),
        *(_make_row_stage(*one, seed=seed) for seed in seeds for one in (*BARS, *rest)),
        *(_make_author_stage(*one) for one in authors),
    ]
    return [stage._replace(seconds=10, least=stage.least and 5) for stage in stages] if dry_run else stages


def _make_accuracy_stage(model: str) -> Stage:
    run = partial(_flip(time_to_94), model)
    return Stage(f"{model}_to_94", f"{model} to 94 % on CIFAR-10", 60, "accuracy", run, least=40)


def _make_row_stage(row: str, data: str, seed: int = 0) -> Stage:
    name = f"{row}_{data}" + (f"_seed{seed}" if seed else "")
    training = Training(name, data, (*ROWS[row], "recipe=fast", "data.val_size=0", f"seed={seed}"), BARS.get((row, data)))
    return Stage(name, f"{row} on {data}, recipe=fast, seed {seed}", 260, "row", partial(_flip(train), training), least=60)


def _make_author_stage(row: str, data: str) -> Stage:
    training = Training(f"{row}_{data}_author", data, (*ROWS[row], "recipe=author"), BARS[row, data])
    run = partial(_flip(train), training)
    return Stage(training.name, f"{row} on {data}, recipe=author", 2600, "row", run, least=60)


def _flip(run: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """What is trained comes first, so that it can be given now."""
    return lambda what, settings, seconds: run(settings, what, seconds)


def _narrow(settings: Settings) -> Compared:
    return compare_vgg(settings, settings.sizes.widths[1])


def _time(compare: Callable[[Settings], Compared], settings: Settings, seconds: float) -> dict[str, Any]:
    return time_steps(settings, compare(settings))


def time_vgg_step(settings: Settings, seconds: float) -> dict[str, Any]:
    """With the two bars."""
    only = ("vgg_att3", "textbook")
    found = time_steps(settings, compare_vgg(settings, settings.sizes.widths[0]), LAYOUTS, only)
    ours, textbook = (found["rows"][f"{name}: {PLAIN.describe()}"] for name in only)
    faster = ours["images_per_second"] / textbook["images_per_second"]
    bars = [
        {"case": "images/s, vgg_att3 / textbook", "value": faster, "at_least": FASTER, "met": faster >= FASTER},
    ]
    if (waits := ours["waits"]) is not None:
        bars.append({"case": "waiting for Python", "value": waits, "at_most": WAITING, "met": waits <= WAITING})
    return found | {"bars": bars}


def time_compiled_step(settings: Settings, seconds: float) -> dict[str, Any]:
    compared = compare_vgg(settings, settings.sizes.widths[0])
    kept = ("vgg_att3", "textbook")
    compared = compared._replace(builders={name: compared.builders[name] for name in kept})
    return time_steps(settings, compared, COMPILED)
