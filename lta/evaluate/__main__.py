"""`python -m lta.evaluate`: ask questions of trained networks, and write the answers into their runs."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.own_data import add_saved_data
from lta.cli.settings import settings_of
from lta.instantiate import build_each, plain


def evaluate(composed: DictConfig) -> None:
    """Runs `lta evaluate`. Raises ValueError for settings that can't be, or if no network can be evaluated."""
    cfg = settings_of("evaluate", composed)
    # Imported here: `--help` and `--cfg job` need none of it.
    import torch

    from lta import checks
    from lta.evaluate import answers
    from lta.loggers.reopen import reopen_session
    from lta.training.devices import bfloat16_is_faster, choose_device

    checks.require_whole_number("seed", cfg.seed)
    checks.require_choice("precision", cfg.precision, ("float32", "bf16"))
    checks.require_flag("wandb", cfg.wandb)
    evaluators = build_each(cfg.evaluator)
    device = choose_device(cfg.device)
    if cfg.precision == "bf16" and not bfloat16_is_faster(
        {"cuda": "gpu"}.get(device.type, device.type), [device.index or 0]
    ):
        raise ValueError(f"precision=bf16: {device.type} here computes it slower than float32")
    settings = plain(cfg)
    found = answers.find_networks(settings["checkpoint"], cfg.which)
    with answers.join_processes(device), torch.autocast(device.type, torch.bfloat16, enabled=cfg.precision == "bf16"):
        answered = False
        for network in found:
            results = answers.evaluate(network, evaluators, device, settings["data"], cfg.precision)
            if results:
                with reopen_session(network.directory, with_wandb=cfg.wandb) as session:
                    session.send_answers(results)
            answered = answered or bool(results)
    if not answered:
        raise ValueError(f"checkpoint={settings['checkpoint']}: none of {len(found)} networks can be evaluated this way")


if __name__ == "__main__":
    launch(evaluate, "evaluate", lists=("evaluator", "checkpoint"), sweeps=False, add_saved=add_saved_data)
