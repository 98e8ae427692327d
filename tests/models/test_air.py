"""The compact trunk: the source's layers by hand, whitening, taps, and attention as on any other trunk."""

import numpy as np
import pytest
import torch
from networks import network
from torch import nn

import lta
from lta.inference.checkpoint import build_untrained
from lta.layers.scaled_linear import ScaledLinear
from lta.models.measured import fit_measured
from lta.models.whitening import WhitenedConv
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.normalize import Standardize

MODELS = ("air", "air_gap", "air_att1", "air_att2", "air_att3", "air_wide_att3")
ATTENTION = MODELS[2:]


def test_the_network_is_the_sources():
    """arXiv 2404.00498, listing of airbench94, with weights copied: its output written out with torch's functions."""
    built = network("model=air", "model.output_scale=0.25").train()
    torch.manual_seed(1)
    for p in built.parameters():
        if p.requires_grad:
            p.data += 0.1 * torch.randn_like(p)
    fit_measured(built, lambda count: [torch.randn(64, 3, 32, 32)])
    images = torch.randn(8, 3, 32, 32)
    f = nn.functional

    def norm(x, module):
        return f.batch_norm(x, None, None, None, module.bias, training=True, eps=1e-12)

    convs = [m for m in built.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in built.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [(c.in_channels, c.out_channels) for c in convs] == [
        (24, 64),
        (64, 64),
        (64, 256),
        (256, 256),
        (256, 256),
        (256, 256),
    ]
    first = built.trunk.stages["A"][0]
    x = f.gelu(f.conv2d(images, first.weight, first.bias))
    assert x.shape == (8, 24, 31, 31)
    for group in range(3):
        x = f.max_pool2d(f.conv2d(x, convs[2 * group].weight, padding=1), 2)
        x = f.gelu(norm(x, norms[2 * group]))
        x = f.gelu(norm(f.conv2d(x, convs[2 * group + 1].weight, padding=1), norms[2 * group + 1]))
    expected = 0.25 * f.max_pool2d(x, 3).flatten(1) @ built.classifier[-1].weight.T
    torch.testing.assert_close(built(images).logits, expected, rtol=1e-4, atol=1e-4)
    assert built.classifier[-1].bias is None


@pytest.mark.parametrize(("model", "trained"), [("air", 1_971_352), ("air_gap", 1_971_362)])
def test_trained_parameters(model, trained):
    """24 + 9 (24 64 + 64^2 + 64 256 + 3 256^2) + 2 (64 + 256 + 256) + 2560, and ten biases."""
    with torch.device("meta"):
        built = network(f"model={model}")
    assert sum(p.numel() for p in built.parameters() if p.requires_grad) == trained
    gains = [m.weight for m in built.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(gain.requires_grad for gain in gains)
    assert sum(g.numel() for g in gains) == 1152


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_the_wider_network_is_written_out(activation):
    """arXiv 2404.00498, section 4: three convolutions a group, the later two a residual block. With torch's functions."""
    built = network("model=air_wide", "model.width=0.0625", f"model.activation={activation}").train()
    torch.manual_seed(1)
    for p in built.parameters():
        if p.requires_grad:
            p.data += 0.1 * torch.randn_like(p)
    f = nn.functional
    activate = getattr(f, activation)
    convs = iter([m for m in built.modules() if isinstance(m, nn.Conv2d)])
    norms = iter([m for m in built.modules() if isinstance(m, nn.BatchNorm2d)])

    def convolve(x):
        return f.conv2d(x, next(convs).weight, padding=1)

    def norm(x):
        return f.batch_norm(x, None, None, None, next(norms).bias, training=True, eps=1e-12)

    images = torch.randn(8, 3, 32, 32)
    first = built.trunk.stages["A"][0]
    x = activate(f.conv2d(images, first.weight, first.bias))
    for _ in range(3):
        x = activate(norm(f.max_pool2d(convolve(x), 2)))
        x = activate(x + norm(convolve(activate(norm(convolve(x))))))
    assert next(convs, None) is None
    expected = f.max_pool2d(x, 3).flatten(1) @ built.classifier[-1].weight.T
    torch.testing.assert_close(built(images).logits, built.classifier[-1].scale * expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "channels"),
    [
        ((), [(24, 128), (128, 128), (128, 128), (128, 512), *5 * [(512, 512)]]),
        (("model.depth=2",), [(24, 128), (128, 128), (128, 512), *3 * [(512, 512)]]),
        (
            ("model.widths=[8,16,32]", "model.width=0.5"),
            [(24, 4), (4, 4), (4, 4), (4, 8), (8, 8), (8, 8), (8, 16), *2 * [(16, 16)]],
        ),
    ],
)
@pytest.mark.parametrize("model", ["air_wide", "air_wide_gap", "air_wide_att3"])
@pytest.mark.parametrize("taps", ["late", "early"])
def test_widths_and_depth_are_those_of_the_groups(model, taps, overrides, channels):
    with torch.device("meta"):
        built = network(f"model={model}", f"model.taps={taps}", *overrides)
    assert [(c.in_channels, c.out_channels) for c in built.trunk.modules() if isinstance(c, nn.Conv2d)] == channels
    places = {(): (128, 512, 512), ("model.depth=2",): (128, 512, 512)}
    assert tuple(built.trunk.channels.values()) == places.get(overrides, (4, 8, 16))


def test_whitening_is_measured_on_pictures_of_every_class_in_little_memory():
    """Data sets may lie class by class: here the first 9,000 of 10,000 pictures are black."""
    images = np.zeros((10_000, 12, 12, 3), np.uint8)
    images[9_000:] = np.random.default_rng(0).integers(0, 256, (1_000, 12, 12, 3))
    sizes = []

    class Seen(Standardize):
        def forward(self, of):
            sizes.append(len(of))
            return super().forward(of)

    parts = (Seen(), nn.Identity(), SGDRecipe(1), CrossEntropy(), ("a", "b"))
    classifier = Classifier(network("model=air"), *parts)
    classifier.fit_input(images)
    assert sum(sizes) == 5_000
    assert max(sizes) == 100
    filters = classifier.network.trunk.stages["A"][0].weight[:12].flatten(1)
    mean, std = classifier.preprocess.mean.view(3, 1, 1), classifier.preprocess.std.view(3, 1, 1)
    all_of_them = (torch.from_numpy(images).permute(0, 3, 1, 2) - mean) / std
    patches = all_of_them.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    assert (patches @ filters.T).square().mean(0) == pytest.approx(np.ones(12), abs=0.05)

    sizes.clear()
    Classifier(network("model=vgg", "model.width=0.0625"), *parts).fit_input(images)
    assert sizes == [], "nothing to measure, nothing done"


def test_pictures_too_small_are_named():
    built = network("model=air_att3", "model.width=0.125", "model.taps=early").eval()
    built(torch.zeros(1, 3, 9, 12))
    with pytest.raises(ValueError, match="the compact trunk needs pictures of 9 pixels a side or more; these are 8x32"):
        built(torch.zeros(1, 3, 8, 32))


def test_whitening_is_computed_as_exactly_under_autocast():
    """Its filters subtract almost equal pixels: rounded to 8 bits they would be others than in evaluation."""
    built = network("model=air")
    images = torch.rand(4, 3, 32, 32).cumsum(3) / 32  # neighbours are alike
    fit_measured(built, lambda count: [images])
    (whitened,) = (module for module in built.modules() if isinstance(module, WhitenedConv))
    exact = whitened(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(whitened(images), exact)
        assert torch.equal(whitened(images.bfloat16()), whitened(images.bfloat16().float()))


def test_whitened_patches_are_white():
    torch.manual_seed(0)
    images = torch.randn(200, 3, 9, 9) @ torch.randn(9, 9) + 0.3 * torch.randn(200, 3, 1, 1)
    images += torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)
    conv = WhitenedConv(eps=0.0)
    conv.fit(lambda count: images.split(64))
    out = conv(images)
    assert out.shape == (200, 24, 8, 8)
    rows = out[:, :12].permute(0, 2, 3, 1).reshape(-1, 12)
    torch.testing.assert_close(rows.T @ rows / len(rows), torch.eye(12), atol=2e-3, rtol=0)
    torch.testing.assert_close(out[:, 12:], -out[:, :12])
    first, last = (
        images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        @ conv.weight[n].flatten()
        / conv.weight[n].norm()
        for n in (0, 11)
    )
    assert first.square().mean() > 4 * last.square().mean(), "directions of large variance come first"
    assert not any(name == "weight" for name, _ in conv.named_parameters())


def test_early_taps_are_before_the_pools():
    for taps, sizes in (("late", (15, 7, 3)), ("early", (31, 15, 7))):
        built = network("model=air_att3", f"model.taps={taps}")
        feats = built.trunk.features(torch.randn(2, 3, 32, 32)).levels
        assert {level: tuple(x.shape) for level, x in feats.items()} == {
            level: (2, channels, size, size) for level, channels, size in zip("ABC", (64, 256, 256), sizes, strict=True)
        }


@pytest.mark.parametrize("taps", ["late", "early"])
@pytest.mark.parametrize("size", [(32, 32), (40, 64), (96, 96)])
@pytest.mark.parametrize("model", MODELS)
def test_sizes_and_maps(model, size, taps):
    built = network(f"model={model}", f"model.taps={taps}", "model.width=0.125", num_classes=7).eval()
    output = built(torch.randn(2, 3, *size))
    assert output.logits.shape == (2, 7)
    for attn in output.attn.values():
        torch.testing.assert_close(attn.sum((1, 2)), torch.ones(2))


def dirac_in(conv):
    identity = torch.zeros_like(conv.weight[: conv.in_channels])
    nn.init.dirac_(identity)
    return torch.equal(conv.weight[: conv.in_channels], identity)


def test_initial_weights():
    built = network("model=air_att3")
    convs = [m for m in built.modules() if isinstance(m, nn.Conv2d)]
    assert all(dirac_in(conv) for conv in convs)
    rest = convs[2].weight[64:].detach()
    assert rest.abs().max() <= 1 / (9 * 64) ** 0.5
    assert rest.std() == pytest.approx((1 / (9 * 64) ** 0.5) / 3**0.5, rel=0.02)
    plain = network("model=air_att3", "model.init.conv=fan_in", "model.whiten=false")
    assert not any(dirac_in(m) for m in plain.modules() if isinstance(m, nn.Conv2d))
    assert not any(isinstance(m, WhitenedConv) for m in plain.modules())


@pytest.mark.parametrize("head", ["concat", "indep"])
def test_all_linear_layers_of_a_head_are_scaled(head):
    scaled = network("model=air_att3", f"head={head}", "model.output_scale=0.5", "model.width=0.125").eval()
    plain = network("model=air_att3", f"head={head}", "model.output_scale=1", "model.width=0.125").eval()
    plain.load_state_dict(scaled.state_dict())
    assert all(isinstance(layer, ScaledLinear) for layer in scaled.classifiers)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(scaled(images).logits, 0.5 * plain(images).logits)


def test_the_map_of_gap_explains_the_scaled_logit():
    built = network("model=air_gap", "model.width=0.25").eval()
    output = built(torch.randn(3, 3, 32, 32))
    bias = built.scale * built.classifier.bias[output.logits.argmax(1)]
    torch.testing.assert_close(output.scores["C"].mean((1, 2)) + bias, output.logits.max(1).values)


@pytest.mark.parametrize("model", ATTENTION)
def test_which_query_acts(model):
    images = torch.randn(3, 3, 32, 32)
    for compat, inert in (("pc", True), ("dp", False), ("additive", False), ("uniform", True), ("frozen", True)):
        built = network(f"model={model}", f"compat={compat}", "model.init.scorer=author", "model.width=0.125").eval()
        own = built(images)
        other = built(images, {"C": torch.randn_like(own.global_feats["C"])})
        moved = max((own.attn[level] - other.attn[level]).abs().max() for level in built.levels)
        assert built.inert_levels == (built.levels if inert else ())
        assert (moved < 1e-6) == inert


def test_pruned_gives_the_same_logits():
    whole = network("model=air_att3", "model.init.scorer=author", "model.width=0.25").eval()
    pruned = network("model=air_att3", "model.prune_inert_query=true", "model.width=0.25").eval()
    pruned.load_state_dict(whole.state_dict(), strict=False)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(pruned(images).logits, whole(images).logits)
    count = [sum(p.numel() for p in n.parameters()) for n in (whole, pruned)]
    assert count[0] - count[1] == whole.inert_parameters


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.taps=middle", "model.taps=middle is unknown; choose one of late, early"),
        ("model.width=0.001", "model.width=0.001 leaves 0.064 of 64 channels; it must be at least 1/64"),
        ("model.output_scale=0", "model.output_scale=0 must be a number in (0, 100)"),
        ("model.whiten=1", "model.whiten=1 must be true or false"),
        ("model.widths=[64,256]", "model.widths=[64, 256] must be three numbers of channels, for example [64, 256, 256]"),
        ("model.widths=64", "model.widths=64 must be three numbers of channels, for example [64, 256, 256]"),
        ("model.widths=[64,0,256]", "model.widths: of group B=0 must be a whole number, at least 1"),
        ("model.depth=1", "model.depth=1 must be a whole number, at least 2"),
        ("model.residual=1", "model.residual=1 must be true or false"),
        ("model.activation=relu", "model.activation=relu is unknown; choose one of gelu, silu"),
    ],
)
def test_impossible_values_are_named(override, said):
    with pytest.raises(ValueError, match="model") as error:
        network("model=air_att3", override)
    assert str(error.value) == said


@pytest.mark.slow
def test_a_run_measures_its_first_convolution_and_keeps_it(capsys, tmp_path):
    from commands import TINY, lta_run

    arguments = [argument for argument in TINY if argument != "experiment=quickstart" and "batch_size" not in argument]
    ended = lta_run(
        capsys,
        [
            *arguments,
            "model=air_att2",
            "model.width=0.125",
            "recipe=air",
            "recipe.epochs=2",
            "data.batch_size=8",
            "evaluator=classification,query,roles",
            f"hydra.run.dir={tmp_path}/run",
        ],
    )
    assert ended.status == 0, ended.err
    classifier = lta.load(tmp_path / "run")
    conv = classifier.network.trunk.stages["A"][0]
    assert not torch.equal(conv.weight, WhitenedConv().weight)
    assert torch.equal(build_untrained(classifier).network.trunk.stages["A"][0].weight, conv.weight)
