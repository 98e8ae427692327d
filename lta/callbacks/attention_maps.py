"""A fixed panel of pictures and their attention maps, drawn as training goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from PIL import Image
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from lta import checks
from lta.callbacks.found_objects import find_shown_masks
from lta.callbacks.own_attention import compute_own_attention, place_own_attention
from lta.measures.label_sets import HALF, compute_probabilities, gives_several_labels, join_labels, list_names
from lta.measures.map_statistics import total_variation
from lta.measures.placement import Placement, find_placements
from lta.protocols import Network, TrainedClassifier, get_splits
from lta.runtime.files import replace_file
from lta.runtime.teachers import add_teachers
from lta.viz.colour import UPSAMPLING
from lta.viz.panel import Example, panel

KEY = "callbacks.attention_maps"


def describe_age(epoch: int) -> str:
    """Of the network after that epoch, counted from 0: as the console and the report count, from 1."""
    return f"after {epoch + 1} epoch{'s' * (epoch > 0)}"


class Panel(NamedTuple):
    """What was drawn in an epoch: the sheet, and what it was drawn of (nothing, where the sheet was read from disk)."""

    epoch: int
    sheet: Image.Image
    examples: Sequence[Example] = ()
    upsampling: str = "nearest"

    def strips(self) -> list[tuple[Image.Image, str]]:
        """Each picture with its maps, and its caption; the whole sheet in one, where nothing else is left."""
        if not self.examples:
            return [(self.sheet, describe_age(self.epoch))]
        return [(panel([one], upsampling=self.upsampling, legend=False), caption(one)) for one in self.examples]


class AttentionMaps(pl.Callback):
    """Draws `images` validation pictures, always the same ones and evenly many of each class, with their maps.

    After validation, in every `every_n_epochs`-th epoch and the last of `max_epochs`: writes
    `<directory>/attention/epoch_0003.png` (`directory` is the trainer's root directory unless given) and logs
    `attention/<level>/change`: the share of attention that moved since the panel before, 0 to 1, mean over the pictures.
    `drawn` hands the panel to EpochSend, which shows it to W&B and TensorBoard in the epoch's row. Without a validation
    set training pictures are drawn. Where masks teach the maps, or the data set has masks of some pictures, their outlines
    are drawn too. Of a pretrained ViT, the map of its own class token stands beside the learned ones.

    The network sees the pictures in evaluation mode, in the trainer's precision, each process its share; neither
    random numbers nor any state of the network change. The maps before are kept in checkpoints, so that a resumed run
    logs what an undisturbed one does.
    """

    def __init__(
        self,
        images: int = 16,
        every_n_epochs: int = 1,
        upsampling: str = "nearest",
        directory: str | Path | None = None,
    ):
        super().__init__()
        checks.require_whole_number(f"{KEY}.images", images, least=1)
        checks.require_whole_number(f"{KEY}.every_n_epochs", every_n_epochs, least=1)
        checks.require_choice(f"{KEY}.upsampling", upsampling, UPSAMPLING)
        self.images, self.every_n_epochs = images, every_n_epochs
        self.upsampling, self.directory = upsampling, directory
        self._index = torch.zeros(0, dtype=torch.long)  # which pictures of the split
        self._drawn: int | None = None  # epoch of the last panel
        self._maps: dict[str, Tensor] = {}  # its maps, (images, height, width) by level, on the CPU
        self._panel: Panel | None = None
        self._placements: dict[str, Placement] = {}

    # When.

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if getattr(trainer, "datamodule", None) is None:
            raise ValueError(f"{KEY} chooses its pictures from a data module: give trainer.fit one, or leave it out")
        self._split, index = get_splits(trainer).choose_examples(self.images)
        self._index = torch.from_numpy(index)
        self._drawn, self._maps = None, {}
        height, width = self._split.images.shape[1:3]
        network = cast("Network", pl_module.network)
        self._placements = find_placements(network, (height, width)) | place_own_attention(network, (height, width))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking and self._is_due(trainer):
            self._draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if sum(trainer.num_val_batches) == 0 and self._is_due(trainer):
            self._draw(trainer, pl_module)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        epoch = trainer.current_epoch
        if self._drawn is None:
            return True
        return epoch >= self._drawn + self.every_n_epochs or (epoch > self._drawn and epoch + 1 == trainer.max_epochs)

    def state_dict(self) -> dict[str, Any]:
        return {"index": self._index, "epoch": self._drawn, "maps": self._maps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if torch.equal(state_dict["index"], self._index):  # else the panel was changed: nothing to compare with
            self._drawn, self._maps = state_dict["epoch"], state_dict["maps"]

    def get_panel(self, trainer: pl.Trainer, epoch: int) -> Panel | None:
        """What was drawn in that epoch, on rank zero: if it was the last panel all of it, else the sheet on disk."""
        if self._panel is not None and self._panel.epoch == epoch:
            return self._panel
        path = self._path(trainer, epoch)
        return Panel(epoch, Image.open(path)) if path.is_file() else None

    # What. Every process runs all of it: only writing is left to the first.

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch
        maps, own, predicted, confidence = self._compute_maps(trainer, pl_module)
        if trainer.is_global_zero:
            names = get_splits(trainer).class_names
            pictures = self._split.take(self._index.numpy())
            masks = find_shown_masks(pl_module, pictures)
            examples = [
                Example(
                    image=pictures.images[i],
                    maps={level: attn[i].numpy() for level, attn in {**maps, **own}.items()},
                    label=_name_label(pictures.labels[i], names),
                    predicted=_name_label(predicted[i].numpy(), names),
                    confidence=confidence[i].item(),
                    mask=None if masks is None else masks.get(i),
                    placements=self._placements,
                )
                for i in range(len(self._index))
            ]
            self._publish(trainer, examples, epoch)
        changes = {
            f"attention/{level}/change": total_variation(attn, self._maps[level]).mean()
            for level, attn in maps.items()
            if level in self._maps
        }
        pl_module.log_dict(changes, logger=False)
        self._drawn, self._maps = epoch, maps

    def _compute_maps(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Int[Tensor, " images *classes"], Float[Tensor, " images"]]:
        """Maps by level, those of a pretrained ViT by itself, predicted classes and their probabilities, of the whole panel,
        on the CPU; of several labels which are there, and the highest probability."""
        count, world = len(self._index), trainer.world_size
        share = -(-count // world)
        mine = np.resize(self._index.numpy(), share * world)[trainer.global_rank :: world]  # equal shapes: padded
        images = torch.from_numpy(self._split.images[mine]).permute(0, 3, 1, 2).to(pl_module.device)
        training = [module for module in pl_module.modules() if module.training]
        pl_module.eval()
        own_random_numbers = torch.random.fork_rng([images.device] if images.is_cuda else [])
        try:
            with torch.no_grad(), own_random_numbers, trainer.precision_plugin.forward_context():
                output = pl_module(images)
                own = compute_own_attention(cast("TrainedClassifier", pl_module), images)
        finally:
            for module in training:
                module.training = True

        def gather_whole(part: Tensor) -> Tensor:
            # One device adds no axis for the processes. Picture i was seen by process i % world.
            parts = trainer.strategy.all_gather(part).reshape(world, share, *part.shape[1:])
            return parts.transpose(0, 1).reshape(world * share, *part.shape[1:])[:count].cpu()

        several = gives_several_labels(pl_module)
        shares = compute_probabilities(output.logits.detach(), several)
        confidence, predicted = shares.max(1)
        predicted = (shares >= HALF).long() if several else predicted
        maps, own = (
            {level: gather_whole(attn.detach().float()) for level, attn in found.items()} for found in (output.attn, own)
        )
        return maps, own, gather_whole(predicted), gather_whole(confidence)

    def _publish(self, trainer: pl.Trainer, examples: list[Example], epoch: int) -> None:
        title = add_teachers(describe_age(epoch), trainer.lightning_module.hparams.get("taught_by"))
        sheet = panel(examples, title, self.upsampling)
        path = self._path(trainer, epoch)
        with replace_file(path, one_writer=True) as file:
            sheet.save(file, format="PNG", compress_level=3)
        self._panel = Panel(epoch, sheet, examples, self.upsampling)

    def _path(self, trainer: pl.Trainer, epoch: int) -> Path:
        return Path(self.directory or trainer.default_root_dir, "attention", f"epoch_{epoch:04d}.png")


def _name_label(label: np.ndarray | np.integer, names: Sequence[str]) -> str:
    """A class's name, or those of several labels."""
    if isinstance(label, np.ndarray) and label.ndim:
        return join_labels(list_names(label, names), "none")
    return names[int(label)]


def caption(example: Example) -> str:
    """What stands below a picture in W&B: label, prediction and its probability in percent."""
    return f"{example.label}: predicted {example.predicted}, {100 * example.confidence:.0f} %"
