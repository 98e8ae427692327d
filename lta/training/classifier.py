"""The one LightningModule: any network of lta, any recipe."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int, UInt8
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torchmetrics import MetricCollection

from lta.models.measured import Batches, copy_measured, fit_measured
from lta.models.output import NetworkOutput
from lta.protocols import Loss, Network, Preprocess, Split, get_splits, list_missing
from lta.training.batch_statistics import average_running_statistics
from lta.training.cached_features import CachedFeatures, choose_mirrored, give_features
from lta.training.gradients import average_at_junctions
from lta.training.label_metrics import ExactMatchError, make_label_metrics
from lta.training.losses import check_loss
from lta.training.mask_loss import check_mask_loss, find_mask_loss
from lta.training.metrics import ErrorRate, MeanLoss, MeanOfSums, make_class_metrics, measure_loss
from lta.training.predict import predict
from lta.training.prediction import Prediction
from lta.training.recipes import Recipe
from lta.training.several_labels import check_several_labels
from lta.training.teaching_masks import TeachingMasks, carry_masks, choose_teaching_masks

PART = 100
"""Training pictures that parts of a network are measured on at once: patches in double precision take 32 times the memory of
the pictures."""

Batch = tuple[UInt8[Tensor, "batch 3 height width"], Int[Tensor, " batch *classes"], Int[Tensor, " batch"]]
"""Images, labels (of several an image 0 and 1 for each class), and each image's place in its split."""


WHOLE = {"test_each_epoch": "test"}
"""Watched splits that are a whole one by another name."""


