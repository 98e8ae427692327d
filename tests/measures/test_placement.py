"""Where maps lie over pictures, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import network, tiny
from torch.nn import functional as F

from lta.measures.pixel_maps import enlarge_map
from lta.measures.placement import (
    find_placements,
    nearest_cells,
    overlap_weights,
    pixel_weights,
    place_evenly,
    place_in_picture,
)
from lta.measures.roles import coverage, role_mass
from lta.protocols import Cells

AIR_C = Cells(8, 4)
"""Of air_att3 at 32 pixels: three cells, at pixels 4, 12 and 20."""
PLACE = place_in_picture(AIR_C, (32, 32))


@pytest.mark.parametrize(("cells", "pixels"), [(8, 32), (3, 32), (32, 32), (1, 7), (5, 13), (7, 224), (16, 9)])
def test_evenly_is_bilinear_interpolation_with_half_pixel_centres(cells, pixels):
    attn = torch.rand(2, cells, cells + 1, generator=torch.Generator().manual_seed(0))
    size = (pixels, pixels + 3)
    expected = F.interpolate(attn.double()[:, None], size, mode="bilinear", align_corners=False)[:, 0].float()
    torch.testing.assert_close(enlarge_map(attn, size), expected)
    assert torch.equal(enlarge_map(attn, size), enlarge_map(attn, size, place_evenly((cells, cells + 1))))


def test_between_two_centres_a_map_is_linear_and_beyond_the_last_it_stays():
    weights = pixel_weights(3, *PLACE[:2], 32)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert weights[:5].tolist() == [[1, 0, 0]] * 5  # pixels 0 to 4
    np.testing.assert_allclose(weights[6], [0.75, 0.25, 0])
    np.testing.assert_allclose(weights[12], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(weights[20:], [[0, 0, 1]] * 12, atol=1e-12)


def test_a_pixel_shows_the_nearest_cell():
    shown = nearest_cells(3, *PLACE[:2], 32).tolist()
    assert shown == [0] * 8 + [1] * 8 + [2] * 16
    assert nearest_cells(8, 1 / 16, 1 / 8, 32).tolist() == np.repeat(range(8), 4).tolist()


def test_a_cell_holds_pixels_by_the_part_that_lies_in_it():
    evenly = overlap_weights(3, 1 / 6, 1 / 3, 32)
    np.testing.assert_allclose(evenly.sum(1), 1)
    np.testing.assert_allclose(evenly.sum(0), 3 / 32, err_msg="no pixel counts twice, and none half")
    np.testing.assert_allclose(32 / 3 * evenly[0, 9:12], [1, 2 / 3, 0], atol=1e-12)
    np.testing.assert_allclose(32 / 3 * evenly[1, 9:12], [0, 1 / 3, 1], atol=1e-12)
    placed = 8 * overlap_weights(3, *PLACE[:2], 32)
    assert placed[0, :10].tolist() == [0.5, 1, 1, 1, 1, 1, 1, 1, 0.5, 0]
    assert placed[2, 16:].tolist() == [0.5, 1, 1, 1, 1, 1, 1, 1, 0.5] + [0] * 7
    cut = overlap_weights(2, 0.0, 0.5, 4)  # half of the first cell lies before the picture
    np.testing.assert_allclose(cut, [[1, 0, 0, 0], [0, 0.5, 0.5, 0]])
    with pytest.raises(ValueError, match="outside the picture"):
        overlap_weights(3, -1.0, 0.1, 4)


@pytest.mark.parametrize("size", [(3, 3), (7, 5), (15, 15), (32, 32), (4, 8)])
def test_the_areas_of_roles_are_those_of_the_picture_whatever_the_grid(size):
    """Adaptive pooling has bins that overlap: 3 of 32 pixels are 11 + 12 + 11."""
    roles = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (4, 32, 32)).astype(np.uint8))
    covered = coverage(roles, size)
    torch.testing.assert_close(covered.sum(1), torch.ones(4, *size))
    exact = F.one_hot(roles.long(), 3).float().mean((1, 2))
    torch.testing.assert_close(covered.mean((2, 3)), exact)
    torch.testing.assert_close(role_mass(torch.full((4, *size), 0.2), covered), exact)


@pytest.mark.parametrize(
    ("model", "at"),
    [
        ("vgg_att3", {"A": (0, 1), "B": (0.5, 2), "C": (1.5, 4)}),
        ("air_att3", {"A": (1, 2), "B": (2, 4), "C": (4, 8)}),
        ("air_gap", {"C": (4, 8)}),
        ("rn_att2", {"B": (0, 2), "C": (0, 4)}),
        ("rn_att1", {"C": (0, 8)}),
    ],
)
def test_networks_say_where_their_maps_lie(model, at):
    found = find_placements(network(f"model={model}", *tiny(model)), (32, 64))
    for level, place in found.items():
        offset, stride = at[level]
        expected = ((offset + 0.5) / 32, stride / 32, (offset + 0.5) / 64, stride / 64)
        assert place == pytest.approx(expected), level
    assert found.keys() == at.keys()


def test_of_a_network_that_does_not_say_it_maps_cover_the_picture_evenly():
    assert find_placements(SimpleNamespace(levels=("A",)), (32, 32)) == {}
