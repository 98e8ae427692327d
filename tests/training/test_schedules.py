"""Learning rates against the authors' tables (author_spec section 5), as the configuration composes them."""

import pytest
from networks import composed
from omegaconf import OmegaConf

from lta.cli.plugins import CONF
from lta.instantiate import build
from lta.training.schedules import Steps, WarmupCosine

STEPS = 390  # of an epoch of 50,000 images in batches of 128


def authors(data):
    """The schedule and the base rate of recipe=author on that data set."""
    config = composed("recipe=author", f"data={data}")
    return build(config.schedule), config.recipe.lr, config.recipe.epochs


@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
@pytest.mark.parametrize(("epoch", "halvings"), [(1, 0), (24, 0), (25, 1), (49, 1), (50, 2), (299, 11), (300, 12)])
def test_cifar_at_the_start_and_the_end_of_an_epoch(data, epoch, halvings):
    schedule, lr, epochs = authors(data)
    assert (lr, epochs) == (1.0, 300)
    for step in ((epoch - 1) * STEPS, epoch * STEPS - 1):
        assert schedule.factor(step, STEPS, epochs) == pytest.approx(0.5**halvings / (1 + step * 1e-7), rel=1e-12)


@pytest.mark.parametrize(
    ("epoch", "lr"),
    [
        (1, 0.1),
        (29, 0.1),
        (30, 0.2),
        (59, 0.2),
        (60, 0.4),
        (89, 0.4),
        (90, 0.2),
        (120, 0.1),
        (299, 0.003125),
        (300, 0.0015625),
        (320, 0.0015625),
    ],
)
def test_cub(epoch, lr):
    schedule, base, epochs = authors("cub200")
    step = (epoch - 1) * 46
    assert epochs == 320
    assert base * schedule.factor(step, 46, epochs) == pytest.approx(lr / (1 + step * 1e-7), rel=1e-12)


def test_svhn_starts_at_a_tenth():
    schedule, lr, epochs = authors("svhn")
    assert (lr, epochs) == (0.1, 300)
    assert schedule.factor(24 * STEPS, STEPS, epochs) == pytest.approx(0.5 / (1 + 24 * STEPS * 1e-7))


def test_resnets_drop_to_a_fifth_and_forget_their_momentum_there():
    schedule = build(OmegaConf.load(CONF / "schedule" / "author_resnet.yaml"))
    rates = {epoch: schedule.factor((epoch - 1) * 781, 781, 200) for epoch in (1, 59, 60, 119, 120, 160, 200)}
    assert rates == pytest.approx({1: 1, 59: 1, 60: 0.2, 119: 0.2, 120: 0.04, 160: 0.008, 200: 0.008})
    assert [epoch for epoch in range(200) if schedule.forgets_momentum(epoch, 200)] == [59, 119, 159]  # 0-based
    assert not any(authors("cifar10")[0].forgets_momentum(epoch, 300) for epoch in range(300))


def test_every_so_many_epochs_is_the_list_written_out():
    every, listed = Steps(every=3, factor=0.1), Steps([[3, 0.1], [6, 0.1], [9, 0.1]])
    assert [every.factor(step, 4, 11) for step in range(44)] == [listed.factor(step, 4, 11) for step in range(44)]
    of_300 = Steps(every=25, of_epochs=300)
    assert of_300.factor(11 * 25 + 24, 25, 12) == pytest.approx(0.5**12)
    assert Steps().factor(10**6, 390, 300) == 1


def test_a_shortened_training_goes_through_the_same_rates():
    schedule = Steps([[25, 0.5], [50, 0.5], [300, 0.1]], of_epochs=300, reset_momentum=True)
    # of 12 epochs: epoch 25 of 300 begins at 24/25 of the first epoch, epoch 50 at 49/25, epoch 300 at 299/25
    assert [schedule.factor(step, 25, 12) for step in (23, 24, 48, 49, 298, 299)] == pytest.approx(
        [1, 0.5, 0.5, 0.25, 0.25, 0.025]
    )
    assert [epoch for epoch in range(12) if schedule.forgets_momentum(epoch, 12)] == [1, 2]


def test_cosine_without_warmup_starts_at_the_peak():
    assert WarmupCosine(warmup=0.0).factor(0, 10, 1) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": [[0, 0.5]]}, "schedule.changes: epoch=0 must be a whole number, at least 1"),
        ({"changes": [[2, -0.5]]}, "schedule.changes: factor at epoch 2=-0.5 must be a number"),
        ({"changes": [[2, 0.5, 1]]}, r"schedule.changes=.* must be pairs of epoch and factor"),
        ({"step_decay": -1}, "schedule.step_decay=-1 must be a number"),
        ({"of_epochs": 0}, "schedule.of_epochs=0 must be a whole number, at least 1"),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Steps(**options)
