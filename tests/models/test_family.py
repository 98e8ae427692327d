"""Every network by its name: the authors' counts, map shapes, which query acts, pruning, junctions."""

import pytest
import torch
from networks import COUNTS, double, network, tiny

from lta.training.gradients import average_at_junctions

ATTENTION = (
    "vgg_att1",
    "vgg_att2",
    "vgg_att3",
    "vgg_att2_two_globals",
    "vgg_att3_three_globals",
    "vgg_att3_upprojecting",
    "vgg_pan",
    "vgg_progressive_hl",
    "vgg_progressive_ll",
    "rn_att1",
    "rn_att2",
)
PLAIN = ("vgg", "vgg_late", "vgg_gap", "rn164")
ACTING = {"vgg_pan": ("B",)}
"""Levels whose query acts with pc as each network is published."""


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("named", COUNTS, ids="-".join)
def test_parameters_equal_the_authors_to_the_unit(named):
    overrides = [f"{group}={choice}" for group, choice in zip(("model", "compat", "head"), named, strict=False)]
    with torch.device("meta"):
        assert tuple(count(network(*overrides, num_classes=classes)) for classes in (10, 100)) == COUNTS[named]


def test_the_resnet_without_its_classifier_as_the_authors_noted():
    with torch.device("meta"):
        plain = network("model=rn164")
    assert count(plain.trunk) == 1_700_176
    assert count(plain.trunk) + count(plain.classifier[0]) == 1_700_688


@pytest.mark.parametrize(
    ("model", "channels"),
    [
        ("vgg_att2_two_globals", {"B": 32, "C": 32}),
        ("vgg_att3", {"A": 16, "B": 32, "C": 32}),
        ("vgg_att3_upprojecting", {"A": 32, "B": 32, "C": 32}),
        ("vgg_pan", {"C": 32}),
        ("vgg_progressive_ll", {"C": 32}),
        ("rn_att1", {"C": 64}),
        ("rn_att2", {"B": 32, "C": 64}),
    ],
)
def test_what_the_head_reads(model, channels):
    """At a sixteenth (ResNets: a quarter) of the published channels."""
    output = network(f"model={model}", *tiny(model)).eval()(torch.zeros(2, 3, 32, 32))
    assert {level: d.shape[1] for level, d in output.descriptors.items()} == channels


STRIDES = {"A": 1, "B": 2, "C": 4}


