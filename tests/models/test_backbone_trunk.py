"""Networks of timm as trunks: their levels, where these lie, what is refused, what is trained."""

import pytest
import torch
from backbones import SIDES, random_trunk
from torch import nn

from lta.models.backbone_registry import examine, read_facts
from lta.models.backbone_trunk import BackboneTrunk
from lta.protocols import Trunk, list_missing

SHAPES = {  # channels, rows of A, B, C, D; channels of the query
    "tf_efficientnet_lite0": ([(40, 8), (112, 4), (320, 2), (1280, 2)], 1280),
    "resnet18": ([(128, 8), (256, 4), (512, 2), (512, 2)], 512),
    "resnet50": ([(512, 8), (1024, 4), (2048, 2), (2048, 2)], 2048),
    "vgg16_bn": ([(512, 8), (512, 4), (512, 2), (512, 2)], 4096),
    "convnext_atto": ([(80, 8), (160, 4), (320, 2), (320, 2)], 320),
    "mobilenetv3_small_050": ([(16, 8), (24, 4), (288, 2), (288, 2)], 1024),
    "vit_tiny_patch16_224": ([(192, 3)] * 4, 192),
    "vit_small_patch14_reg4_dinov2": ([(384, 3)] * 4, 384),
    "swin_tiny_patch4_window7_224": ([(192, 8), (384, 4), (768, 2), (768, 2)], 768),
}

CELLS = {  # offsets at strides of 8, 16 and 32 pixels, or of the patches
    "resnet18": (0, 0, 0),
    "resnet50": (0, 0, 0),
    "vgg16_bn": (3.5, 7.5, 15.5),
    "convnext_atto": (3.5, 7.5, 15.5),
    "mobilenetv3_small_050": (0, 0, 0),
    "swin_tiny_patch4_window7_224": (3.5, 7.5, 15.5),
    "vit_tiny_patch16_224": (7.5, 7.5, 7.5),
    "vit_small_patch14_reg4_dinov2": (6.5, 6.5, 6.5),
}


@pytest.mark.parametrize("name", SHAPES)
def test_levels_and_query_of_each_kind(name):
    trunk, side = random_trunk(name), SIDES[name]
    assert not list_missing(trunk, Trunk)
    trunk.check_size((side, side))
    with torch.no_grad():
        levels, query = trunk.features(torch.randn(2, 3, side, side))
    shapes, width = SHAPES[name]
    assert [*levels] == ["A", "B", "C", "D"]
    assert [tuple(x.shape) for x in levels.values()] == [(2, channels, rows, rows) for channels, rows in shapes]
    assert tuple(query.shape) == (2, width) == (2, trunk.query_channels)
    assert {level: x.shape[1] for level, x in levels.items()} == trunk.channels


