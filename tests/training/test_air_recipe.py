"""recipe=air: rates and decays as in the source (arXiv 2404.00498), Lookahead, alternating mirrors, the schedule."""

from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from networks import composed, network

from lta.data.base import ImageData
from lta.data.batches import Split
from lta.instantiate import build
from lta.run import summary
from lta.training.classifier import Classifier
from lta.training.flops import count_step_flops
from lta.training.lookahead import Lookahead
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.training.schedules import Triangle
from lta.training.trainer import build_trainer
from lta.transforms.augment import FlipCropCutout
from lta.transforms.normalize import Standardize


@pytest.mark.parametrize("batch", [1024, 256])
def test_rates_and_decays_are_the_sources_under_any_batch_size(batch):
    """There the loss is summed over a batch: rate 11.5 / kilostep, decay 0.0153 batch / kilostep a step, biases 64 fold."""
    built = network("model=air")
    optimizer = build(composed("model=air", "recipe=air", "data=cifar10").recipe).optimizer(built, batch)
    others, biases, first = optimizer.param_groups
    kilostep = 1024 * (1 + 1 / (1 - 0.85))
    assert others["lr"] / batch == pytest.approx(11.5 / kilostep)
    assert biases["lr"] / batch == pytest.approx(64 * 11.5 / kilostep)
    assert first["lr"] == others["lr"]
    for group in optimizer.param_groups:
        assert group["lr"] * group["weight_decay"] == pytest.approx(0.0153 * batch / kilostep, rel=1e-3)
        assert (group["momentum"], group["nesterov"], group["dampening"]) == (0.85, True, 0.0)
    assert sum(p.numel() for p in biases["params"]) == 1152
    assert [p is built.trunk.stages["A"][0].bias for p in first["params"]] == [True]
    assert first["epochs"] == 3
    trained = [p for p in built.parameters() if p.requires_grad]
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {id(p) for p in trained}


def test_triangle():
    schedule = Triangle(start=0.2, peak=0.23, end=0.07)
    factors = [schedule.factor(step, 48, 10) for step in range(481)]
    assert factors[0] == 0.2
    assert factors[110] == 1.0  # int(0.23 * 480)
    assert factors[55] == pytest.approx(0.6)
    assert factors[480] == pytest.approx(0.07)
    assert factors[295] == pytest.approx((1 + 0.07) / 2)
    assert Triangle(peak=0).factor(0, 5, 1) == 1.0


def stand_ins(total, step=0):
    module = Mock(spec=pl.LightningModule, network=torch.nn.Linear(1, 1, bias=False))
    return module, Mock(spec=pl.Trainer, global_step=step, estimated_stepping_batches=total)


def trained_with(callback, steps, total):
    """A network whose only weight is the step's number after each step, if nobody interferes; the weight after each step."""
    module, trainer = stand_ins(total)
    module.network.weight.data.fill_(0.0)
    callback.on_train_start(trainer, module)
    seen = []
    for step in range(1, steps + 1):
        module.network.weight.data.fill_(float(step))
        trainer.global_step = step
        callback.on_train_batch_end(trainer, module, None, None, step)
        seen.append(module.network.weight.item())
    return seen


def test_lookahead_by_hand():
    seen = trained_with(Lookahead(every=2, base=0.5, power=1.0), steps=5, total=5)
    # after 2: keeps 0.25 * 2/5 = 0.1 of 0: 1.8; after 4: 0.25 * 4/5 = 0.2 of 1.8 and 0.8 of 4: 3.56; the end is the average
    assert seen == pytest.approx([1.0, 1.8, 3.0, 3.56, 3.56])


def test_the_power_of_lookahead():
    seen = trained_with(Lookahead(every=2, base=0.5, power=2.0), steps=5, total=5)
    # after 2: keeps 0.25 * (2/5)^2 = 0.04 of 0: 1.92; after 4: 0.25 * (4/5)^2 = 0.16 of 1.92 and 0.84 of 4
    assert seen == pytest.approx([1.0, 1.92, 3.0, 3.6672, 3.6672])


