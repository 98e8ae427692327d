"""What the steps of recipe=muon cost, against those of recipe=fast.

    python benchmarks/muon.py [--widths 0.125 0.25] [--batch 64] [--repetitions 15] [--device cpu]

Forward, loss, backward and the optimiser's step of vgg_att2 (pc); fp32 or what `trainer.precision=auto` takes.
"""

from measuring import alternate, run
from steps import begin, step_of, waiting

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention
from lta.training.recipes import SGDRecipe


def main():
    options, results = begin(__doc__, repetitions=15, widths=[0.125, 0.25])
    for width in options.widths:
        steps = {}
        for name, recipe in {"muon": SGDRecipe(1, muon_lr=0.07), "fast": SGDRecipe(1)}.items():
            network = vgg_attention(10, "BC", Parametrised, width=width, dropout=0.0)
            optimizer = recipe.optimizer(network, options.batch)
            steps[name] = step_of(network, options.batch, options.device, options.precision, optimizer=optimizer)
        taken = alternate(steps, options.repetitions, warm_up=3, wait=waiting(options.device))
        results.ratio(f"width {width:g}: muon / fast", taken["muon"], taken["fast"])
    results.save()


if __name__ == "__main__":
    run(main)
