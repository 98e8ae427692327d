"""A new GPU machine, measured: tests, speed, and trainings, in calls of a few minutes that go on where the last one ended.

    python benchmarks/gpu_day.py [--minutes 9] [--resume OUT] [--dry-run]

About 25 minutes in all on one large GPU; then trainings by the authors' recipe go on for as long as it is called. Each
stage says what it will take and is skipped where that is more than what is left of the call. OUT/gpu_day.json is written
whole after each stage. OUT/networks holds the networks that were trained to their end. Without --resume, OUT is a new folder
below runs/. With it, OUT is gone on with, or begun if it is new. CIFAR-10 and CIFAR-100, as their authors publish them, are
looked for below LTA_DATA_ROOT; without them their stages say so. Neither wandb nor kornia is needed. --dry-run goes through
all stages on the CPU, with tiny sizes.
"""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))  # lta need not be installed
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own lines about its beginning and end


def main():
    from gpu_stages.calls import Clock, run_stages
    from gpu_stages.settings import make_settings
    from gpu_stages.summary import Summary
    from measuring import RESULTS, name_folder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call at most (default 9)")
    parser.add_argument("--resume", type=Path, metavar="OUT", help="the folder of an earlier call, or a new one")
    parser.add_argument("--dry-run", action="store_true", help="all stages on the CPU, with tiny sizes")
    options = parser.parse_args()
    if not 0 < options.minutes <= 24 * 60:
        raise ValueError(f"--minutes={options.minutes:g} must be above 0 and at most {24 * 60}")
    clock = Clock(60 * options.minutes)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # of trainings
    out = options.resume or Path("runs", f"gpu_day_{datetime.now():%Y-%m-%d_%H-%M-%S}")
    settings = make_settings(out, options.dry_run)
    summary = Summary(out, options.dry_run)
    summary.begin_call(options.minutes)

    from gpu_stages.plan import make_plan

    stages = make_plan(options.dry_run)
    try:
        run_stages(stages, settings, summary, clock, say=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        sys.exit(f"\nstopped; what is done is kept in {summary.path}")
    if not options.dry_run:
        kept = RESULTS / name_folder(summary.content["git"], summary.content["code"]) / summary.path.name
        print(f"\nfor the documentation: mkdir -p {kept.parent} && cp {summary.path} {kept}")
    undone = [stage.name for stage in stages if summary.get_state(stage) != "done"]
    print(f"\n{len(stages) - len(undone)} of {len(stages)} stages are done: {summary.path}")
    if undone:
        dry = " --dry-run" * options.dry_run
        print(f"not done: {', '.join(undone)}\ngo on: python benchmarks/gpu_day.py --resume {out}{dry}")


if __name__ == "__main__":
    from measuring import run

    run(main)
