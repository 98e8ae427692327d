"""Which precision is faster here: a training step of vgg_att3 (pc, pruned) in float32 against bfloat16 (autocast).

    python benchmarks/precision.py [--widths 0.125 0.25] [--batch 64] [--repetitions 9] [--device cpu]

`trainer.precision=auto` takes bfloat16 where this says that it is faster: on GPUs from Ampere on and on CPUs with AMX.
"""

from measuring import alternate, run
from steps import begin, step_of, waiting

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention


def main():
    options, results = begin(__doc__, repetitions=9, widths=[0.125, 0.25])
    for width in options.widths:
        steps = {
            precision: step_of(
                vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
                options.batch,
                options.device,
                precision,
            )
            for precision in ("fp32", "bf16")
        }
        taken = alternate(steps, options.repetitions, warm_up=2, wait=waiting(options.device))
        chosen, other = ("bf16", "fp32") if options.precision == "bf16" else ("fp32", "bf16")
        results.ratio(f"width {width:g}: {other} / {chosen} (auto)", taken[other], taken[chosen], at_least=1.0)
    results.save()


if __name__ == "__main__":
    run(main)
