"""The authors' layers in their order, written down by hand (author_spec sections 1, 2, 3, 7, 8)."""

import pytest
import torch
from networks import network
from torch import nn

from lta.layers.global_max import GlobalMax
from lta.models.resnet_trunk import Bottleneck


def layout(module):
    """Each leaf as a word: conv3 64>128 /1 bias, bn 1e-3, relu, drop .4, max 2/2, linear 512>512 ..."""
    words = []
    for leaf in module.modules():
        if isinstance(leaf, nn.Conv2d):
            bias = "" if leaf.bias is None else " b"
            words.append(f"conv{leaf.kernel_size[0]} {leaf.in_channels}>{leaf.out_channels} /{leaf.stride[0]}{bias}")
        elif isinstance(leaf, (nn.BatchNorm2d, nn.BatchNorm1d)):
            words.append(f"{'bn' if isinstance(leaf, nn.BatchNorm2d) else 'vbn'} {leaf.eps:g}")
        elif isinstance(leaf, (nn.Dropout, nn.Dropout2d)):
            words.append(f"{'drop' if isinstance(leaf, nn.Dropout) else 'chdrop'} {leaf.p:g}")
        elif isinstance(leaf, nn.MaxPool2d):
            words.append(f"max {leaf.kernel_size}/{leaf.stride}")
        elif isinstance(leaf, nn.Linear):
            words.append(f"linear {leaf.in_features}>{leaf.out_features}")
        elif type(leaf) in (nn.ReLU, nn.Upsample, GlobalMax, nn.AdaptiveAvgPool2d, nn.Flatten):
            words.append(type(leaf).__name__.lower())
    return words


def cbr(inputs, outputs, drop=None):
    block = [f"conv3 {inputs}>{outputs} /1 b", "bn 0.001", "relu"]
    return block if drop is None else [*block, f"drop {drop}"]


def on_paper(*overrides, num_classes=10):
    with torch.device("meta"):
        return network(*overrides, num_classes=num_classes)


TO_A = [
    *cbr(3, 64, 0.3),
    *cbr(64, 64),
    *cbr(64, 128, 0.4),
    *cbr(128, 128),
    *cbr(128, 256, 0.4),
    *cbr(256, 256, 0.4),
    *cbr(256, 256),
]
TO_B = ["max 2/2", *cbr(256, 512, 0.4), *cbr(512, 512, 0.4), *cbr(512, 512)]
TO_C = ["max 2/2", *cbr(512, 512, 0.4), *cbr(512, 512, 0.4), *cbr(512, 512)]
LAST = ["globalmax", "flatten"]
G512_8 = ["max 2/2", *cbr(512, 512, 0.4), "max 2/2", *cbr(512, 512, 0.4), *LAST, "drop 0.5", "linear 512>512"]
G512_16 = ["max 4/4", *cbr(512, 512, 0.4), "max 2/2", *cbr(512, 512, 0.4), *LAST, "drop 0.5", "linear 512>512"]
G256_32 = [
    "max 4/4",
    *cbr(256, 256, 0.4),
    "max 2/2",
    *cbr(256, 256, 0.4),
    "max 2/2",
    *cbr(256, 256, 0.4),
    *LAST,
    "drop 0.5",
    "linear 256>256",
]
H = ["vbn 1e-05", "relu", "drop 0.5"]


def test_the_trunk_of_all_attention_networks():
    stages = on_paper("model=vgg_att3").trunk.stages
    assert [layout(stages[level]) for level in "ABC"] == [TO_A, TO_B, TO_C]


