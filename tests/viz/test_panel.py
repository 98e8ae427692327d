import numpy as np
import pytest

from lta.viz.colour import COLOURS, backdrop, colour_table, normalise_map, overlay, upsample
from lta.viz.outline import COLOUR
from lta.viz.panel import PAGE, Example, enlarge, panel, strip

RNG = np.random.default_rng(0)


def picture(height: int = 32, width: int = 32) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def delta(rows: int, columns: int, row: int, column: int) -> np.ndarray:
    attn = np.zeros((rows, columns), np.float32)
    attn[row, column] = 1
    return attn


def example(size: tuple[int, int] = (32, 32), levels: tuple[str, ...] = ("A", "B", "C"), **changes) -> Example:
    maps = {
        level: RNG.random((-(-size[0] // 2**depth), -(-size[1] // 2**depth))).astype(np.float32)
        for depth, level in enumerate(levels)
    }
    return Example(picture(*size), maps, "cat", "dog", 0.83)._replace(**changes)


# --- colour ---------------------------------------------------------------------------------------------------------


def test_a_single_position_colours_its_block_alone():
    shown = overlay(np.full((32, 32, 3), 90, np.uint8), delta(8, 8, 2, 5), strength=1.0)
    lowest, highest = colour_table("inferno")[[0, 255]]
    block = np.zeros((32, 32), bool)
    block[8:12, 20:24] = True
    assert (shown[block] == highest).all()
    assert (shown[~block] == lowest).all()


def test_nearest_keeps_every_value_as_one_block():
    attn = RNG.random((8, 8)).astype(np.float32)
    enlarged = upsample(attn, (128, 128))
    assert (enlarged.reshape(8, 16, 8, 16) == attn[:, None, :, None]).all()


@pytest.mark.parametrize("size", [(33, 20), (7, 50), (8, 8), (3, 3)])
def test_nearest_takes_the_cell_under_the_pixels_centre(size):
    attn = RNG.random((5, 9)).astype(np.float32)
    rows = np.floor((np.arange(size[0]) + 0.5) / size[0] * 5).astype(int)
    columns = np.floor((np.arange(size[1]) + 0.5) / size[1] * 9).astype(int)
    assert (upsample(attn, size) == attn[rows][:, columns]).all()


def test_bilinear_has_half_pixel_centres():
    # Cells' middles lie at pixels 0.5 and 2.5 of 4 (counted from 0): outside them the edge value goes on.
    assert upsample(np.array([[0.0, 1.0]]), (1, 4), "bilinear").tolist() == [[0, 0.25, 0.75, 1]]


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(32, 32), (31, 45), (128, 96)])
def test_symmetric_maps_stay_symmetric(upsampling, size):
    attn = RNG.random((8, 8)).astype(np.float32)
    attn = attn + attn[::-1] + attn[:, ::-1] + attn[::-1, ::-1]
    if upsampling == "nearest" and size[0] % 2:
        size = (32, 48)  # a pixel whose centre lies on the border of two cells can't be symmetric
    enlarged = upsample(attn, size, upsampling)
    np.testing.assert_allclose(enlarged, enlarged[::-1], rtol=1e-6)
    np.testing.assert_allclose(enlarged, enlarged[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1e-38, 1 / 1024, 0.7])
@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_a_uniform_map_gives_one_colour(value, upsampling):
    shown = overlay(picture(), np.full((8, 8), value, np.float32), upsampling, strength=1.0)
    assert (shown == colour_table("inferno")[255]).all()


def test_colours_are_matplotlibs_and_rank_by_brightness():
    assert colour_table("viridis")[[0, 255]].tolist() == [[68, 1, 84], [253, 231, 36]]
    for name in COLOURS:
        brightness = colour_table(name) @ np.array([0.2126, 0.7152, 0.0722])
        assert (np.diff(brightness[::8]) > 0).all()


def test_picture_and_map_share_the_light():
    bright = overlay(np.full((4, 4, 3), 255, np.uint8), np.ones((2, 2)), strength=0.5)
    assert (bright == np.rint(0.5 * colour_table("inferno")[255]).astype(int) + 127).all()  # no overflow
    assert backdrop(picture_of_zeros_and_ones(), 0.4).tolist() == [[0, 102]]  # a dark picture spans the whole range
    assert backdrop(np.full((1, 1, 3), 100, np.uint8), 0.5).tolist() == [[50]]


def picture_of_zeros_and_ones() -> np.ndarray:
    return np.array([[[0, 0, 0], [1, 1, 1]]], np.uint8)


def test_what_a_user_can_get_wrong():
    with pytest.raises(ValueError, match="upsampling=cubic is unknown; choose one of nearest, bilinear"):
        overlay(picture(), np.ones((2, 2)), upsampling="cubic")
    with pytest.raises(ValueError, match="colours=jet is unknown"):
        overlay(picture(), np.ones((2, 2)), colours="jet")
    with pytest.raises(ValueError, match=r"strength=1\.5"):
        overlay(picture(), np.ones((2, 2)), strength=1.5)
    with pytest.raises(ValueError, match="at least one picture"):
        panel([])


def test_relative():
    assert normalise_map(np.array([[0.0, 0.5], [0.25, 0.1]])).tolist() == [[0, 1], [0.5, np.float32(0.2)]]


# --- strips and panels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((32, 32), (128, 128)),
        ((48, 48), (144, 144)),
        ((64, 64), (128, 128)),
        ((96, 96), (96, 96)),
        ((20, 32), (80, 128)),
        ((8, 8), (128, 128)),
        ((224, 448), (64, 128)),
    ],
)
def test_enlarge(size, shown):
    image = picture(*size)
    assert enlarge(image).shape == (*shown, 3)
    if shown[0] >= size[0]:
        factor = shown[0] // size[0]
        assert (enlarge(image)[::factor, ::factor] == image).all()


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_a_strip_is_the_picture_and_its_overlays(upsampling):
    one = example((20, 32))
    tiles = [enlarge(one.image), *(overlay(enlarge(one.image), attn, upsampling) for attn in one.maps.values())]
    white = np.full((80, 4, 3), 255, np.uint8)
    expected = np.concatenate([part for tile in tiles for part in (tile, white)][:-1], axis=1)
    assert (strip(one, upsampling) == expected).all()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (96, 96), (60, 96), (224, 160)])
