"""Pictures made to be got wrong: none of their values differs from the picture's own by more than eps.

Pictures are floats of 0 to 255 and may lie between the grey levels; eps and steps are in grey levels (units of 1/255 of
the range). `see` is what is attacked: pictures in, NetworkOutput out, normalisation included.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lta.protocols import TrainedClassifier

Images = Float[Tensor, "batch 3 height width"]
Labels = Int[Tensor, " batch"]
ForwardPass = Callable[[Images], Any]

CHUNK = 100
"""Pictures of which a gradient is computed at once: it keeps all activations."""


class StrongestAttack(NamedTuple):
    """Of each picture the strongest found so far: one that is got wrong, else that of the highest loss."""

    pictures: Images
    loss: Float[Tensor, " batch"]
    wrong: Bool[Tensor, " batch"]


@contextmanager
def freeze_parameters(module: TrainedClassifier) -> Iterator[None]:
    """Its parameters ask for no gradient, which saves a tenth of the time and much memory."""
    asking = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


def log_odds(logits: Float[Tensor, "batch classes"], labels: Labels) -> Float[Tensor, " batch"]:
    """log (1 - p) / p of the true class's probability p.

    The cross-entropy is log (1 + exp) of it, so both have gradients of one direction; but this one's does not round to
    zero where the network is sure, which would pass for robustness.
    """
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    return others - logits.gather(1, labels[:, None])[:, 0]


def score(output: Any, labels: Labels) -> tuple[Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Log odds against the true class, and whether another class is predicted."""
    logits = _to_full_precision(output.logits.detach())
    return log_odds(logits, labels), logits.argmax(1) != labels


def gradient(
    see: ForwardPass, pictures: Images, labels: Labels
) -> tuple[Images, Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Of the log odds, to the pictures; and what `score` says of them.

    Raises ValueError where there is no gradient, or it is not finite.
    """
    found = []
    for part, own in zip(pictures.split(CHUNK), labels.split(CHUNK), strict=True):
        with torch.enable_grad():
            part = part.detach().requires_grad_()
            output = see(part)
            loss = log_odds(_to_full_precision(output.logits), own).sum()
            slope = torch.autograd.grad(loss, part, allow_unused=True)[0] if loss.requires_grad else None
        if slope is None:
            raise ValueError("the network can't be attacked: it or its preprocessing lets no gradient through")
        if not slope.isfinite().all():
            raise ValueError("the network can't be attacked: its gradient to a picture is not finite")
        found.append((slope, *score(output, own)))
    slopes, losses, wrong = (torch.cat(parts) for parts in zip(*found, strict=True))
    return slopes, losses, wrong


def perturb_images(clean: Images, direction: Images, eps: float) -> Images:
    """eps in the direction (-1 to 1), kept within 0 to 255: with the gradient's signs the fast gradient sign method
    (Goodfellow et al. 2015), and with random numbers its control."""
    return (clean + eps * direction).clamp(0, 255)


def start_attack(see: ForwardPass, clean: Images, labels: Labels) -> StrongestAttack:
    """The pictures as they are."""
    return StrongestAttack(clean.clone(), *score(see(clean), labels))


def pgd(
    see: ForwardPass,
    clean: Images,
    labels: Labels,
    known: StrongestAttack,
    eps: float,
    step: float,
    steps: int,
    start: Images,
    drop: bool = True,
) -> tuple[StrongestAttack, Float[Tensor, "iterates batch"]]:
    """Projected gradient descent (Madry et al. 2018): from `start`, `steps` times `step` along the gradient's signs.

    `known` are pictures found before, within this eps (`start_attack`, or a smaller eps): what comes back is never
    weaker. With `drop` a picture that is got wrong costs no further work; without, all steps are taken for the highest
    loss, which other networks are shown. Also returned: the loss at each of the steps + 1 iterates, NaN where a picture
    was dropped.
    """
    best = StrongestAttack(*(part.clone() for part in known))
    losses = torch.full((steps + 1, len(clean)), torch.nan, dtype=known.loss.dtype, device=clean.device)
    at = (~best.wrong if drop else torch.ones_like(best.wrong)).nonzero()[:, 0]
    now = _clip_to_eps(start[at], clean[at], eps)
    for number in range(steps + 1):
        if not len(at):
            break
        if number < steps:
            slope, loss, wrong = gradient(see, now, labels[at])
        else:
            slope, (loss, wrong) = None, score(see(now), labels[at])
        losses[number, at] = loss
        stronger = (wrong & ~best.wrong[at]) | ((wrong == best.wrong[at]) & (loss > best.loss[at]))
        for kept, new in zip(best, (now, loss, wrong), strict=True):
            kept[at[stronger]] = new[stronger]
        if slope is None:
            break
        if drop:
            at, now, slope = (part[~wrong] for part in (at, now, slope))
        now = _clip_to_eps(now + step * slope.sign(), clean[at], eps)
    return best, losses


def _to_full_precision(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _clip_to_eps(pictures: Images, clean: Images, eps: float) -> Images:
    return pictures.clamp(clean - eps, clean + eps).clamp(0, 255)
