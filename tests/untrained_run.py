"""Run directories with a checkpoint as lta.run writes it, of a network that nobody has trained: made in no time."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from networks import TINY_VGG, composed

from lta.inference.checkpoint import FORMAT, make_hparams
from lta.instantiate import build, plain
from lta.training.checkpoint_io import add_digest
from lta.training.classifier import Classifier


def untrained_run(
    directory: Path,
    *overrides: str,
    image_size: tuple[int, int] = (32, 32),
    seed: int = 0,
    names: str = "digit {}",
    tiny: Sequence[str] = TINY_VGG,
) -> Path:
    """Ten digits, with one linear classifier; `model.init.scorer=author` makes maps that are not uniform."""
    cfg = composed("experiment=quickstart", *tiny, *overrides)
    config = {name: plain(cfg[name]) for name in ("model", "preprocess", "augment", "recipe", "loss", "data")} | {
        "seed": seed
    }
    data = SimpleNamespace(class_names=tuple(names.format(k) for k in range(10)), image_size=image_size)
    torch.manual_seed(seed)
    kept = make_hparams(config, data)
    network = build(cfg.model)(num_classes=10)
    parts = (build(cfg[name]) for name in ("preprocess", "augment", "recipe", "loss"))
    classifier = Classifier(network, *parts, data.class_names, seed=seed, hparams=kept)
    with torch.no_grad():  # as after training, pictures differ in what they are taken for
        logits = classifier.eval()(torch.randint(0, 256, (64, 3, *image_size), dtype=torch.uint8)).logits
        (linear,) = network.classifiers
        linear.weight.div_(logits.std(0)[:, None])
        linear.bias.sub_(logits.mean(0)).div_(logits.std(0))
    assert kept["format"] == FORMAT
    (directory / "checkpoints").mkdir(parents=True)
    content = {"hyper_parameters": kept, "state_dict": classifier.state_dict(), "epoch": 0}
    torch.save(add_digest(content), directory / "checkpoints/last.ckpt")
    return directory