class Classifier(pl.LightningModule):
    """`preprocess` turns uint8 pictures into what `network` sees, `augment` changes them in training only: what `preprocess`
    has made of them, or with `acts_on_pixels` the pictures themselves; with `mixes`, its `mix` then mixes those of a batch.
    `loss` is what training makes small, a number made of the network's output and the labels `(batch,)`.

    Where `loss` teaches by masks too, `take_masks` gives it those of the training pictures. Then `train/mask_loss` is the
    mean over the pictures that have one, without the weight.

    Metrics: `train/loss`, and for the splits train, val and test `<split>/error` in percent (in training of the
    augmented images, as seen; of mixed ones by the label of the larger share), for val and test `balanced_error`, the mean
    of the classes' errors, top-5 errors where there are more than 20
    classes, `val/loss`, `test/loss` (cross-entropies of the logits, whatever `loss` is). They go to
    `trainer.callback_metrics`; the `EpochLog` callback sends them to the loggers, one row an epoch. The splits that the data
    module watches in training give `val/...` and, where asked for, `test_each_epoch/...`.

    With `several_labels` labels are 0 and 1 (batch, classes), and each class's probability is the sigmoid of its logit. Then
    an image is an error where any of its labels is wrong; `<split>/label_error` is the share of wrong labels, `val/mAP`,
    `val/auroc` and more say how labels rank images (`lta.training.label_metrics`), and losses are binary cross-entropies,
    summed over the classes.

    `hparams` is any nest of plain containers; it is stored in every checkpoint, enough for `lta.load` to rebuild all.

    Raises ValueError for a loss that `recipe` can't train with (see `check_loss`).
    """

    def __init__(
        self,
        network: Network,
        preprocess: nn.Module,
        augment: nn.Module,
        recipe: Recipe,
        loss: Loss,
        class_names: Sequence[str],
        seed: int = 0,
        hparams: dict[str, Any] | None = None,
        several_labels: bool = False,
    ):
        super().__init__()
        missing = list_missing(network, Network)
        if missing or not isinstance(network, nn.Module):
            lacks = f"has no {', '.join(missing)}" if missing else "is not an nn.Module"
            raise ValueError(f"{type(network).__name__} {lacks}: a network needs what lta.protocols.Network says")
        if hparams is not None:
            self.save_hyperparameters(hparams, logger=False)  # the entry point sends the configuration to the loggers
        # Channels last: convolutions are faster, and the attention's (batch, positions, channels) view needs no copy.
        self.network = network.to(memory_format=torch.channels_last)
        self.preprocess = preprocess
        self.augment = augment
        # What preprocessing measured is alike in all processes and may be large: not to be sent around at every step.
        self._ddp_params_and_buffers_to_ignore = [f"preprocess.{name}" for name, _ in preprocess.named_buffers()]
        self.recipe = recipe
        check_loss(loss, recipe)
        check_several_labels(several_labels, loss, network)
        self.several_labels = several_labels
        check_mask_loss(loss, network, augment)
        self.loss = loss
        self.masks: TeachingMasks | None = None
        average_at_junctions(network, recipe.average_gradients)
        self.features: CachedFeatures | None = None
        self.class_names = tuple(class_names)
        self.seed = seed
        errors = make_label_metrics(class_names) if several_labels else make_class_metrics(len(class_names))
        self.trained_for: list[tuple[nn.Parameter, float]] = []
        """What is trained for so many epochs only: afterwards its gradient is not computed."""
        self._is_compiled = False
        self.train_loss = MeanLoss()
        self.train_error = ExactMatchError() if several_labels else ErrorRate()
        self.train_mask_loss = MeanOfSums()
        self.val_metrics = MetricCollection({"loss": MeanLoss(), **errors}, prefix="val/")
        self.test_each_epoch_metrics = self.val_metrics.clone(prefix="test_each_epoch/")
        self.test_metrics = self.val_metrics.clone(prefix="test/")

    def fit_input(self, images: Any, fit: Callable[[nn.Module, Batches], None] = fit_measured) -> None:
        """Measures on the training pictures what preprocessing needs, and by `fit` parts of the network that are measured.

        `images`: uint8 (n, height, width, 3), an array or `lta.data.rows.Rows` of one. Raises ValueError where augmentation
        can't be done to pictures of their size.
        """
        with torch.random.fork_rng(devices=[]):
            self._tell_pictures(torch.arange(2))
            seen = torch.uint8 if self._acts_on_pixels else torch.float32
            self.augment(torch.zeros(2, 3, *images.shape[1:3], dtype=seen))
        if hasattr(self.preprocess, "fit"):
            cast("Preprocess", self.preprocess).fit(images)

        def batches(count: int) -> Iterator[Tensor]:
            sample = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
            for part in np.split(sample, range(PART, len(sample), PART)):
                yield self._preprocess_array(images[part])

        fit(self.network, batches)

    def take_masks(self, train: Split) -> None:
        """Those of the training pictures, where `loss` teaches by masks. Raises DataError where there are none."""
        if (of_masks := find_mask_loss(self.loss)) is not None:
            self.masks = choose_teaching_masks(of_masks, self.network, train)

    @torch.no_grad()
    def _preprocess_array(self, images: np.ndarray) -> Float[Tensor, "n 3 height width"]:
        return self.preprocess(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2))

    def copy_measurements(self, of: "Classifier") -> None:
        """What `fit_input` measured for a Classifier of the same configuration."""
        self.preprocess.load_state_dict(of.preprocess.state_dict())
        copy_measured(of.network, self.network)

    def forward(self, images: UInt8[Tensor, "batch 3 height width"]) -> NetworkOutput:
        """Pictures as they are stored, 0 to 255, no augmentation.

        Raises ValueError for floats: whether they end at 1 or at 255 is not looked at. `predict` takes those that end at 1.
        """
        if images.dtype != torch.uint8:
            raise ValueError(
                f"the network takes uint8 pictures, 0 to 255, and got {images.dtype}: predict takes floats from 0 to 1, "
                "network(preprocess(images)) floats from 0 to 255"
            )
        return self.network(self.preprocess(images))

    def predict(self, images: Any, batch_size: int = 64, skip_broken: bool = False) -> Prediction:
        """Class names, probabilities and attention maps of one picture, or of several in the order given.

        `images`: a path (a file, a folder with all below it, a pattern like `*.jpg`), a PIL image, an `lta.pictures`
        Picture, an array (H, W), (H, W, C) or (N, H, W, C) with 1, 3 or 4 channels, a tensor (3, H, W) or (N, 3, H, W), or a
        list of these, mixed as you like. Arrays and tensors are uint8 or floats from 0 to 1.

        The network sees them as `data=image_folder` would show them: scaled by the shortest side to the size that it was
        trained on and cut in the centre (nothing is squeezed; what is cut off, the network does not see, and maps cover the
        rest); upright, transparent pixels on white, of an animation the first frame. Random numbers, train or eval mode and
        device stay as they are; no gradient is kept.

        With `skip_broken` pictures that can't be read are left out, and `left_out` of the result says why; without, the
        first one raises ValueError, in one line. So does what is none of these, and a Classifier that was made without
        `hparams`, which does not know its pictures' size.
        """
        if "image_size" not in self.hparams:
            raise ValueError("this network does not know what size of pictures it takes: predict needs one from lta.load")
        height, width = self.hparams["image_size"]
        return predict(self, images, (height, width), batch_size, skip_broken)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """With features that were computed before, the numbers of pictures stay on the CPU, where those are read: to fetch
        them back from a GPU would wait for all that is queued there."""
        moved = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved if self.features is None else (*moved[:2], batch[2], *moved[3:])

    def on_train_epoch_start(self) -> None:
        # Dropout and augmentation depend on seed, epoch and rank alone: a run resumed at an epoch's end goes on exactly.
        torch.manual_seed(_mix(self.seed, self.current_epoch, self.global_rank))
        if (set_epoch := getattr(self.augment, "set_epoch", None)) is not None:
            set_epoch(self.current_epoch, self.seed)
        for weight, epochs in self.trained_for:
            weight.requires_grad_(self.current_epoch < epochs)
        if self.recipe.forgets_momentum(self.current_epoch):
            optimizer = self.optimizers()
            assert not isinstance(optimizer, list)
            optimizer.state.clear()

    def training_step(self, batch: Batch, batch_index: int) -> Float[Tensor, ""]:
        images, labels, numbers = batch
        self._tell_pictures(numbers)
        masks, known = (None, None) if self.masks is None else self.masks.take(numbers, images.device)
        share = 1.0
        if self.features is None:
            seen, masks, share = self._augment(images, masks)
            output = self._network_in_training(seen)
        else:
            mirrored = choose_mirrored(self.augment, len(labels), numbers.device)
            output = self._run_on_features("train", images, numbers, mirrored)
            if masks is not None and mirrored is not None:
                masks = torch.where(mirrored.to(masks.device).view(-1, 1, 1), masks.flip(2), masks)
        loss = self._compute_loss(output, labels, share)
        if masks is not None and known is not None:
            loss = loss + self._compute_mask_loss(output, masks, known)
        self.train_loss.update(loss.detach(), len(labels))
        self.train_error.update(output.logits.detach(), labels if share >= 0.5 else labels.roll(1, 0))
        return loss

    @property
    def _acts_on_pixels(self) -> bool:
        return getattr(self.augment, "acts_on_pixels", False)

    def _augment(self, images: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None, float]:
        """What the network is shown, the masks as their pictures were changed, and how much of each picture is its own: the
        rest is of the one before it."""
        changed = images if self._acts_on_pixels else self.preprocess(images)
        if masks is None:
            changed = self.augment(changed)
        else:
            changed, masks = carry_masks(self.augment, changed, masks)
        changed = self.preprocess(changed) if self._acts_on_pixels else changed
        mixed, share = cast("Any", self.augment).mix(changed) if getattr(self.augment, "mixes", False) else (changed, 1.0)
        return mixed, masks, share

    def _compute_loss(self, output: NetworkOutput, labels: Tensor, share: float) -> Tensor:
        """Of mixed pictures that of both labels by their shares, which is the cross-entropy with a mixed label."""
        loss = self.loss(output, labels)
        return loss if share == 1 else share * loss + (1 - share) * self.loss(output, labels.roll(1, 0))

    def _compute_mask_loss(self, output: NetworkOutput, masks: Tensor, known: Tensor) -> Tensor:
        """Over several processes: their mean is that of all masked pictures of the step."""
        of_masks = find_mask_loss(self.loss)
        assert of_masks is not None
        assert self.masks is not None
        total = of_masks(output.scores, output.attn, self.masks.cover(masks, output.attn), known)
        count = known.sum().to(total.dtype)
        self.train_mask_loss.update(total.detach(), count)
        if self._trainer is not None and self.trainer.world_size > 1:
            count = self.trainer.strategy.reduce(count, reduce_op="mean")
        return of_masks.weight * total / torch.where(count > 0, count, 1)

    def _run_on_features(self, split: str, images: Tensor, numbers: Tensor, mirrored: Tensor | None = None) -> NetworkOutput:
        assert self.features is not None
        give_features(self.network, self.features.take(split, numbers, mirrored, self.device))
        return self._network_in_training(images[:, :, :1, :1].float())  # of which nothing is read

    def _tell_pictures(self, numbers: Tensor) -> None:
        if (set_pictures := getattr(self.augment, "set_pictures", None)) is not None:
            set_pictures(numbers)

    def _network_in_training(self, images: Tensor) -> NetworkOutput:
        return self.network(images)

    def compile_training(self, mode: str | None = None) -> None:
        """From now on training steps run the network through torch.compile, which takes up to minutes at the first; by its
        `mode` "reduce-overhead" as CUDA graphs.

        What is trained for some epochs only keeps its gradient, since without it the network would be compiled again.
        """
        self._network_in_training = torch.compile(self._network_in_training, mode=mode)
        self._is_compiled = True

    def on_train_epoch_end(self) -> None:
        self._agree_on_statistics()  # again, where no validation has come before
        of_masks = {} if self.masks is None else {"train/mask_loss": self.train_mask_loss}
        self._publish({"train/loss": self.train_loss, "train/error": self.train_error, **of_masks})

    def on_validation_start(self) -> None:
        if self.trainer.state.fn == TrainerFn.FITTING:  # else a finished network is looked at
            self._agree_on_statistics()

    def _agree_on_statistics(self) -> None:
        if self.trainer.world_size > 1:
            average_running_statistics(self.network, partial(self.trainer.strategy.reduce, reduce_op="mean"))

    def validation_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> NetworkOutput:
        return self._evaluate(batch, self._name_watched(dataloader_idx), self._select_metrics()[dataloader_idx])

    def _name_watched(self, number: int) -> str:
        """The split whose pictures are looked at, where features of them may be known."""
        if self.features is None:
            return ""
        split = list(get_splits(self.trainer).watched_splits)[number]
        return WHOLE.get(split, split)

    def on_validation_epoch_end(self) -> None:
        for metrics in self._select_metrics():
            if metrics is not None:
                self._publish(metrics)

    def _select_metrics(self) -> list[MetricCollection | None]:
        """Of each split that the data module watches; None for one whose maps alone are looked at."""
        kept = {"val": self.val_metrics, "test_each_epoch": self.test_each_epoch_metrics}
        return [kept.get(name) for name in get_splits(self.trainer).watched_splits]

    def test_step(self, batch: Batch, batch_index: int) -> NetworkOutput:
        return self._evaluate(batch, "test", self.test_metrics)

    def on_test_epoch_end(self) -> None:
        self._publish(self.test_metrics)

    def _evaluate(self, batch: Batch, split: str, metrics: MetricCollection | None) -> NetworkOutput:
        images, labels, numbers = batch
        known = self.features is not None and split in self.features.parts
        output = self._run_on_features(split, images, numbers) if known else self(images)
        if metrics is None:
            return output
        logits = output.logits.float()
        metrics["loss"].update(measure_loss(logits, labels, self.several_labels), len(labels))
        for name, metric in metrics.items(keep_base=True):
            if name != "loss":
                metric.update(logits, labels)
        return output

    def _publish(self, metrics: Any) -> None:
        # Computed here, once, over all processes; `logger=False`: EpochLog writes the row.
        computed = (
            metrics.compute() if isinstance(metrics, MetricCollection) else {k: m.compute() for k, m in metrics.items()}
        )
        self.log_dict(computed, logger=False)
        for metric in metrics.values():
            metric.reset()

    def configure_callbacks(self) -> list[pl.Callback]:
        return self.recipe.callbacks()

    def configure_optimizers(self) -> dict[str, Any]:
        batch_size = get_splits(self.trainer).batch_size * self.trainer.accumulate_grad_batches
        optimizer = self.recipe.optimizer(self.network, batch_size)
        steps = math.ceil(self.trainer.estimated_stepping_batches / self.recipe.epochs)

        def factor(step: int, epochs: float) -> float:
            return self.recipe.learning_rate(step, steps) if step < epochs * steps else 0.0

        ends = [group.get("epochs", math.inf) for group in optimizer.param_groups]
        # Several processes wait for each gradient that they have once agreed on.
        if self.trainer.world_size == 1 and not self._is_compiled:
            pairs = zip(optimizer.param_groups, ends, strict=True)
            self.trained_for = [
                (p, end) for group, end in pairs if end < math.inf for p in group["params"] if p.requires_grad
            ]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [partial(factor, epochs=end) for end in ends])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers."""
    state = 0
    for number in numbers:
        state = (state * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return state
