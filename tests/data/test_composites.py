"""Cut-and-paste composites: every pixel's role is what was painted there, and the same arguments give the same scenes."""

import numpy as np
import pytest
from masked import draw, labels

from lta.data.composites import Composites, Shown, find_empty_squares, make_composites
from lta.data.errors import DataError

SIZE = (32, 32)
COLOURS = np.uint8([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]])


def pictures(count=4):
    """Grey pictures, 40 + 10 k, each with a triangle of its own bright colour to the left."""
    made = []
    for number in range(count):
        mask = np.zeros((120, 160), bool)
        mask[20:100, 10 : 50 + 5 * number] = np.arange(40 + 5 * number) <= np.arange(80)[:, None] * (40 + 5 * number) / 80
        made.append(Shown(np.where(mask[..., None], COLOURS[number], np.uint8([40 + 10 * number] * 3)), mask))
    return made


def composites(count=40, **options):
    made = pictures()
    return make_composites(made, np.array([0, 0, 1, 1]), np.arange(4), SIZE, count, **options)


def test_same_arguments_same_composites():
    one, same, other = composites(), composites(), composites(seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.images, other.images)


def test_scenes_are_known_again_by_their_pixels():
    one, other = composites(), composites(seed=1)
    assert len(np.unique(one.ids[:, 0])) == 40
    assert not np.isin(other.ids, one.ids).any()


def test_roles_are_where_objects_of_their_colour_were_pasted():
    """Each picture has a colour and a grey of its own: a pixel tells where it comes from."""
    split = composites(count=60)
    assert set(np.unique(split.roles)) == {0, 1, 2}
    for image, roles, source in zip(split.images.astype(int), split.roles, split.sources, strict=True):
        distance = np.abs(image[..., None, :] - COLOURS.astype(int)).sum(3)
        nearest, solid = distance.argmin(2), distance.min(2) < 40
        assert (nearest[solid & (roles == 2)] == source).all()
        assert (solid & (roles == 2)).sum() > 0.6 * (roles == 2).sum()
        assert not (nearest[solid & (roles == 1)] == source).any()
        assert not (solid & (roles == 0)).any()
        assert not (np.ptp(image, 2)[roles > 0] == 0).any(), "background shows where an object should"
        greys = image[~solid & (np.ptp(image, 2) == 0)]
        assert len(np.unique(greys)) == 1
        assert greys[0, 0] != 40 + 10 * source, "before its own background"
        side = set(nearest[solid & (roles == 1)])
        assert len(side) <= 1
        assert (greys[0, 0] - 40) // 10 not in side, "the distractor comes from a third picture"


def test_every_object_is_the_main_one_equally_often_and_its_class_is_the_label():
    split = composites(count=41)
    assert sorted(np.bincount(split.sources)) == [10, 10, 10, 11]
    assert np.array_equal(split.labels, np.array([0, 0, 1, 1])[split.sources])


def test_the_main_object_is_whole_and_half_of_the_distractor_is_seen():
    split = composites(count=80)
    heights = [np.ptp(np.flatnonzero((roles == 2).any(1))) + 1 for roles in split.roles]
    assert min(heights) >= 15
    assert max(heights) <= 25
    alone = make_composites(pictures(), np.zeros(4, int), np.arange(4), SIZE, 80, distractor="none")
    assert not (alone.roles == 1).any()
    area = [(roles == 2).sum() for roles in split.roles]
    assert np.mean(area) == pytest.approx(np.mean([(roles == 2).sum() for roles in alone.roles]), rel=0.1)
    assert ((split.roles == 1).sum((1, 2)) >= 4).all()  # half of an eighth of a triangle of 16 x 8 pixels


def test_a_whole_distractor_is_of_another_class():
    split = composites(count=40, distractor="object")
    for image, roles, label in zip(split.images.astype(int), split.roles, split.labels, strict=True):
        distance = np.abs(image[..., None, :] - COLOURS.astype(int)).sum(3)
        sides = distance.argmin(2)[(roles == 1) & (distance.min(2) < 40)]
        assert len(sides)
        assert (sides // 2 != label).all()


def test_background_squares_hold_no_object_and_keep_away_from_it():
    mask = np.zeros((120, 160), bool)
    mask[20:100, 10:50] = True
    found = find_empty_squares(mask, least=20)
    assert found[0][0] >= 20
    assert len(found) >= 4
    for side, places in found:
        for top, left in places[:: max(1, len(places) // 50)]:
            assert top + side <= 120
            assert left + side <= 160
            assert not mask[max(top - 2, 0) : top + side + 2, max(left - 2, 0) : left + side + 2].any()
    side, places = found[0]
    assert places[:, 1].min() == 52  # the object ends at 50, and 2 % of 120 pixels are 2
    assert find_empty_squares(np.ones((50, 50), bool), 5) == []


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate("abc"):
        draw(tmp_path, name, (90, 60), (10, 10, 40 + number, 50))
    labels(tmp_path, "image,mask,class\na.png,a.png,cat\nb.png,b.png,dog\nc.png,c.png,cat\n")
    return tmp_path


def test_the_data_module(root):
    data = Composites(str(root), test_size=12)
    data.prepare_data()
    assert data.class_names == ("cat", "dog")
    assert data.image_size == (32, 32)
    assert data.test.images.shape == (12, 32, 32, 3)
    assert data.test.images.dtype == data.test.roles.dtype == np.uint8
    assert data.test.labels.tolist() == [int(source == 1) for source in data.test.sources]
    assert len(data.train.labels) == 0
    assert data.val is None
    again = Composites(str(root), test_size=12, seed=5)
    again.prepare_data()
    assert np.array_equal(again.test.images, data.test.images)
    wide = Composites(str(root), test_size=5, image_size=[16, 24], distractor="object")
    wide.prepare_data()
    assert wide.test.roles.shape == (5, 16, 24)


def refused(root, **options):
    with pytest.raises(DataError) as error:
        Composites(str(root), **options).prepare_data()
    return str(error.value)


def test_what_can_not_be_made_is_said_in_one_line(root):
    labels(root, "image,mask,class\na.png,a.png,cat\nb.png,b.png,cat\n")
    assert "data.distractor=object needs objects of two classes" in refused(root, distractor="object")
    assert "composites need at least two pictures with an empty square" in refused(root, image_size=60)
    labels(root, "image,mask,class\na.png,a.png,cat\n")
    assert "1 has one" in refused(root)
    assert "data.root must be given" in refused("")


@pytest.mark.parametrize("options", [{"test_size": 0}, {"composites_seed": -1}, {"distractor": "two"}, {"threshold": -1}])
def test_wrong_settings_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"data.{name}="):
        Composites("somewhere", **options)
