"""Effects in Python are those of lta.apply."""

import numpy as np
import pytest
import yaml
from PIL import Image
from untrained_run import untrained_run

import lta
from lta.apply.direct import DEFAULTS
from lta.cli.plugins import CONF


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("direct") / "run", "model.init.scorer=author")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8))
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    noise.resize((100, 80), Image.Resampling.NEAREST).save(file)
    return file


def test_the_defaults_are_those_of_the_command():
    assert yaml.safe_load((CONF / "apply.yaml").read_text())["attention"] == DEFAULTS


def test_a_mask_and_what_is_blurred_by_it(run, photo):
    network, picture = lta.load(run), Image.open(photo)
    mask = lta.mask_of(photo, network)
    assert mask.shape == (80, 100)
    assert 0 <= mask.min() < mask.max() <= 1
    np.testing.assert_array_equal(mask, lta.mask_of(picture, run))
    blurred = np.asarray(lta.autoblur(photo, network))
    changed = (blurred != np.asarray(picture)).any(2)
    assert changed[mask < 0.1].mean() > 0.5
    assert not changed[mask == 1].any()
    np.testing.assert_array_equal(np.asarray(lta.autoblur(photo, network, strength=0)), np.asarray(picture))


def test_settings_are_those_of_apply(run, photo):
    inverted = lta.mask_of(photo, run, invert=True)
    np.testing.assert_allclose(inverted, 1 - lta.mask_of(photo, run), atol=1e-6)
    with pytest.raises(ValueError, match="attention has no setting radius; its settings are levels, combine"):
        lta.mask_of(photo, run, radius=1)
    with pytest.raises(ValueError, match=r"the picture must be a file or a PIL image, not ndarray"):
        lta.mask_of(np.zeros((4, 4, 3), np.uint8), run)


def test_transparency_is_kept(run, photo):
    picture = Image.open(photo).convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(np.arange(100, dtype=np.uint8), (80, 1))))
    blurred = np.asarray(lta.autoblur(picture, run))
    np.testing.assert_array_equal(blurred[:, :, 3], np.asarray(picture)[:, :, 3])


def test_it_is_listed():
    assert {"autoblur", "load", "mask_of"} <= set(dir(lta))