@pytest.mark.parametrize("levels", [(), ("C",), ("A", "B", "C")])
def test_panels_of_all_shapes(size, levels):
    sheet = panel([example(size, levels) for _ in range(7)], title="epoch 3")
    assert sheet.mode == "RGB"
    assert sheet.width <= PAGE + 30
    assert (np.asarray(sheet) != 255).any()


def test_a_panel_holds_every_strip():
    examples = [example() for _ in range(5)]
    sheet = np.asarray(panel(examples, title="epoch 3"))
    for one in examples:
        tile = strip(one)[:, :128]
        corners = np.argwhere((sheet[:-127, :-127] == tile[0, 0]).all(-1))
        assert any((sheet[y : y + 128, x : x + strip(one).shape[1]] == strip(one)).all() for y, x in corners)


def test_an_objects_border_is_drawn_into_picture_and_maps():
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    plain, drawn = (strip(example(mask=one)._replace(image=picture())) for one in (None, mask))
    border = (drawn == COLOUR).all(-1)
    for tile in range(4):
        found = np.argwhere(border[:, tile * 132 :][:, :128])
        assert found.min(0).tolist() == [32, 32]
        assert found.max(0).tolist() == [95, 95]
        assert len(found) == 4 * 63
    assert not (plain == COLOUR).all(-1).any()


def test_right_and_wrong_differ_in_colour_and_sign():
    image = picture()
    right, wrong = (
        np.asarray(panel([Example(image, {}, "cat", predicted, 0.5)])).reshape(-1, 3).tolist()
        for predicted in ("cat", "dog")
    )
    assert [0, 0x72, 0xB2] in right
    assert [0, 0x72, 0xB2] not in wrong
    assert [0xD5, 0x5E, 0] in wrong
    assert [0xD5, 0x5E, 0] not in right


def test_long_names_are_shortened_and_disturb_nothing():
    names = {"label": "Ägyptischer Maulwurf und so weiter" * 3, "predicted": "кошка " * 20}
    short, long = example(), example(**names)
    long = long._replace(image=short.image, maps=short.maps)
    first, second = np.asarray(panel([short])), np.asarray(panel([long]))
    assert first.shape == second.shape
    assert (first[:, 146:] == second[:, 146:]).all()  # what stands right of the picture's own cell
    assert (first[:160] == second[:160]).all()


def test_zero_maps_are_drawn():
    panel([example()._replace(maps={"C": np.zeros((8, 8), np.float32)})])