def test_running_statistics_are_averaged_too():
    callback, (module, trainer) = Lookahead(every=2, base=0.5, power=1.0), stand_ins(4)
    module.network = torch.nn.BatchNorm1d(1)
    module.network.running_mean.fill_(0.0)
    callback.on_train_start(trainer, module)
    for step in (1, 2):
        module.network.running_mean.fill_(float(step))
        trainer.global_step = step
        callback.on_train_batch_end(trainer, module, None, None, step)
    assert module.network.running_mean.item() == pytest.approx(1.75)  # 0.25 * 2/4 of 0, the rest of 2
    assert module.network.num_batches_tracked == 0


def test_the_last_steps_are_averaged_too():
    """Also where the number of steps is a multiple of `every`, which it is not in the source."""
    seen = trained_with(Lookahead(every=2, base=0.5, power=1.0), steps=4, total=4)
    # after 2: keeps 0.25 * 2/4 = 0.125 of 0: 1.75; after 4: 0.25 of 1.75 and 0.75 of 4
    assert seen == pytest.approx([1.0, 1.75, 3.0, 3.4375])


def test_a_training_too_short_to_average_is_refused():
    trained_with(Lookahead(), steps=1, total=10)
    with pytest.raises(ValueError, match=r"recipe\.lookahead=true averages every 5 steps, and this training has only 9: "):
        trained_with(Lookahead(), steps=1, total=9)


def test_lookahead_goes_on_where_it_was():
    whole = trained_with(Lookahead(every=2, base=0.5, power=1.0), steps=5, total=5)
    first, second = Lookahead(every=2, base=0.5, power=1.0), Lookahead(every=2, base=0.5, power=1.0)
    trained_with(first, steps=2, total=5)
    second.load_state_dict(first.state_dict())
    module, trainer = stand_ins(5, step=2)
    second.on_train_start(trainer, module)
    for step in (3, 4, 5):
        module.network.weight.data.fill_(float(step))
        trainer.global_step = step
        second.on_train_batch_end(trainer, module, None, None, step)
    assert module.network.weight.item() == pytest.approx(whole[-1])


def test_no_optimiser_step_no_lookahead():
    callback, (module, trainer) = Lookahead(every=2, base=0.5, power=1.0), stand_ins(4)
    module.network.weight.data.fill_(0.0)
    callback.on_train_start(trainer, module)
    trainer.global_step = 2
    module.network.weight.data.fill_(2.0)
    callback.on_train_batch_end(trainer, module, None, None, 0)
    assert module.network.weight.item() == 1.75
    module.network.weight.data.fill_(7.0)
    callback.on_train_batch_end(trainer, module, None, None, 1)  # gradients are accumulated
    assert module.network.weight.item() == 7.0


@pytest.mark.parametrize("lookahead", [False, True])
def test_what_the_recipe_does_to_a_training(tmp_path, lookahead):
    """The whitened convolution's bias stands still after its epochs; with Lookahead the end is the average."""
    built = network("model=air", "model.width=0.0625")
    data = MadeUp()
    data.setup()
    recipe = SGDRecipe(epochs=2, lr=0.05, lr_batch=0, first_bias_epochs=1, lookahead=lookahead)
    classifier = Classifier(built, Standardize(), torch.nn.Identity(), recipe, CrossEntropy(), data.class_names)
    bias = built.trunk.stages["A"][0].bias
    after, had_gradient = [], []

    class Watch(pl.Callback):
        def on_before_optimizer_step(self, trainer, module, optimizer):
            had_gradient.append(bias.grad is not None)

        def on_train_epoch_end(self, trainer, module):
            after.append(bias.detach().clone())

    trainer = build_trainer(2, str(tmp_path), accelerator="cpu", precision="32-true", callbacks=[Watch()])
    trainer.fit(classifier, datamodule=data)
    averaging = [one for one in trainer.callbacks if isinstance(one, Lookahead)]
    assert len(averaging) == lookahead
    if lookahead:
        (average,) = (one.state_dict()["average"] for one in averaging)
        assert all(torch.equal(value, built.state_dict()[name]) for name, value in average.items())
    else:
        assert after[0].abs().min() > 0, "trained in the first epoch"
        assert torch.equal(*after)
    assert had_gradient == [True] * 7 + [False] * 7, "what is no longer trained is not differentiated"
    counted, first, second = (
        summary._count_flops(trainer, classifier, data),
        *(count_step_flops(classifier, 4, 32, 32, epoch) for epoch in (0, 1)),
    )
    convolution = 2 * 4 * 31**2 * 9 * 24 * 4  # whose gradient for its input was for the bias
    assert first - second == convolution
    assert counted == {"steps": 14, "training_flops": 7 * (first + second)}


