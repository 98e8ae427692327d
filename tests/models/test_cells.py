"""Where trunks say that the cells of their maps lie, and where the pixels that these read are."""

import pytest
import torch
from networks import network, tiny
from torch import nn

from lta.models.backbone_cells import measure_cells
from lta.models.cells import PIXELS, place_cells
from lta.models.residual import Residual
from lta.protocols import Cells, Trunk, list_missing

TRUNKS = {
    ("vgg_att3",): {"A": (1, 0), "B": (2, 0.5), "C": (4, 1.5)},
    ("vgg",): {"A": (4, 1.5), "B": (8, 3.5), "C": (16, 7.5)},
    ("vgg_att3", "model.pools=cub"): {"A": (2.5, 0.75), "B": (5, 2), "C": (10, 4.5)},
    ("rn164",): {"A": (1, 0), "B": (2, 0), "C": (4, 0)},
    ("rn_att1",): {"A": (1, 0), "B": (2, 0), "C": (8, 0)},
    ("air_att3",): {"A": (2, 1), "B": (4, 2), "C": (8, 4)},
    ("air_att3", "model.taps=early"): {"A": (1, 0.5), "B": (2, 1), "C": (4, 2)},
    ("air_att3", "model.whiten=false"): {"A": (2, 1), "B": (4, 2), "C": (8, 4)},
    ("air_wide_att3",): {"A": (2, 1), "B": (4, 2), "C": (8, 4)},
    ("air_wide_att3", "model.taps=early", "model.activation=silu"): {"A": (1, 0.5), "B": (2, 1), "C": (4, 2)},
}
"""By level: stride and offset."""


def build_trunk(model, *overrides):
    return network(f"model={model}", *tiny(model), *overrides).trunk


@pytest.mark.parametrize("named", TRUNKS, ids=" ".join)
def test_trunks_say_where_their_cells_lie(named):
    trunk = build_trunk(*named)
    assert not list_missing(trunk, Trunk)
    assert trunk.cells == {level: Cells(*cells) for level, cells in TRUNKS[named].items()}


@pytest.mark.parametrize("named", [named for named in TRUNKS if "model.pools=cub" not in named], ids=" ".join)
def test_cells_read_the_pixels_around_the_place_that_is_said(named):
    trunk = make_linear(build_trunk(*named))
    images = torch.ones(1, 3, 256, 256, dtype=torch.float64, requires_grad=True)
    features = trunk.features(images).levels
    for level, (stride, offset) in trunk.cells.items():
        row, column = (round(side / 2) + shift for side, shift in zip(features[level].shape[2:], (0, 1), strict=True))
        (gradient,) = torch.autograd.grad(features[level][0, :, row, column].sum(), images, retain_graph=True)
        assert not gradient[0, :, [0, -1]].any(), "the cell sees the border"
        assert not gradient[0, :, :, [0, -1]].any(), "the cell sees the border"
        centre = find_centroid(gradient[0].sum(0))
        assert centre == pytest.approx((offset + stride * row, offset + stride * column), abs=1e-6)


def test_an_enlarged_map_lies_over_the_pixels_of_the_one_before():
    trunk = make_linear(build_trunk("vgg_att3", "model.pools=cub"))
    images = torch.ones(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    level_a = trunk.features(images).levels["A"]
    stride, offset = trunk.cells["A"]
    two = level_a[0, :, 32:34, 32:34].sum()  # both of each pair that one cell was copied to
    (gradient,) = torch.autograd.grad(two, images)
    assert find_centroid(gradient[0].sum(0)) == pytest.approx((offset + stride * 32.5,) * 2, abs=1e-6)


def make_linear(trunk):
    """All weights alike and positive, and means in the place of maxima: what a cell reads, it reads evenly."""
    for name, module in list(trunk.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            pool = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            trunk.set_submodule(name, pool)
        elif getattr(module, "weight", None) is not None:
            nn.init.constant_(module.weight, 0.1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return trunk.double().eval()


def find_centroid(weights):
    total = weights.sum()
    places = torch.arange(len(weights), dtype=weights.dtype)
    return tuple(((weights.sum(axis) * places).sum() / total).item() for axis in (1, 0))


def test_a_layer_says_it_itself_or_is_refused():
    class Halved(nn.Module):
        def place_cells(self, cells):
            return Cells(2 * cells.stride, cells.offset)

    assert place_cells(nn.Sequential(Halved(), nn.ReLU(), nn.Conv2d(3, 3, 5)), PIXELS) == (2, 4)
    assert place_cells(nn.AvgPool2d(2), Cells(4, 1)) == (8, 3)
    assert place_cells(nn.Sequential(nn.MaxPool2d(2), Residual(nn.Conv2d(3, 3, 3, padding=1), nn.SiLU())), PIXELS) == (
        2,
        0.5,
    )
    with pytest.raises(ValueError, match="a residual block leaves its cells where they are, and this one moves"):
        place_cells(Residual(nn.Conv2d(3, 3, 3)), PIXELS)
    with pytest.raises(ValueError, match="where the cells of AdaptiveAvgPool2d lie is not known"):
        place_cells(nn.AdaptiveAvgPool2d(4), PIXELS)
    with pytest.raises(ValueError, match="not the same along rows and columns"):
        place_cells(nn.Conv2d(3, 3, (1, 3)), PIXELS)


def test_weighed_windows_have_their_middle_where_the_weights_are():
    """A kernel of 3 with all its weight on the first tap reads one pixel before the window's middle; two such ones behind a
    stride of 2, one and then two pixels."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.ones_(layer.weight[:, :, 0, 0])

    def features(model, images):
        return {"first": model[0](images), "second": model(images)}

    by_windows, weighed = (measure_cells(layers, features, 64, weighed=how) for how in (False, True))
    assert by_windows == {"first": Cells(2, 0), "second": Cells(2, 0)}
    assert weighed == {"first": Cells(2, -1), "second": Cells(2, -3)}
