"""What a network shows untrained, computed by hand on small maps, and where its cells lie."""

import torch
from torch import nn

from lta.models.cues import CUES, compute_cues, list_cues, move_to_cells
from lta.protocols import Cells

SAME = dict.fromkeys("BCD", Cells(16, 15))


def standardised(values):
    values = torch.tensor(values, dtype=torch.float64)
    return ((values - values.mean()) / values.square().mean().sub(values.mean() ** 2).sqrt()).float()


def one_object(height=5, width=5):
    """Two channels: (1, 0) everywhere but on the cell in the middle, which is (0, 2)."""
    x = torch.zeros(1, 2, height, width)
    x[:, 0] = 1
    x[:, :, height // 2, width // 2] = torch.tensor([0.0, 2.0])
    return x


def expected_peak(cells=25):
    """Of a map that is 0 but for one of its cells: whatever its height, mean 0 and spread 1."""
    return standardised([0.0] * (cells - 1) + [1.0])[-1]


def test_each_cue_of_one_object_on_an_even_ground():
    """It is 1 away from the border by angle, sqrt(5) by distance; its vector is longer by 1."""
    x = one_object()
    classes = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        classes.weight.copy_(torch.tensor([[0.0, 9.0], [0.0, 9.0], [0.0, 9.0]]))
        cues = compute_cues(CUES, *[dict.fromkeys("BCD", x)] * 2, SAME, classes)
    assert cues.shape == (1, len(CUES), 5, 5)
    for name, cue in zip(CUES, cues[0], strict=True):
        torch.testing.assert_close(cue[2, 2], expected_peak(), msg=name)
        torch.testing.assert_close(cue.square().mean(), torch.tensor(1.0), msg=name)
        assert (cue == cue.amax()).sum() == 1, name


def test_length_tells_what_angles_do_not():
    """A vector of the border's direction, twice as long, differs in length and distance only."""
    x = torch.ones(1, 2, 5, 5)
    x[:, :, 2, 2] = 2
    cues = dict(zip(CUES, compute_cues(CUES[:-1], *[dict.fromkeys("BCD", x)] * 2, SAME, None)[0], strict=False))
    assert cues["length"][2, 2] > 1
    assert cues["border_distance"][2, 2] > 1
    for name in ("border_angle", "border_angle_deep", "border_neighbours"):
        assert cues[name].abs().max() < 0.2, name


def test_a_picture_without_differences_says_nothing():
    x = torch.ones(2, 3, 4, 6)
    cues = compute_cues(CUES[:-1], *[dict.fromkeys("BCD", x)] * 2, SAME, None)
    assert cues.abs().max() < 0.1


def test_border_neighbours_know_several_kinds_of_border():
    """Sky above, grass below: a cell of grass in the middle is as its likes on the border, an object is not."""
    x = torch.zeros(1, 3, 6, 6)
    x[:, 0, :3] = 1
    x[:, 1, 3:] = 1
    x[:, :, 2, 2] = torch.tensor([0.0, 0.0, 1.0])
    cue = compute_cues(["border_neighbours"], *[dict.fromkeys("BCD", x)] * 2, SAME, None)[0, 0]
    assert cue.argmax() == 2 * 6 + 2
    torch.testing.assert_close(cue[4, 3], cue[0, 0])


def test_cells_of_deeper_levels_come_to_their_true_place():
    """Level C at 32 px from 31, level B at 16 from 15: B's cell 1 lies where C's cell 0 does, B's 2 halfway to C's 1."""
    deep = torch.tensor([[[0.0, 4.0], [8.0, 12.0]]])
    moved = move_to_cells(deep, Cells(32, 31), Cells(16, 15), (5, 5))
    assert moved[0, 0].tolist() == [0, 0, 2, 4, 4]
    assert moved[0, 2, 2] == 6
    assert moved[0, 1, 3] == 4
    assert moved[0, 4, 0] == 8
    assert move_to_cells(deep, Cells(32, 31), Cells(32, 31), (2, 2)) is deep


def test_a_network_without_a_linear_class_layer_has_one_cue_less():
    assert list_cues(None) == CUES[:-1]
    assert list_cues(nn.Linear(2, 2)) == CUES
