"""Attacks on networks whose answer is known by hand, and beside an independent library's."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from lta.evaluators.robustness.attacks import gradient, log_odds, perturb_images, pgd, score, start_attack
from lta.transforms.gcn_zca import GcnZca
from lta.transforms.normalize import Standardize
from lta.transforms.yuv_lcn import YuvLcn


def output(logits):
    return SimpleNamespace(logits=logits, attn={})


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Linear:
    """Two classes: the score of class 1 above class 0 is weights . x + offset, in float64."""

    def __init__(self, values=48, seed=0):
        self.weights = random(values, seed=seed) * 2 - 1
        self.offset = -127.5 * self.weights.sum()

    def __call__(self, pictures):
        above = pictures.flatten(1) @ self.weights + self.offset
        return output(torch.stack([-above / 2, above / 2], 1))

    def margins(self, pictures):
        return (pictures.flatten(1) @ self.weights + self.offset).abs()


def small_network(seed=0):
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 8, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(72, 4)
    )
    return layers.double().eval().requires_grad_(False)


def seen_by(network):
    return lambda pictures: output(network((pictures - 127.5) / 64))


def zeros(pictures):
    return torch.zeros_like(pictures)


@pytest.mark.parametrize("eps", [0.5, 2.0, 8.0])
def test_errors_of_a_linear_network_are_those_of_its_margins(eps):
    """An image falls at eps if and only if its margin is below eps times the L1 norm of the weights."""
    see = Linear()
    pictures = 30 + 195 * random(400, 3, 4, 4, seed=1)  # so far from 0 and 255 that nothing is cut
    labels = see(pictures).logits.argmax(1)
    falls = see.margins(pictures) < eps * see.weights.abs().sum()
    assert 0.02 < falls.double().mean() < 0.98, "a test of both"
    slope, loss, wrong = gradient(see, pictures, labels)
    assert not wrong.any()
    assert torch.allclose(loss, -see.margins(pictures))
    assert torch.equal(slope.sign().flatten(1), torch.where(labels[:, None] == 0, 1, -1) * see.weights.sign())
    assert torch.equal(score(see(perturb_images(pictures, slope.sign(), eps)), labels)[1], falls)
    best, _ = pgd(see, pictures, labels, start_attack(see, pictures, labels), eps, 2.5 * eps / 10, 10, pictures, drop=False)
    assert torch.equal(best.wrong, falls)
    reached = eps * see.weights.abs().sum() - see.margins(pictures)
    assert torch.allclose(best.loss, reached), "the corner of the ball is the optimum"


def test_pictures_stay_in_the_ball_and_in_the_range():
    pictures = torch.tensor([0.0, 3.0, 128.0, 254.0, 255.0], dtype=torch.float64).repeat(60)[: 2 * 48].view(2, 3, 4, 4)
    see = Linear()
    labels = see(pictures).logits.argmax(1)
    start = perturb_images(pictures, 2 * random(2, 3, 4, 4) - 1, 5)
    best, _ = pgd(see, pictures, labels, start_attack(see, pictures, labels), 5, 4, 7, start, drop=False)
    for changed in (best.pictures, perturb_images(pictures, gradient(see, pictures, labels)[0].sign(), 5)):
        assert changed.min() >= 0
        assert changed.max() <= 255
        assert 4 < (changed - pictures).abs().max() <= 5


def test_log_odds_have_the_direction_of_the_cross_entropy():
    logits = (8 * random(5, 4) - 4).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 0])
    entropy = nn.functional.cross_entropy(logits, labels, reduction="none")
    odds = log_odds(logits, labels)
    assert torch.allclose(nn.functional.softplus(odds), entropy)
    (of_odds,), (of_entropy,) = (torch.autograd.grad(x.sum(), logits) for x in (odds, entropy))
    assert torch.allclose(of_entropy, of_odds * odds.sigmoid()[:, None])


def test_a_network_that_is_sure_in_float32_is_attacked_all_the_same():
    """The cross-entropy's gradient would be exactly zero: its probability has rounded to 1."""
    sure = Linear()
    pictures = 30 + 195 * random(50, 3, 4, 4, seed=1)
    labels = sure(pictures).logits.argmax(1)
    far = pictures[sure.margins(pictures) > 200].float(), labels[sure.margins(pictures) > 200]
    sure.weights, sure.offset = sure.weights.float(), sure.offset.float()
    assert len(far[0]) > 3
    logits = sure(far[0]).logits
    assert (logits.softmax(1).amax(1) == 1).all()
    slope, *_ = gradient(sure, *far)
    assert torch.equal(slope.sign().flatten(1), torch.where(far[1][:, None] == 0, 1, -1) * sure.weights.sign())


def test_more_steps_and_larger_eps_never_attack_worse():
    see = seen_by(small_network())
    pictures = 255 * random(80, 3, 8, 8, seed=3)
    labels = see(pictures).logits.argmax(1)
    direction = 2 * random(80, 3, 8, 8, seed=4) - 1
    begun = start_attack(see, pictures, labels)
    found = [
        pgd(see, pictures, labels, begun, 8, 3.0, steps, perturb_images(pictures, direction, 8), drop=False)[0]
        for steps in range(1, 9)
    ]
    for fewer, more in pairwise(found):
        assert (more.loss >= fewer.loss)[more.wrong == fewer.wrong].all()
        assert (more.wrong >= fewer.wrong).all()
    best, falls = begun, []
    for eps in (2, 1, 4):  # also where the order is wrong
        best, _ = pgd(see, pictures, labels, best, eps, 2.5 * eps / 4, 4, perturb_images(pictures, direction, eps))
        falls.append(best.wrong)
    assert (falls[0] <= falls[1]).all()
    assert (falls[1] <= falls[2]).all()
    assert falls[0].sum() < falls[2].sum()


