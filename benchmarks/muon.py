"""What the steps of recipe=muon cost, against those of recipe=fast.

    python benchmarks/muon.py [--widths 0.125 0.25] [--batch 64] [--repetitions 15] [--device cpu]

Forward, loss, backward and the optimiser's step of vgg_att2 (pc); then of air_att3 (pc) at four times the last width with
eight times the batch (1 and 512, as `recipe=air` is used), also with `recipe.muon_rounds=3` and, where bfloat16 is fast,
`recipe.muon_bfloat16=true`. fp32 or what `trainer.precision=auto` takes.
"""

from collections.abc import Callable
from typing import Any

from measuring import alternate, run
from steps import begin, step_of, waiting

from lta.layers.compatibility import Parametrised
from lta.models.air_family import air_attention
from lta.models.vgg_family import vgg_attention
from lta.training.recipes import SGDRecipe


def main():
    options, results = begin(__doc__, repetitions=15, widths=[0.125, 0.25])
    recipes = {"muon": SGDRecipe(1, muon_lr=0.07), "fast": SGDRecipe(1)}
    for width in options.widths:
        taken = measure(
            options,
            recipes,
            options.batch,
            lambda width=width: vgg_attention(10, "BC", Parametrised, width=width, dropout=0.0),
        )
        results.ratio(f"width {width:g}: muon / fast", taken["muon"], taken["fast"])
    recipes["muon, 3 rounds"] = SGDRecipe(1, muon_lr=0.07, muon_rounds=3, muon_bfloat16=options.precision == "bf16")
    width, batch = 4 * options.widths[-1], 8 * options.batch
    taken = measure(options, recipes, batch, lambda: air_attention(10, "ABC", Parametrised, width=width))
    for name, bar in (("muon", None), ("muon, 3 rounds", 1.05)):
        results.ratio(f"air_att3, width {width:g}, batch {batch}: {name} / fast", taken[name], taken["fast"], at_most=bar)
    results.save()


def measure(options: Any, recipes: dict[str, SGDRecipe], batch: int, build: Callable[[], Any]) -> dict[str, list[float]]:
    """Seconds of a step, by recipe."""
    steps = {}
    for name, recipe in recipes.items():
        network = build()
        optimizer = recipe.optimizer(network, batch)
        steps[name] = step_of(network, batch, options.device, options.precision, optimizer=optimizer)
    return alternate(steps, options.repetitions, warm_up=3, wait=waiting(options.device))


if __name__ == "__main__":
    run(main)