@pytest.mark.parametrize(
    ("model", "branches"),
    [
        ("vgg_att1", {"C": G512_8}),
        ("vgg_att2", {"C": G512_8}),
        ("vgg_att3", {"C": G512_8}),
        ("vgg_att3_upprojecting", {"C": G512_8}),
        ("vgg_att2_two_globals", {"B": G512_16, "C": G512_8}),
        ("vgg_att3_three_globals", {"A": G256_32, "B": G512_16, "C": G512_8}),
        ("vgg_pan", {"B": G512_16, "C": G512_8}),
        ("vgg_progressive_hl", {"B": G512_16, "C": G512_8}),
        ("vgg_progressive_ll", {"A": G256_32, "C": G512_8}),
    ],
)
def test_the_global_branches(model, branches):
    built = on_paper(f"model={model}")
    assert {level: layout(branch) for level, branch in built.branches.items()} == branches
    with torch.no_grad():  # the last pool, over all positions, is the authors' 2x2 at 32x32
        sizes = {"A": 32, "B": 16, "C": 8}
        small = network(f"model={model}", "model.width=0.0625").eval()
        for level, branch in small.branches.items():
            x = torch.zeros(1, small.trunk.channels[level], sizes[level], sizes[level])
            for layer in branch:
                if isinstance(layer, GlobalMax):
                    assert x.shape[2:] == (2, 2)
                x = layer(x)


def test_the_head_and_the_projections():
    att3 = on_paper("model=vgg_att3")
    assert layout(att3.head) == [*H, *H, *H, "linear 1280>10"]
    assert layout(att3.attention["A"].project) == [*H, "linear 512>256"]
    assert att3.attention["B"].project is None
    assert layout(on_paper("model=vgg_att3", "head=indep").head) == [
        *H,
        *H,
        *H,
        "linear 256>10",
        "linear 512>10",
        "linear 512>10",
    ]
    up = on_paper("model=vgg_att3_upprojecting")
    assert layout(up.attention["A"].project) == H
    assert layout(up.attention["A"].project_local) == ["conv1 256>512 /1 b"]
    assert layout(up.head) == [*H, *H, *H, "linear 1536>10"]
    for model in ("vgg_pan", "vgg_progressive_hl", "vgg_progressive_ll"):
        assert layout(on_paper(f"model={model}").head) == [*H, "linear 512>10"]


def test_the_baseline():
    built = on_paper("model=vgg")
    body = [
        *cbr(3, 64, 0.3),
        *cbr(64, 64),
        "max 2/2",
        *cbr(64, 128, 0.4),
        *cbr(128, 128),
        "max 2/2",
        *cbr(128, 256, 0.4),
        *cbr(256, 256, 0.4),
        *cbr(256, 256),
        "max 2/2",
        *cbr(256, 512, 0.4),
        *cbr(512, 512, 0.4),
        *cbr(512, 512),
        "max 2/2",
        *cbr(512, 512, 0.4),
        *cbr(512, 512, 0.4),
        *cbr(512, 512),
    ]
    end = [*LAST, "drop 0.5", "linear 512>512", "vbn 1e-05", "relu", "drop 0.5", "linear 512>10"]
    assert layout(built) == [*body, *end]


def test_the_controls():
    late = on_paper("model=vgg_late")
    assert layout(late) == [*TO_A, *TO_B, *TO_C, *G512_8, *H, "linear 512>10"]
    assert layout(on_paper("model=vgg_gap")) == [*TO_A, *TO_B, *TO_C, "linear 512>10"]


def test_the_pools_at_80_by_80():
    late = on_paper("model=vgg_att3", "model.pools=cub").trunk.stages
    assert [layout(late[level]) for level in "ABC"] == [[*TO_A, "max 5/5", "upsample"], TO_B, TO_C]
    early = layout(on_paper("model=vgg", "model.pools=cub").trunk)
    convolutions = [sum(word.startswith("conv") for word in early[:i]) for i, word in enumerate(early) if word == "max 2/2"]
    assert convolutions == [2, 4, 7, 10, 12]