def test_what_has_fallen_is_left_alone_and_costs_nothing():
    asked = []
    see = Linear()

    def counted(pictures):
        asked.append(len(pictures))
        return see(pictures)

    pictures = 30 + 195 * random(60, 3, 4, 4, seed=1)
    labels = see(pictures).logits.argmax(1)
    labels[:20] = 1 - labels[:20]  # wrong from the start
    best, losses = pgd(counted, pictures, labels, start_attack(see, pictures, labels), 4, 1.0, 6, pictures)
    assert asked[0] == 40
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] < 40
    assert torch.equal(best.pictures[:20], pictures[:20])
    assert losses[:, :20].isnan().all()
    again, _ = pgd(see, pictures, labels, start_attack(see, pictures, labels), 4, 1.0, 6, pictures, drop=False)
    assert torch.equal(best.wrong, again.wrong)
    assert (again.loss[:20] > start_attack(see, pictures, labels).loss[:20] + 1).all(), "all steps, for other networks"
    standing = ~best.wrong
    assert torch.allclose(
        losses[:, standing].amax(0).clamp(min=start_attack(see, pictures, labels).loss[standing]), again.loss[standing]
    )


class Rounded(nn.Module):
    def forward(self, images):
        return images.to(torch.uint8).float()


def test_preprocessing_without_a_gradient_is_named():
    weights = torch.ones(48)
    with pytest.raises(ValueError, match="lets no gradient through"):
        gradient(
            lambda x: output(Rounded()(x).flatten(1)[:, :2] * weights[0]), torch.rand(2, 3, 4, 4), torch.zeros(2).long()
        )
    infinite = lambda x: output((x - x.detach()).flatten(1)[:, :2].sqrt())  # noqa: E731
    with pytest.raises(ValueError, match="not finite"):
        gradient(infinite, torch.rand(2, 3, 4, 4), torch.zeros(2).long())


@pytest.mark.parametrize("kind", [Standardize, YuvLcn, GcnZca])
def test_the_gradient_through_each_preprocessing_is_that_of_finite_differences(kind):
    pictures = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 3)).astype(np.uint8)
    preprocess = kind() if kind is Standardize else kind(cache="off")
    preprocess.fit(pictures)
    preprocess.double()
    readout = random(108, 3, seed=5) - 0.5
    see = lambda x: output(preprocess(x).flatten(1).double() @ readout)  # noqa: E731
    some = torch.from_numpy(pictures[:4]).permute(0, 3, 1, 2).contiguous()
    assert torch.equal(preprocess(some), preprocess(some.float())), "floats are the same pictures"
    labels = torch.tensor([0, 1, 2, 0])
    slope, *_ = gradient(see, some.float(), labels)
    direction = 2 * random(4, 3, 6, 6, seed=6) - 1
    step = 0.5
    forward, back = (score(see(some.double() + s * direction), labels)[0] for s in (step, -step))
    expected = (forward - back) / (2 * step)
    assert torch.allclose((slope * direction).sum((1, 2, 3)), expected, rtol=0.03, atol=1e-4)


@pytest.fixture
def foolbox():
    return pytest.importorskip("foolbox", reason="foolbox is in the dev extra")


def test_fgsm_makes_the_pictures_that_foolbox_makes(foolbox):
    network = small_network(1)
    see = seen_by(network)
    pictures = 255 * random(30, 3, 8, 8, seed=7)
    pictures[0] = 0
    labels = see(pictures).logits.argmax(1)
    model = foolbox.PyTorchModel(nn.Sequential(Scaled(), network).eval(), bounds=(0, 255), device="cpu")
    direction = gradient(see, pictures, labels)[0].sign()
    for eps in (0.5, 4.0, 32.0):
        theirs = foolbox.attacks.LinfFastGradientAttack()(model, pictures, labels, epsilons=eps)
        assert torch.allclose(perturb_images(pictures, direction, eps), theirs[1], rtol=0, atol=1e-9)
        assert torch.equal(score(see(perturb_images(pictures, direction, eps)), labels)[1], theirs[2])


def test_pgd_keeps_the_strongest_of_the_pictures_that_foolbox_passes(foolbox):
    """Without random start; foolbox returns the last iterate, so that it is asked for 1, 2, ... steps."""
    network = small_network(2)
    see = seen_by(network)
    pictures = 255 * random(30, 3, 8, 8, seed=8)
    labels = see(pictures).logits.argmax(1)
    model = foolbox.PyTorchModel(nn.Sequential(Scaled(), network).eval(), bounds=(0, 255), device="cpu")
    eps, step, steps = 6.0, 4.0, 7
    passed = [pictures]
    for number in range(1, steps + 1):
        attack = foolbox.attacks.LinfProjectedGradientDescentAttack(abs_stepsize=step, steps=number, random_start=False)
        passed.append(attack(model, pictures, labels, epsilons=eps)[1])
    scored = [score(see(one), labels) for one in passed]
    strength = torch.stack([loss + 1000 * wrong for loss, wrong in scored])
    strongest = strength.argmax(0)
    expected = torch.stack(passed)[strongest, torch.arange(30)]
    best, losses = pgd(see, pictures, labels, start_attack(see, pictures, labels), eps, step, steps, pictures, drop=False)
    assert torch.allclose(best.pictures, expected, rtol=0, atol=1e-9)
    assert torch.allclose(losses, torch.stack([loss for loss, _ in scored]), rtol=0, atol=1e-9)
    assert (strongest < steps).any(), "the last is not always the strongest"


class Scaled(nn.Module):
    def forward(self, pictures):
        return (pictures - 127.5) / 64
