"""`python -m lta.run`: train one network, test it once, and show what it attends to."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lta.config import build, launch, plain, settings


def run(composed: DictConfig) -> None:
    cfg = settings(composed)
    directory = Path(HydraConfig.get().runtime.output_dir)

    # Imported here: `--help` and `--cfg job` need none of it.
    import pytorch_lightning as pl
    import torch

    from lta import checks, run_directory, summary
    from lta.callbacks.wandb_run import finish
    from lta.checkpoint import check_belongs
    from lta.evaluators.roles import measure_roles
    from lta.training.classifier import Classifier

    if cfg.resume and (finished := run_directory.results(directory)):
        print(summary.text(finished, directory), "\n\nthis run is complete: there is nothing to go on with", sep="")
        return
    checks.whole("seed", cfg.seed)
    checks.choice("test_checkpoint", cfg.test_checkpoint, run_directory.CHECKPOINTS)
    recipe = build(cfg.recipe)
    with torch.device("meta"):
        build(cfg.model)(num_classes=10)  # wrong settings of the network are found before any data is read
    data = build(cfg.data)
    data.prepare_data()
    data.setup()
    if data.val is None and cfg.test_checkpoint == "best":
        raise ValueError("test_checkpoint=best needs a validation set: data.val_size is 0; choose last")

    run_directory.begin(directory, plain(cfg), resumed=cfg.resume is not None)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    classifier = Classifier(
        network=build(cfg.model)(num_classes=data.num_classes),
        preprocess=build(cfg.preprocess),
        augment=build(cfg.augment),
        recipe=recipe,
        class_names=data.class_names,
        seed=cfg.seed,
        hparams={"config": plain(cfg), "class_names": list(data.class_names), "image_size": list(data.image_size)},
    )
    classifier.preprocess.fit(data.train.images)
    trainer = build(
        cfg.trainer,
        epochs=recipe.epochs,
        directory=str(directory),
        callbacks=[build(node) for node in cfg.callbacks.values() if node],
        loggers=[build(node, directory=str(directory)) for node in cfg.logger.values()],
    )
    for logger in trainer.loggers:
        logger.log_hyperparams(plain(cfg) | {"resume": None})

    finished = False
    try:
        checkpoint = run_directory.last_checkpoint(directory)
        if checkpoint:
            check_belongs(checkpoint, plain(cfg))
        trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        tested = run_directory.checkpoint(directory, cfg.test_checkpoint)
        trainer.test(classifier, datamodule=data, ckpt_path=tested, weights_only=True, verbose=False)
        if trainer.is_global_zero:
            known = data.test.roles is not None and classifier.network.levels
            roles = measure_roles(classifier, data) if known else None
            results = summary.collect(trainer, classifier, data, cfg.test_checkpoint, roles)
            run_directory.write_json(directory / "results.json", results)
            print(summary.text(results, directory))
        finished = True
    finally:
        finish(trainer.loggers, failed=not finished)


if __name__ == "__main__":
    launch(run)