class MadeUp(ImageData):
    """Twenty-eight pictures of noise, seven batches an epoch."""

    def __init__(self):
        super().__init__(batch_size=4, eval_batch_size=28)

    def load(self):
        images = np.random.default_rng(0).integers(0, 256, (28, 32, 32, 3), dtype=np.uint8)
        split = Split(images, np.arange(28, dtype=np.int64) % 4)
        return ("a", "b", "c", "d"), split, None, split


def mirrored(augment, images, epoch, seed=0, numbers=None):
    augment.set_epoch(epoch, seed)
    augment.set_pictures(torch.arange(len(images)) if numbers is None else numbers)
    out = augment(images)
    same, flipped = (out == images).all((1, 2, 3)), (out == images.flip(3)).all((1, 2, 3))
    assert bool((same ^ flipped).all())
    return flipped


def test_alternating_mirrors_each_picture_every_other_epoch():
    augment = FlipCropCutout(0.5, shift=0, alternate=True)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (4000, 3, 8, 8)) / 64 - 2
    first, second, third = (mirrored(augment, images, epoch) for epoch in range(3))
    assert torch.equal(first, third)
    assert torch.equal(first, ~second)
    assert 0.46 < first.float().mean() < 0.54
    order = torch.randperm(4000)
    assert torch.equal(mirrored(augment, images[order], 0, numbers=order), first[order]), "whatever batch a picture comes in"
    other = mirrored(augment, images, 0, seed=1)
    assert 0.46 < (other == first).float().mean() < 0.54
    other_pixels = images.flip(0) + 1e-6  # preprocessing in a batch of another size may give other last bits
    assert torch.equal(mirrored(augment, other_pixels, 0), first)


def test_alternating_needs_a_half():
    with pytest.raises(ValueError, match=r"augment\.flip=0\.3 must be 0\.5"):
        FlipCropCutout(0.3, alternate=True)


def test_alternating_knows_pictures_by_their_number_in_a_training(tmp_path):
    """Each picture is mirrored in one of two epochs, whatever batches it comes in and whatever preprocessing does."""
    seen = []

    class Watched(FlipCropCutout):
        def forward(self, images):
            numbers = self._numbers
            seen.append((self.epoch, numbers.clone(), self.choose_mirrored(len(images), images.device)))
            self._numbers = numbers
            return super().forward(images)

    augment = Watched(0.5, shift=0, alternate=True)
    data = MadeUp()
    data.setup()
    recipe = SGDRecipe(epochs=2, lr=0.05, lr_batch=0)
    built = network("model=air", "model.width=0.0625")
    classifier = Classifier(built, Standardize(), augment, recipe, CrossEntropy(), data.class_names)
    build_trainer(2, str(tmp_path), accelerator="cpu", precision="32-true").fit(classifier, datamodule=data)
    by_epoch = [
        {int(n): bool(m) for epoch, numbers, chosen in seen if epoch == e for n, m in zip(numbers, chosen, strict=True)}
        for e in range(2)
    ]
    assert by_epoch[0].keys() == by_epoch[1].keys() == set(range(28))
    assert all(by_epoch[0][number] != by_epoch[1][number] for number in range(28))