def unit(inputs, outputs, stride=1):
    middle = outputs // 4
    short = [] if inputs == outputs else [f"conv1 {inputs}>{outputs} /{stride}"]
    return [
        "bn 1e-05",
        "relu",
        f"conv1 {inputs}>{middle} /{stride}",
        "bn 1e-05",
        "relu",
        f"conv3 {middle}>{middle} /1",
        "bn 1e-05",
        "relu",
        f"conv1 {middle}>{outputs} /1",
        *short,
    ]


def stage(inputs, outputs, stride, units):
    return [*unit(inputs, outputs, stride), *(units - 1) * unit(outputs, outputs)]


RN_C = ["bn 1e-05", "relu", "max 2/2", "conv3 256>256 /1 b"]


def test_the_resnets():
    begin = ["conv3 3>16 /1", *stage(16, 64, 1, 18), *stage(64, 128, 2, 18)]
    end = ["bn 1e-05", "relu", "adaptiveavgpool2d", "flatten", "linear 256>10"]
    assert layout(on_paper("model=rn164")) == [*begin, *stage(128, 256, 2, 18), *end]
    att2 = on_paper("model=rn_att2")
    assert layout(att2.trunk) == [*begin, *stage(128, 256, 2, 18)]
    assert layout(att2.branches["C"]) == [*RN_C, "bn 0.001", "relu", "drop 0.4", *LAST, "drop 0.5", "linear 256>256"]
    assert layout(att2.attention["B"].project) == ["vbn 1e-05", "relu", "drop 0.5", "linear 256>128"]
    assert layout(att2.head) == [*2 * ["vbn 1e-05", "relu", "drop 0.3"], "linear 384>10"]
    att1 = on_paper("model=rn_att1")
    assert layout(att1.trunk) == [*begin, *stage(128, 256, 2, 17), "conv3 256>256 /1", "conv3 256>256 /2"]
    assert layout(att1.branches["C"]) == [*RN_C, "bn 1e-05", "relu", *LAST, "linear 256>256"]
    assert layout(att1.head) == ["vbn 1e-05", "relu", "drop 0", "linear 256>10"]


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(8, 8, 1), (8, 16, 1), (8, 16, 2)])
def test_a_bottleneck_written_out(inputs, outputs, stride):
    """Where shapes change, the first BN-ReLU is common to both ways; else the sum takes the input as it came."""
    torch.manual_seed(0)
    block = Bottleneck(inputs, outputs, stride, 1e-5).double()
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight), nn.init.normal_(norm.bias)
    x = torch.randn(2, inputs, 6, 6, dtype=torch.float64)
    functional = nn.functional

    def bn_relu(y, norm):
        return functional.batch_norm(y, None, None, norm.weight, norm.bias, training=True, eps=1e-5).relu()

    one, three, last = (m.weight for m in block.residual if isinstance(m, nn.Conv2d))
    first = bn_relu(x, norms[0])
    y = functional.conv2d(first, one, stride=stride)
    y = functional.conv2d(bn_relu(y, norms[1]), three, padding=1)
    y = functional.conv2d(bn_relu(y, norms[2]), last)
    short = x if inputs == outputs else functional.conv2d(first, block.shortcut.weight, stride=stride)
    torch.testing.assert_close(block(x), y + short)


def test_the_plain_resnet_starts_without_a_bias_in_its_classifier():
    assert network("model=rn164", "model.depth=11").classifier[-1].bias.abs().max() == 0


def test_channel_dropout_and_fan_in_are_what_they_say():
    built = on_paper("model=vgg_att1", "model.dropout_kind=channel")
    assert [word for word in layout(built.trunk) if "drop" in word] == ["chdrop 0.3", *7 * ["chdrop 0.4"]]
    assert "drop 0.5" in layout(built.branches["C"]), "vectors have no channels to drop"
    torch.manual_seed(0)
    second = network("model=vgg_att1", "model.init.conv=fan_in").trunk.stages["A"][4 + 3 + 0]
    assert second.weight.shape == (128, 64, 3, 3)
    assert second.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
