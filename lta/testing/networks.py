"""A network of one's own against `lta.protocols.Network`, and `QueriedNetwork` where its queries can be replaced."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from lta.models.output import NetworkOutput
from lta.protocols import Network, QueriedNetwork, takes_queries
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


def check_network(build: Callable[[int], nn.Module], image_size: int = 32, num_classes: int = 5) -> None:
    """`build(num_classes)` makes a network, as `partial(MyNetwork, compat=Cosine)` does. It is tried on square pictures of
    `image_size` pixels: seconds, where it is built narrow.

    What is checked: the output's parts and their shapes, with other numbers of classes and a batch of one; maps by `levels`,
    in float32, not negative, with softmax of sum 1; the same answer twice in eval mode, whatever else is in the batch, and
    from another one with the same state_dict; gradients; and of queries that the right maps notice them.
    """
    with draw_the_same():
        module = build(num_classes)
        require(isinstance(module, nn.Module), module, "it is not an nn.Module")
        require_members(module, Network)
        network = cast("Network", module)
        images = torch.randn(BATCH, 3, image_size, image_size)
        perturb_weights(module)
        module.train()
        for _ in range(2):  # for running statistics that belong to these weights
            _run(network, images, num_classes)
        module.eval()
        with torch.no_grad():
            output = _check_answers(network, images, num_classes)
            _check_kept(module, build(num_classes), images, output)
            other = build(num_classes + 2)
            _run(cast("Network", other.eval()), images, num_classes + 2)
            if takes_queries(network):
                _check_queries(network, images, output)
        allowed = network.inert_parameters if takes_queries(network) else 0
        check_gradients(module, compute_loss(network(images).loss_logits), allowed)


def _run(network: Network, images: Tensor, num_classes: int) -> NetworkOutput:
    """What it returns, checked."""
    batch, output = len(images), network(images)
    require(isinstance(output, NetworkOutput), network, f"it returns {type(output).__name__}, not a NetworkOutput")
    check_logits(network, output.logits, output.loss_logits, num_classes, batch)
    check_classifiers(network, network.classifiers, num_classes)
    require(isinstance(network.levels, tuple), network, f"levels must be a tuple of names, but is {network.levels!r}")
    keys = tuple(output.attn)
    require(keys == network.levels, network, f"attn has the keys {keys}, but levels is {network.levels}")
    require(tuple(output.scores) == keys, network, f"scores has the keys {tuple(output.scores)}, and attn {keys}")
    for level, attn in output.attn.items():
        shape = tuple(attn.shape)
        fits = len(shape) == 3 and shape[0] == batch
        require(fits, network, f"the map of {level} has the shape {shape}, not (batch, rows, columns)")
        require(attn.dtype == torch.float32, network, f"the map of {level} is {attn.dtype}, not float32")
        same = output.scores[level].shape == attn.shape
        require(same, network, f"scores of {level} have the shape {tuple(output.scores[level].shape)}, its map {shape}")
        fits = bool(attn.isfinite().all()) and float(attn.detach().min()) >= 0
        require(fits, network, f"the map of {level} holds values below 0 or not-a-number values")
        if takes_queries(network) and network.attention[level].normaliser == "softmax":
            total = attn.detach().sum((1, 2))
            require(are_alike(total, torch.ones(batch)), network, f"the map of {level} sums to {total[0]:.4g}, not to 1")
    return output


def _check_answers(network: Network, images: Tensor, num_classes: int) -> NetworkOutput:
    before = images.clone()
    output = _run(network, images, num_classes)
    require(torch.equal(images, before), network, "it changes the pictures that it is given")
    same = torch.equal(output.logits, network(images).logits)
    require(same, network, "the same pictures give different logits the second time, in eval mode")
    one = _run(network, images[:1], num_classes)
    require(are_alike(one.logits, output.logits[:1]), network, "a picture's logits depend on what else is in the batch")
    with torch.autocast("cpu", torch.bfloat16):
        for level, attn in network(images).attn.items():
            require(attn.dtype == torch.float32, network, f"under autocast the map of {level} is {attn.dtype}, not float32")
    return output


def _check_kept(module: nn.Module, fresh: nn.Module, images: Tensor, output: NetworkOutput) -> None:
    fresh.load_state_dict(module.state_dict())
    same = torch.equal(fresh.eval()(images).logits, output.logits)
    require(same, module, "a second network with its state_dict gives different logits: part of its state is missing there")


def _check_queries(network: QueriedNetwork, images: Tensor, output: NetworkOutput) -> None:
    levels, acting, inert = network.levels, network.acting_levels, network.inert_levels
    parted = set(acting) | set(inert) == set(levels) and not set(acting) & set(inert)
    require(parted, network, f"acting_levels {acting} and inert_levels {inert} must split levels {levels} between them")
    require(set(network.queries) == set(levels), network, f"queries has the keys {tuple(network.queries)}, not {levels}")
    sources = {source for source in network.queries.values() if source is not None}
    made = set(output.global_feats)
    require(made >= sources, network, f"global_feats has the keys {made}, and queries names {sources}")
    own = network(images, output.global_feats)
    require(are_alike(own.logits, output.logits), network, "given its own queries, it gives different logits")
    for source in sources:
        query = output.global_feats[source]
        given = network(images, {source: query + 2 * query.std() * torch.randn_like(query)})
        readers = [level for level in levels if network.queries[level] == source]
        for level in readers:
            moved = not are_alike(given.attn[level], output.attn[level])
            require(moved or level in inert, network, f"acting_levels has {level}, whose map does not notice its query")
        if set(readers) <= set(inert):
            same = are_alike(given.logits, output.logits)
            require(same, network, f"inert_levels has {', '.join(readers)}, and the logits notice their query")
