"""One run: train, test once, answer, send."""

import logging
import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lta.cli.plugins import find_own_code
from lta.cli.settings import check_settings
from lta.instantiate import build, build_each, plain
from lta.runtime import run_directory
from lta.runtime.cache import cache_folder

log = logging.getLogger(__name__)


def train(cfg: DictConfig, directory: Path) -> None:
    """Trains and tests the network of `cfg` in `directory`, or resumes it. Raises ValueError for impossible settings."""
    # Imported here: `--help` and `--cfg job` need none of it.
    import pytorch_lightning as pl
    import torch

    from lta.callbacks.divergence import Diverged
    from lta.callbacks.kept_answers import KeptAnswers
    from lta.callbacks.stopping import Stopping
    from lta.data.adapted import adapt
    from lta.data.evaluation_data import EvaluationData
    from lta.data.fingerprint import check_unchanged
    from lta.data.label_sets import check_same_labels
    from lta.data.network_size import fill_image_size, find_input_size
    from lta.evaluate import answers
    from lta.evaluators.evaluator import check_asked_of_labels
    from lta.inference.checkpoint import check_belongs, check_has_weights, find_resume_checkpoint, load_weights, make_hparams
    from lta.inference.initialise import find_source, init_weights
    from lta.loggers.session import check_installed, open_session
    from lta.measures.label_sets import gives_several_labels
    from lta.run import summary, test_predictions
    from lta.training import cached_features
    from lta.training.classifier import Classifier
    from lta.training.losses import check_loss
    from lta.training.mask_loss import check_mask_loss, find_mask_loss
    from lta.training.several_labels import check_several_labels
    from lta.training.trainer import end_processes, has_run_out_of_time

    # All that can be wrong is found before the data are read, the rest before anything is written.
    check_settings(cfg)
    check_installed(cfg.logger.values())
    evaluators = build_each(cfg.evaluator)
    defaults = build_each(cfg.default_evaluators)
    recipe, loss = build(cfg.recipe), build(cfg.loss)
    check_loss(loss, recipe)
    if cfg.init_from is not None and not cfg.resume:
        find_source(cfg.init_from)
    longer = bool(cfg.resume) and run_directory.is_prolonged(directory, cfg.recipe.get("epochs"))
    if longer and (why := recipe.why_not_longer()):
        begin = f"{shlex.quote(f'init_from={cfg.resume}')} begins a new run with its weights"
        raise ValueError(f"recipe.epochs={recipe.epochs} with resume={cfg.resume}: {why}; {begin}")
    with torch.device("meta"):
        network = build(cfg.model)(num_classes=10)
    check_mask_loss(loss, network, build(cfg.get("augment")) if find_mask_loss(loss) else None)
    input_size, computes_once = find_input_size(network), cached_features.computes_once(network)
    with_mirrored = computes_once and cached_features.check_augment(build(cfg.get("augment")))
    kept = KeptAnswers()
    callbacks = [*(build(node) for node in cfg.callbacks.values() if node), kept, Stopping()]
    trainer = build(cfg.trainer, epochs=recipe.epochs, directory=str(directory), callbacks=callbacks)
    data = adapt(build(fill_image_size(plain(cfg.data), input_size)), cfg.data, cfg.seed)
    several = gives_several_labels(data)
    check_several_labels(several, loss, network)
    if several:
        check_asked_of_labels(evaluators)
    if "preprocess" not in cfg and not isinstance(data, EvaluationData):
        raise ValueError("the data set's yaml names no kind of pictures: its defaults need a line /recipe/kind@_global_")
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
        loss=loss,
        class_names=data.class_names,
        seed=cfg.seed,
        hparams=make_hparams(plain(cfg), data),
        several_labels=several,
    )
    answers.check_all(evaluators, classifier, data)
    possible = answers.select_possible(defaults, classifier, data)
    defaults = {name: evaluators.get(name, evaluator) for name, evaluator in possible.items()}
    folder = cache_folder(plain(cfg.data).get("cache"), "data.cache") if computes_once else None
    classifier.fit_input(data.train.images, cached_features.fit_once(folder))
    if (fit_classes := getattr(loss, "fit_classes", None)) is not None:
        fit_classes(data.train.labels, data.class_names)
    classifier.take_masks(data.train)
    classifier.hparams["taught_by"] = summary.list_teachers(classifier)  # every checkpoint says it
    resumed_from = None
    if checkpoint := find_resume_checkpoint(directory):
        check_belongs(checkpoint, plain(cfg), data.class_names)
        if said := check_unchanged(checkpoint.content["hyper_parameters"].get("pictures"), data):
            log.warning("%s: %s", checkpoint.path, said)
        check_same_labels(checkpoint.content["hyper_parameters"].get("labels"), data)
        resumed_from, checkpoint = checkpoint.path, None  # Lightning reads it again, and its content takes memory
    if not resumed_from:
        check_has_weights(classifier)
    begins_with = cfg.init_from if not resumed_from else None  # a run stopped before its first checkpoint takes them again
    taken = init_weights(classifier, find_source(begins_with)) if begins_with is not None else None
    if computes_once:
        if resumed_from:  # its trunk may be one that init_from= once brought
            load_weights(classifier, resumed_from)
        classifier.features = cached_features.compute_features(classifier, data, folder, with_mirrored)
        data.without_pictures = cached_features.list_known(classifier.features)
    if trainer.is_global_zero:
        asked = HydraConfig.get()
        run_directory.begin(
            directory,
            plain(cfg),
            asked.overrides.task,
            bool(cfg.resume),
            trainer.precision,
            asked.runtime.choices,
            find_own_code(plain(cfg)),
            taken._asdict() if taken else None,
        )
        if longer:
            run_directory.prolong(directory, recipe.epochs)
    with open_session(cfg.logger.values(), directory, plain(cfg)) as session:
        trainer.loggers = session.loggers
        try:
            try:
                trainer.fit(classifier, datamodule=data, ckpt_path=resumed_from, weights_only=True)
            except Diverged as diverged:
                found = summary.collect_diverged(trainer, classifier, data, diverged)
                if trainer.is_global_zero:
                    run_directory.write_results(directory, found, complete=True)
                advice = summary.advise_after_divergence(directory, plain(cfg.recipe))
                raise ValueError(f"{diverged}; {advice}") from diverged
            if trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue] Lightning then keeps no checkpoint
                trainer.test(classifier, datamodule=data, verbose=False)
                if trainer.is_global_zero:
                    print("trainer.fast_dev_run: a batch of each kind went through; there is nothing to keep")
                return
            network = answers.Network(directory, run_directory.find_checkpoint(directory, cfg.test_checkpoint))
            epoch = load_weights(classifier, network.checkpoint)
            out_of_time = has_run_out_of_time(trainer)
            trainer.test(classifier, datamodule=data, verbose=False)
            classifier.to(trainer.strategy.root_device)
            results = summary.collect(trainer, classifier, data, cfg.test_checkpoint, epoch)
            if trainer.is_global_zero:
                run_directory.write_results(directory, results, complete=False)
                if kept.answers is not None:
                    test_predictions.write_test_predictions(directory, kept.answers, data)
            question = answers.describe_question(network, epoch, plain(cfg.data))
            found = answers.answer_all(network, defaults, classifier, data, question, silent=set(defaults) - set(evaluators))
            results |= {name: answers.to_plain(result.figures) for name, result in found.items()}
            if trainer.is_global_zero:
                run_directory.write_results(directory, results, complete=False)
                print(summary.render_text(results, directory, defaults))
            if out_of_time and trainer.is_global_zero:
                print(f"\n{summary.describe_time_limit(trainer, directory)}")
            others = {name: evaluator for name, evaluator in evaluators.items() if name not in defaults}
            found |= answers.answer_all(network, others, classifier, data, question)
            session.send_answers({name: result for name, result in found.items() if name in evaluators})
            session.send_checkpoints()
        except BaseException:
            end_processes(trainer)
            raise
    if trainer.is_global_zero:
        run_directory.write_results(directory, results, complete=not out_of_time)
