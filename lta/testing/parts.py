"""Parts of a network, and an effect, of one's own."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lta.layers.compatibility import Compatibility
from lta.layers.heads import Prediction
from lta.protocols import Effect, Head
from lta.testing.requirements import (
    BATCH,
    are_alike,
    check_classifiers,
    check_gradients,
    check_logits,
    compute_loss,
    draw_the_same,
    perturb_weights,
    require,
    require_members,
)


def check_compat(build: Callable[[int], nn.Module], channels: int = 8) -> None:
    """`build(channels)` makes a compatibility function. What is checked: shape and precision of the scores, that they are
    each picture's own, gradients, and whether `reads_query` and `separable` say of the query what is so."""
    with draw_the_same():
        compat = build(channels)
        require(isinstance(compat, Compatibility), compat, "it is not an lta.layers.compatibility.Compatibility")
        assert isinstance(compat, Compatibility)
        for name in ("separable", "reads_query"):
            require(isinstance(getattr(compat, name, None), bool), compat, f"{name} must be True or False")
        perturb_weights(compat)
        local, query, other = torch.randn(BATCH, channels, 3, 5), torch.randn(BATCH, channels), torch.randn(BATCH, channels)
        scores = compat(local, query)
        shape = tuple(scores.shape)
        require(shape == (BATCH, 3, 5), compat, f"scores have the shape {shape}, not (batch, rows, columns)")
        require(bool(scores.isfinite().all()), compat, "scores are not finite")
        rough = compat(local.bfloat16(), query.bfloat16()).dtype
        require(rough == torch.float32, compat, f"scores of bfloat16 features are {rough}, not float32")
        alone = compat(local[:1], query[:1])
        require(are_alike(alone, scores[:1]), compat, "a picture's scores depend on what else is in the batch")
        _check_query_flags(compat, local, query, other)
        check_gradients(compat, scores.square().sum())


def _check_query_flags(compat: Compatibility, local: Tensor, query: Tensor, other: Tensor) -> None:
    with torch.no_grad():
        scores, changed = compat(local, query).flatten(1), compat(local, other).flatten(1)
        reads = not are_alike(changed, scores)
        words = "depend" if reads else "do not depend"
        require(reads == compat.reads_query, compat, f"reads_query is {compat.reads_query}, and scores {words} on the query")
        separable = _differ_by_one_number(changed, scores)
        words = "the same" if separable else "not the same"
        said = f"separable is {compat.separable}, and another query adds {words} to all of a picture's scores"
        require(separable == compat.separable, compat, said)
        if compat.separable:
            same = _differ_by_one_number(compat(local, None).flatten(1), scores)
            require(same, compat, "separable is True, and without a query (None) the scores differ by more than one number")


def _differ_by_one_number(one: Tensor, other: Tensor) -> bool:
    """In each row, but for rounding."""
    return are_alike(one - (one - other)[:, :1], other)


def check_head(build: Callable[[Sequence[int], int, float], nn.Module], num_classes: int = 5) -> None:
    """`build(channels, num_classes, dropout)` makes a head: one descriptor of each number of channels in, logits out."""
    with draw_the_same():
        for channels in ([6], [6, 4]):
            head = build(channels, num_classes, 0.5).eval()
            require_members(head, Head)
            perturb_weights(head)
            prediction = head([torch.randn(BATCH, width) for width in channels])
            require(isinstance(prediction, Prediction), head, f"it returns {type(prediction).__name__}, not a Prediction")
            check_logits(head, prediction.logits, prediction.loss_logits, num_classes, BATCH)
            check_classifiers(head, getattr(head, "classifiers", ()), num_classes)
            check_gradients(head, compute_loss(prediction.loss_logits))


def check_effect(effect: Effect) -> None:
    """`effect(picture, attention, alpha)`, all its settings bound, as `partial(fade, strength=0.5)` has them."""
    with draw_the_same():
        picture = torch.randint(0, 256, (3, 24, 40), dtype=torch.uint8)
        alpha = torch.randint(0, 256, (24, 40), dtype=torch.uint8)
        for attention in (torch.rand(24, 40), torch.zeros(24, 40), torch.ones(24, 40)):
            for opacity in (None, alpha):
                given = picture.clone(), attention.clone(), None if opacity is None else opacity.clone()
                result = effect(*given)
                kept = torch.equal(given[0], picture) and torch.equal(given[1], attention)
                require(kept, effect, "it changes the picture or the attention that it is given")
                fits = result.dtype == torch.uint8 and result.ndim == 3 and result.shape[0] in (3, 4)
                found = f"{result.dtype} {tuple(result.shape)}"
                require(fits, effect, f"the result is {found}, not uint8 (3 or 4, height, width)")
                again = effect(picture, attention, opacity)
                require(torch.equal(result, again), effect, "the same picture and attention give a different result")
