"""One run: train, test once, answer, send."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lta.cli.settings import check_settings
from lta.instantiate import build, plain
from lta.runtime import run_directory


def train(cfg: DictConfig, directory: Path) -> None:
    # Imported here: `--help` and `--cfg job` need none of it.
    import pytorch_lightning as pl
    import torch

    from lta.callbacks.stopping import Stopping
    from lta.evaluate.answers import Network, answer_all, check_all
    from lta.evaluators.roles.evaluator import measure_roles
    from lta.inference.checkpoint import check_belongs, find_resume_checkpoint, make_hparams
    from lta.loggers import wandb_artifacts, wandb_evaluation, wandb_run
    from lta.run import summary
    from lta.training.classifier import Classifier
    from lta.training.trainer import end_processes

    # All that can be wrong is found before the data are read, the rest before anything is written.
    check_settings(cfg)
    evaluators = {name: build(node) for name, node in (cfg.get("evaluator") or {}).items()}
    recipe = build(cfg.recipe)
    with torch.device("meta"):
        build(cfg.model)(num_classes=10)
    callbacks = [*(build(node) for node in cfg.callbacks.values() if node), Stopping()]
    trainer = build(cfg.trainer, epochs=recipe.epochs, directory=str(directory), callbacks=callbacks)
    data = build(cfg.data)
    data.test_each_epoch, data.trainer = cfg.test_each_epoch, trainer  # how many processes share a batch
    data.make_ready()
    if data.val is None and cfg.test_checkpoint == "best":
        raise ValueError("test_checkpoint=best needs a validation set: data.val_size is 0; choose last")

    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    classifier = Classifier(
        network=build(cfg.model)(num_classes=data.num_classes),
        preprocess=build(cfg.preprocess),
        augment=build(cfg.augment),
        recipe=recipe,
        class_names=data.class_names,
        seed=cfg.seed,
        hparams=make_hparams(plain(cfg), data),
    )
    check_all(evaluators, classifier, data)
    classifier.fit_input(data.train.images)
    checkpoint = find_resume_checkpoint(directory)
    if checkpoint:
        check_belongs(checkpoint, plain(cfg), data.class_names)
    if trainer.is_global_zero:
        run_directory.begin(directory, plain(cfg), HydraConfig.get().overrides.task, bool(cfg.resume), trainer.precision)
    complete = False
    try:
        for node in filter(None, cfg.logger.values()):
            trainer.loggers = [*trainer.loggers, build(node, directory=str(directory))]
            trainer.loggers[-1].log_hyperparams(plain(cfg))
        trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        tested = run_directory.find_checkpoint(directory, cfg.test_checkpoint)
        trainer.test(classifier, datamodule=data, ckpt_path=tested, weights_only=True, verbose=False)
        classifier.to(trainer.strategy.root_device)
        known = data.test.roles is not None and classifier.network.levels
        roles = measure_roles(classifier, data, data.eval_batch_size) if known else None
        if trainer.is_global_zero:
            results = summary.collect(trainer, classifier, data, tested, roles)
            run_directory.write_results(directory, results, complete=False)
            print(summary.render_text(results, directory))
        answers = answer_all(Network(directory, tested), evaluators, classifier, data, plain(cfg.data))
        wandb_evaluation.send_answers(trainer.loggers, answers)
        wandb_artifacts.send_checkpoints(trainer.loggers)
        complete = True
    finally:
        if not complete:
            end_processes(trainer)
        wandb_run.finish_runs(trainer.loggers, failed=not complete)
    if trainer.is_global_zero:
        run_directory.write_results(directory, results, complete=True)