@pytest.mark.parametrize("size", [(32, 32), (40, 64), (96, 96)])
@pytest.mark.parametrize("model", ATTENTION)
def test_map_shapes_and_sums(model, size):
    built = network(f"model={model}", "model.init.scorer=author", *tiny(model), num_classes=7).eval()
    output = built(torch.randn(2, 3, *size))
    assert output.logits.shape == (2, 7)
    assert tuple(output.attn) == built.levels == tuple(sorted(built.levels))
    for level, attn in output.attn.items():
        stride = 8 if model == "rn_att1" else STRIDES[level]
        assert attn.shape == output.scores[level].shape == (2, size[0] // stride, size[1] // stride)
        if built.attention[level].normaliser == "softmax":
            torch.testing.assert_close(attn.sum((1, 2)), torch.ones(2))
        else:
            assert attn.min() > 0
            assert attn.max() < 1
            torch.testing.assert_close(attn, output.scores[level].sigmoid())


@pytest.mark.parametrize("model", PLAIN)
@pytest.mark.parametrize("size", [32, 50, 96])
def test_plain_networks_take_any_size(model, size):
    assert network(f"model={model}", *tiny(model)).eval()(torch.randn(2, 3, size, size)).logits.shape == (2, 10)


def queries(built, images):
    return {level: torch.randn_like(g).requires_grad_() for level, g in built(images).global_feats.items()}


@pytest.mark.parametrize("head", ["concat", "indep"])
@pytest.mark.parametrize("model", ATTENTION)
def test_which_query_acts_with_pc(model, head):
    built = double(model, "compat=pc", f"head={head}")
    acting = ACTING.get(model, ())
    assert built.acting_levels == acting
    assert built.inert_levels == tuple(level for level in built.levels if level not in acting)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    given = queries(built, images)
    own, other = built(images), built(images, given)
    for level in built.levels:
        moved = (own.attn[level] - other.attn[level]).abs().max()
        assert own.attn[level].std() > 1e-3 * own.attn[level].mean(), "a constant map would tell nothing"
        if level in acting:
            assert moved > 1e-6
        elif acting and level > acting[0]:
            continue  # behind a gate that moved
        else:
            assert moved < 1e-13
    gradients = dict(zip(given, torch.autograd.grad(other.logits.square().sum(), list(given.values())), strict=True))
    for source, gradient in gradients.items():
        assert (gradient.abs().max() > 1e-9) == any(built.queries[level] == source for level in acting), source
    assert ((own.logits - other.logits).abs().max() > 1e-9) == bool(acting)


@pytest.mark.parametrize("compat", ["dp", "additive"])
@pytest.mark.parametrize("model", ATTENTION)
def test_with_other_scores_every_query_acts(model, compat):
    built = double(model, f"compat={compat}")
    assert built.inert_levels == ()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    given = queries(built, images)
    output = built(images, given)
    for level in built.levels:
        source = built.queries[level]
        (gradient,) = torch.autograd.grad(output.attn[level].square().sum(), given[source], retain_graph=True)
        assert gradient.abs().max() > 1e-12


@pytest.mark.parametrize(("compat", "acting"), [("uniform", ()), ("frozen", ("B",))])
def test_the_controls_without_learning(compat, acting):
    """In `vgg_pan`, whose gate is a sigmoid: the query of a frozen pc acts there, that of uniform scores nowhere."""
    built = double("vgg_pan", f"compat={compat}")
    assert built.acting_levels == acting
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    own, other = built(images), built(images, queries(built, images))
    assert ((own.attn["B"] - other.attn["B"]).abs().max() > 1e-6) == bool(acting)
    if compat == "uniform":
        assert own.attn["B"].unique().tolist() == [0.5]
        assert own.attn["C"].unique().tolist() == [1 / 64]


@pytest.mark.parametrize("scorer", ["zero", "author"])
def test_initialisation_leaves_frozen_weights_alone(scorer):
    built = network("model=vgg_att2", "compat=frozen", f"model.init.scorer={scorer}", *tiny("vgg_att2"))
    weights = [unit.compat.weight for unit in built.attention.values()]
    assert all(weight.std() > 0 for weight in weights)
    assert not torch.equal(*weights)
    again = network("model=vgg_att2", "compat=frozen", "model.init.scorer=zero", *tiny("vgg_att2"))
    assert all(torch.equal(w, unit.compat.weight) for w, unit in zip(weights, again.attention.values(), strict=True))


@pytest.mark.parametrize("compat", ["uniform", "frozen"])
def test_the_controls_can_be_pruned(compat):
    whole = double("vgg_att3", f"compat={compat}")
    pruned = double("vgg_att3", f"compat={compat}", "model.prune_inert_query=true")
    assert not pruned.load_state_dict(whole.state_dict(), strict=False).missing_keys
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(whole(images).logits, pruned(images).logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", ATTENTION)
def test_pruning_changes_neither_logits_nor_gradients(model):
    whole = double(model).train()
    pruned = double(model, "model.prune_inert_query=true").train()
    missing, unexpected = pruned.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    assert all("branches" in key or "project" in key for key in unexpected)
    assert whole.inert_parameters == count(whole) - count(pruned) > 0
    assert pruned.inert_parameters == 0
    assert pruned.pruned_levels == whole.inert_levels
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    for built in (whole, pruned):
        torch.manual_seed(1)
        built.output = built(images)
        torch.nn.functional.cross_entropy(built.output.logits, labels).backward()
    torch.testing.assert_close(whole.output.logits, pruned.output.logits, rtol=0, atol=1e-11)
    in_whole = dict(whole.named_parameters())
    for name, parameter in pruned.named_parameters():
        torch.testing.assert_close(parameter.grad, in_whole[name].grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("model", ATTENTION)
def test_unpruned_every_parameter_stays_in_the_graph(model):
    """DDP and weight decay treat the dead branches as the authors' code does."""
    built = network(f"model={model}", *tiny(model))
    built(torch.randn(4, 3, 32, 32)).logits.sum().backward()
    assert all(p.grad is not None for p in built.parameters())


def test_a_gate_passes_on_the_gated_features_alone():
    """Level C of the progressive networks is computed from attn_i l_i of the gate, and from nothing else."""
    for model, gated in (("vgg_progressive_hl", "B"), ("vgg_pan", "B"), ("vgg_progressive_ll", "A")):
        built = double(model)
        images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
        x = images
        for level, stage in built.trunk.stages.items():
            x = stage(x)
            if level == gated:
                x = x * built(images).attn[level].unsqueeze(1)
        attn = built(images).attn["C"]
        torch.testing.assert_close(built(images).descriptors["C"], torch.einsum("bhw,bchw->bc", attn, x))


def test_level_a_is_projected_where_the_authors_do_it():
    built = network("model=vgg_att3_upprojecting", "model.width=0.5")
    assert built.attention["A"].project_local.weight.shape == (256, 128, 1, 1)
    assert built.attention["A"].project_local.bias is not None
    assert built.attention["B"].project_local is None
    expected = (2 / 256) ** 0.5  # fan-out of a 1x1 convolution
    assert built.attention["A"].project_local.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert [type(m).__name__ for m in built.attention["A"].project] == ["BatchNorm1d", "ReLU", "Dropout"]


def test_the_paper_at_80_by_80():
    """CUB (author_spec section 7): the maps of CIFAR, level A enlarged from 16x16, and the baseline's last pools."""
    images = torch.randn(2, 3, 80, 80)
    output = network("model=vgg_att3", "model.pools=cub", *tiny("vgg")).eval()(images)
    assert [tuple(attn.shape[1:]) for attn in output.attn.values()] == [(32, 32), (16, 16), (8, 8)]
    plain = network("model=vgg", "model.pools=cub", *tiny("vgg")).eval()
    assert plain.trunk.features(images).levels["C"].shape[2:] == (3, 3)
    assert plain.trunk.features(images).levels["B"].shape[2:] == (10, 10)
    assert plain(images).logits.shape == (2, 10)


def test_enlarging_level_a_changes_nothing_for_the_levels_behind_it():
    """The 2-level networks of the authors pool 5x5 straight to 16x16: the same features at B."""
    trunk = network("model=vgg_att2", "model.pools=cub", *tiny("vgg")).eval().trunk
    stages = dict(trunk.stages)
    at_a = torch.nn.Sequential(*list(stages["A"])[:-1])  # without the enlargement
    pooled = at_a(torch.randn(2, 3, 80, 80))
    behind = torch.nn.Sequential(*list(stages["B"])[1:])  # without its 2x2 pool
    torch.testing.assert_close(behind(pooled), stages["B"](stages["A"][-1](pooled)))


# The authors' averaged gradient (author_spec section 4).

SHARES = {  # what of the true gradient reaches each stage's parameters, by the level whose descriptor alone is in the loss
    "vgg_att1": {"C": {"A": 1 / 2, "B": 1 / 2, "C": 1 / 2}},
    "vgg_att2": {"B": {"A": 1 / 2, "B": 1 / 2}, "C": {"A": 1 / 4, "B": 1 / 4, "C": 1 / 2}},
    "vgg_att3": {"A": {"A": 1 / 2}, "B": {"A": 1 / 4, "B": 1 / 2}, "C": {"A": 1 / 8, "B": 1 / 4, "C": 1 / 2}},
    "vgg_att3_upprojecting": {"A": {"A": 1 / 2}, "B": {"A": 1 / 4, "B": 1 / 2}, "C": {"A": 1 / 8, "B": 1 / 4, "C": 1 / 2}},
    "vgg_att2_two_globals": {"B": {"A": 1 / 3, "B": 1 / 3}, "C": {"A": 1 / 6, "B": 1 / 6, "C": 1 / 2}},
    "vgg_att3_three_globals": {"A": {"A": 1 / 3}, "B": {"A": 1 / 6, "B": 1 / 2}, "C": {"A": 1 / 12, "B": 1 / 4, "C": 1 / 2}},
    "vgg_progressive_hl": {"C": {"A": 1 / 4, "B": 1 / 4, "C": 1 / 2}},
    "vgg_pan": {"C": {"A": 1 / 4, "B": 1 / 4, "C": 1 / 2}},
    "vgg_progressive_ll": {"C": {"A": 1 / 4, "B": 1 / 2, "C": 1 / 2}},
    "rn_att1": {"C": {"A": 1 / 2, "B": 1 / 2, "C": 1 / 2}},
    "rn_att2": {"B": {"A": 1 / 2, "B": 1 / 2}, "C": {"A": 1 / 4, "B": 1 / 4, "C": 1 / 2}},
}


def averaging(built, on):
    average_at_junctions(built, on)
    return built.train()


def gradients(built, level, images):
    output = built(images)
    built.zero_grad()
    output.descriptors[level].square().sum().backward()
    return {name: p.grad.clone() for name, p in built.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("pruned", [False, True], ids=["whole", "pruned"])
@pytest.mark.parametrize("model", ATTENTION)
def test_averaged_gradients_by_hand(model, pruned):
    built = double(model, f"model.prune_inert_query={str(pruned).lower()}")
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    for level, shares in SHARES[model].items():
        true, averaged = (gradients(averaging(built, on), level, images) for on in (False, True))
        for stage, share in shares.items():
            names = [name for name in true if name.startswith(f"trunk.stages.{stage}.")]
            # biases before a batch norm have no gradient but rounding
            names = [name for name in names if true[name].abs().max() > 1e-10]
            assert names
            for name in names:
                torch.testing.assert_close(averaged[name], share * true[name], rtol=1e-7, atol=1e-12, msg=name)
        scorer = f"attention.{level}.compat.scorer.weight"
        torch.testing.assert_close(averaged[scorer], true[scorer], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("model", "readers"), [("vgg_att2", 2), ("vgg_att3", 3), ("vgg_att3_upprojecting", 3), ("rn_att2", 2)]
)
def test_the_shared_query_averages_over_its_readers(model, readers):
    """With dp the query acts; with attention on one level alone in the loss, its branch gets 1 of `readers` parts."""
    built = double(model, "compat=dp")
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    true, averaged = (gradients(averaging(built, on), "C", images) for on in (False, True))
    last = [name for name in true if name.startswith("branches.C.") and name.endswith("weight")][-1]
    torch.testing.assert_close(averaged[last], true[last] / readers)


def test_in_evaluation_gradients_are_the_true_ones():
    built = double("vgg_att3")
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)

    def saliency(on):
        averaging(built, on).eval()
        return torch.autograd.grad(built(images).logits.sum(), images)[0]

    assert torch.equal(saliency(True), saliency(False))


@pytest.mark.parametrize("model", [*ATTENTION, *PLAIN])
def test_bf16_gives_no_nan(model):
    overrides = ["model.init.scorer=author"] if model in ATTENTION else []
    built = network(f"model={model}", *overrides, *tiny(model))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = built(torch.randn(4, 3, 32, 32))
        loss = torch.nn.functional.cross_entropy(output.logits.float(), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in built.parameters() if p.grad is not None)
    assert all(attn.dtype == torch.float32 for attn in output.attn.values())


@pytest.mark.parametrize(
    "options",
    [(model,) for model in PLAIN]
    + [
        (model, *more)
        for model in ATTENTION
        for more in ((), ("compat=dp", "head=indep"), ("compat=uniform",), ("compat=frozen",))
    ]
    + [("vgg_att3", "model.prune_inert_query=true"), ("vgg_pan", "model.prune_inert_query=true")],
    ids="-".join,
)
def test_every_parameter_takes_part_in_the_loss(options):
    """Also those that act on nothing: with several processes, DDP waits for the gradient of each."""
    model, *more = options
    built = network(f"model={model}", *tiny(model), *more).train()
    built(torch.randn(2, 3, 32, 32)).logits.logsumexp(1).mean().backward()
    assert [name for name, parameter in built.named_parameters() if parameter.grad is None] == []