def test_the_last_level_is_what_the_class_layer_reads():
    """In the mean over its places, where nothing but that lies between."""
    for name in ("tf_efficientnet_lite0", "resnet18", "swin_tiny_patch4_window7_224"):
        trunk = random_trunk(name, standardise=False)
        images = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            levels, query = trunk.features(images)
            torch.testing.assert_close(levels["D"].mean((2, 3)), query, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(trunk.model.get_classifier()(query), trunk.classify(images), rtol=1e-4, atol=1e-5)


def test_tokens_of_no_place_are_left_out_of_a_vits_maps():
    trunk, images = random_trunk("vit_small_patch14_reg4_dinov2", standardise=False), torch.randn(1, 3, 42, 56)
    with torch.no_grad():
        last = trunk.features(images).levels["D"]
        tokens = trunk.model.forward_features(images)
    assert last.shape == (1, 384, 3, 4)
    assert tokens.shape == (1, 1 + 4 + 12, 384), "class token and registers come first"
    torch.testing.assert_close(last[0, :, 1, 2], tokens[0, 5 + 4 + 2])


@pytest.mark.parametrize("name", CELLS)
def test_where_the_cells_lie(name):
    side = SIDES[name]
    strides = {level: side / rows for level, (_, rows) in zip("ABC", SHAPES[name][0], strict=False)}
    offsets = dict(zip("ABC", CELLS[name], strict=True))
    found = random_trunk(name).cells_in((side, side))
    assert {level: tuple(found[level]) for level in "ABC"} == {level: (strides[level], offsets[level]) for level in "ABC"}
    assert found["D"] == found["C"]


LITE0 = ((3, "A"), (3, "A"), (5, "A"), (3, "B"), (5, "C"))
"""Windows of its layers of stride 2, and the first level that lies behind each. All others read around one pixel."""


def place_by_hand(side):
    """TensorFlow's padding `same`: as much as the last window needs, of what is uneven more at the end."""
    offset, stride, found = 0.0, 1, {}
    for window, level in LITE0:
        padding = max((-(-side // 2) - 1) * 2 + window - side, 0)
        offset += stride * ((window - 1) / 2 - padding // 2)
        stride, side = 2 * stride, -(-side // 2)
        found[level] = (stride, offset)
    return found


@pytest.mark.parametrize(("side", "first"), [(128, 31), (224, 31), (225, 0), (230, 5)])
def test_cells_of_a_network_that_pads_by_the_pictures_size(side, first):
    cells = random_trunk("tf_efficientnet_lite0").cells_in((side, side))
    assert {level: tuple(cells[level]) for level in "ABC"} == place_by_hand(side)
    assert tuple(cells["D"]) == (32, first)


def test_sides_whose_cells_lie_differently_are_refused():
    with pytest.raises(ValueError, match="lie differently along rows and columns of 224 x 225"):
        random_trunk("tf_efficientnet_lite0").cells_in((225, 224))


def test_an_output_stride_makes_the_deepest_maps_finer():
    trunk = random_trunk("resnet18", output_stride=16)
    with torch.no_grad():
        levels = trunk.features(torch.randn(1, 3, 64, 64)).levels
    assert [x.shape[2] for x in levels.values()] == [8, 4, 4, 4]
    assert [tuple(cells) for cells in trunk.cells_in((64, 64)).values()] == [(8, 0), (16, 0), (16, 0), (16, 0)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "resnet19"}, "model.backbone.name=resnet19: timm .* has no such network; did you mean resnet18"),
        ({"name": "hf-hub:a/b"}, "must be a name of timm's registry"),
        ({"name": "local-dir:/x"}, "must be a name of timm's registry"),
        ({"name": "../x"}, "must be a name of timm's registry"),
        ({"name": "resnet18.mine"}, "timm has no such pretrained version of it"),
        ({"name": "inception_v3"}, "levels A, B, C need 8, 16 and 32"),
        ({"name": "resnet18", "output_stride": 4}, "model.backbone.output_stride=4 must be 8, 16, 32 or null"),
        ({"name": "vit_tiny_patch16_224", "output_stride": 16}, "vit_tiny_patch16_224 has no such setting"),
        ({"name": "resnet18", "train": 7}, "model.backbone.train=7 must be none, last, all or a number of parts up to 5"),
        ({"name": "resnet18", "train": "some"}, "model.backbone.train=some must be none"),
        ({"name": "resnet18", "train": True}, "model.backbone.train=True must be none"),
        ({"name": "resnet18", "save": "never"}, "model.backbone.save=never is unknown; choose one of weights, reference"),
        ({"name": "resnet18", "save": "reference"}, "save=reference needs weights to refer to"),
        ({"weights": None, "save": "reference", "train": "last"}, "save=reference is for a frozen network"),
    ],
)
def test_what_is_refused(settings, says):
    with pytest.raises(ValueError, match=says) as caught, torch.device("meta"):
        BackboneTrunk(**{"weights": "none", **settings})
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("vit_tiny_patch16_224", (100, 100), "pictures of 100 x 100 do not go with .*vit_tiny_patch16_224: .*divisible"),
        ("swin_tiny_patch4_window7_224", (225, 225), "divisible by patch size"),
        ("mixer_s16_224", (64, 64), "doesn't match model .*it was made for data.image_size=224"),
    ],
)
def test_sizes_that_a_network_does_not_take(name, size, says):
    with torch.device("meta"):
        trunk = BackboneTrunk(name, weights="none")
    with pytest.raises(ValueError, match=says):
        trunk.check_size(size)


def test_composing_on_the_meta_device_reads_no_weights(monkeypatch):
    monkeypatch.setattr("lta.models.backbone_trunk.load_file", None)
    with torch.device("meta"):
        trunk = BackboneTrunk("resnet18", weights="hub")
    assert all(weight.is_meta for weight in trunk.parameters())
    assert trunk.channels["D"] == 512


def test_the_dry_run_leaves_random_numbers_as_they_are():
    examine.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    examine("resnet18")
    assert torch.equal(torch.rand(2), expected)


PARTS = {  # how many there are; the first and the last name of the last one
    "tf_efficientnet_lite0": (8, "blocks.6.0.conv_pw.weight", "bn2.bias"),
    "resnet18": (5, "layer4.0.conv1.weight", "layer4.1.bn2.bias"),
    "convnext_atto": (5, "stages.3.downsample.0.weight", "head.norm.bias"),
    "vit_tiny_patch16_224": (13, "blocks.11.norm1.weight", "norm.bias"),
}


@pytest.mark.parametrize("name", PARTS)
def test_which_parts_are_trained(name):
    count, first, last = PARTS[name]
    layer = read_facts(name).class_layer
    with torch.device("meta"):
        trunks = {train: BackboneTrunk(name, weights="none", train=train) for train in ("none", "last", 2, "all")}
    trained = {train: [n for n, w in trunk.model.named_parameters() if w.requires_grad] for train, trunk in trunks.items()}
    assert trained["none"] == []
    assert (trained["last"][0], trained["last"][-1]) == (first, last)
    assert set(trained["last"]) < set(trained[2]) < set(trained["all"])
    rest = {n for n, _ in trunks["all"].model.named_parameters()} - set(trained["all"])
    assert rest == {f"{layer}.weight", f"{layer}.bias"}
    parts = trunks["all"].list_trained_parts()
    assert len(parts) == count
    assert sum(len(part) for part in parts) == len(trained["all"])


def test_frozen_parts_stay_in_evaluation_mode():
    def training(trunk):
        return {name for name, module in trunk.train().model.named_modules() if module.training}

    with torch.device("meta"):
        kept, moving = (
            BackboneTrunk("resnet18", weights="none", train="last", statistics=how) for how in ("kept", "trained")
        )
    assert training(random_trunk("resnet18")) == set()
    norms = {name for name, module in kept.model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert training(kept)
    assert not training(kept) & norms
    assert training(moving) & norms == {name for name in norms if name.startswith("layer4")}
    assert not [name for name, module in moving.eval().model.named_modules() if module.training]


def test_levels_are_standardised_by_what_was_measured():
    trunk = BackboneTrunk("resnet18", weights="none")
    batches = [torch.randn(8, 3, 64, 64), torch.randn(8, 3, 64, 64) + 1]
    trunk.fit(lambda count: batches)
    with torch.no_grad():
        levels = [trunk.features(images).levels for images in batches]
    for level in "ABCD":
        values = torch.cat([found[level] for found in levels]).transpose(0, 1).flatten(1)
        torch.testing.assert_close(values.mean(1), torch.zeros(len(values)), atol=1e-4, rtol=0)
        spread = values.std(1, correction=0)
        dead = ~values.any(1)  # behind a ReLU
        assert dead.float().mean() < 0.3
        torch.testing.assert_close(spread, (~dead).float(), atol=1e-3, rtol=0)
    assert {"norms.A.mean", "norms.D.std"} <= set(trunk.state_dict())
