"""Error, confusion and calibration of answers that are known."""

import numpy as np
import pytest
import torch
from PIL import Image
from stand_ins import Stand, first_pixel, made_data

from lta.evaluators.classification.by_class import choose_threshold
from lta.evaluators.classification.evaluator import Classification, calibration_error
from lta.evaluators.classification.views import average_logits

IMAGES = np.zeros((5, 4, 4, 3), np.uint8)
IMAGES[:, 0, 0, 0] = (0, 51, 204, 255, 204)  # sure of class 1 by 0, 0.2, 0.8, 1, 0.8


def test_errors_and_confusion_by_hand():
    result = Classification().run(Stand(first_pixel), made_data(IMAGES, [0, 1, 1, 1, 0]))
    assert result.figures["error"]["value"] == pytest.approx(40)
    assert result.figures["error"]["n"] == 5
    assert result.figures["confusion"]["counts"] == [[1, 1], [1, 2]]
    assert result.figures["error_by_class"]["b"]["value"] == pytest.approx(100 / 3)
    nll = -np.log([1, 0.2, 0.8, 1, 0.2]).mean()
    assert result.figures["nll"]["value"] == pytest.approx(nll, abs=1e-5)
    assert [row["class"] for row in result.rows] == ["all", "a", "b"]


def test_rows_of_the_confusion_are_true_classes():
    result = Classification().run(Stand(first_pixel), made_data(IMAGES, [0, 1, 1, 1, 1]))
    assert result.figures["confusion"]["counts"] == [[1, 0], [1, 3]], "one of class b is taken for a, none the other way"


def test_each_class_counts_as_much_and_is_told_apart():
    data = made_data(IMAGES, [0, 1, 1, 1, 0])
    result = Classification().run(Stand(first_pixel), data)
    assert result.figures["balanced_error"]["value"] == pytest.approx((50 + 100 / 3) / 2)
    b = result.figures["by_class"]["b"]
    assert b["at_half"]["sensitivity"]["value"] == pytest.approx(200 / 3)
    assert b["at_half"]["specificity"]["value"] == pytest.approx(50)
    assert (b["threshold"], b["at_threshold"]) == (None, None), "there is no validation set"
    assert b["auroc"]["value"] == pytest.approx(4.5 / 6), "of six pairs one is equal and one the wrong way round"
    assert result.rows[0]["auroc"] == pytest.approx(b["auroc"]["value"])
    data.val = data.test
    b = Classification().run(Stand(first_pixel), data).figures["by_class"]["b"]
    assert b["threshold"] == pytest.approx(0.2), "it takes in all of b and one of a"
    assert b["at_threshold"]["sensitivity"]["value"] == 100
    assert b["at_threshold"]["specificity"]["value"] == 50


@pytest.mark.parametrize(
    ("scores", "of_class", "expected"),
    [
        ([0.1, 0.4, 0.6, 0.9], [0, 0, 1, 1], 0.6),
        ([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1], 0.9),
        ([0.9, 0.4, 0.4, 0.1], [0, 1, 1, 1], 0.1),
        ([0.5, 0.5], [1, 0], 0.5),
        ([0.5, 0.6], [1, 1], None),
        ([0.5, 0.6], [0, 0], None),
    ],
)
def test_the_threshold_by_hand(scores, of_class, expected):
    assert choose_threshold(np.array(scores), np.array(of_class, bool)) == expected


def test_pictures_and_the_matrix_as_a_table():
    result = Classification(examples=2).run(Stand(first_pixel), made_data(IMAGES, [0, 1, 1, 1, 0]))
    assert result.tables["confusion"] == [{"true": "a", "a": 1, "b": 1}, {"true": "b", "a": 1, "b": 2}]
    assert set(result.pictures) == {"confusion", "calibration", "surest_mistakes", "least_sure"}
    none = Classification(examples=0).run(Stand(first_pixel), made_data(IMAGES, [0, 1, 1, 1, 0]))
    assert set(none.pictures) == {"confusion", "calibration"}
    right = Classification().run(Stand(first_pixel), made_data(IMAGES, [0, 0, 1, 1, 1]))
    assert set(right.pictures) == {"confusion", "calibration", "least_sure"}, "there is no mistake to draw"


def test_which_pictures_are_drawn(monkeypatch):
    """The surest of those that are wrong, and the least sure of all."""
    drawn, empty = {}, Image.new("RGB", (1, 1))
    monkeypatch.setattr(
        "lta.evaluators.classification.evaluator.draw_images",
        lambda classifier, split, places, labels, shares, title: drawn.update({title: places.tolist()}) or empty,
    )
    images = np.zeros((6, 4, 4, 3), np.uint8)
    images[:, 0, 0, 0] = (10, 200, 250, 140, 30, 120)
    Classification(examples=2).run(Stand(first_pixel), made_data(images, [1, 0, 0, 1, 0, 1]))
    assert drawn == {"The surest mistakes": [2, 0], "The least sure": [5, 3]}


def test_calibration_by_hand():
    confidence, right = np.array([0.8, 0.8, 0.8, 0.8, 0.6]), np.array([True, True, True, False, True])
    found = calibration_error(confidence, right, bins=5)  # bins of 0.2: 0.6 lies in (0.4, 0.6], 0.8 in (0.6, 0.8]
    assert found["value"] == pytest.approx(0.8 * abs(0.75 - 0.8) + 0.2 * abs(1 - 0.6))
    assert [one["n"] for one in found["bins"]] == [1, 4]
    assert calibration_error(np.ones(3), np.ones(3, bool), 15)["value"] == 0


def test_classes_are_matched_by_name():
    data = made_data(IMAGES, [1, 0, 0, 0, 1], class_names=("b", "a"))
    assert Classification().run(Stand(first_pixel), data).figures["error"]["value"] == pytest.approx(40)
    with pytest.raises(ValueError, match=r"the data have the class c, which this network does not know; it knows a, b"):
        Classification().check(Stand(first_pixel), made_data(IMAGES, [0, 0, 1, 0, 0], class_names=("a", "c")))
    only = made_data(IMAGES, [1, 1, 1, 1, 1], class_names=("unused", "b"))
    assert Classification().run(Stand(first_pixel), only).figures["error"]["value"] == pytest.approx(40)


def test_a_wrong_setting_is_named():
    with pytest.raises(ValueError, match=r"evaluator\.classification\.bins=0 must be a whole number, at least 1"):
        Classification(bins=0)


def seen(views, height=3, width=4):
    """What each view is, and its weight, of a picture whose pixels are its positions."""
    image = torch.arange(height * width, dtype=torch.uint8).view(1, 1, height, width).expand(1, 3, -1, -1)
    shown = []

    def network(view):
        shown.append(view[0, 0])
        return torch.eye(6)[len(shown) - 1][None]

    return shown, average_logits(network, image, views)[0]


def test_the_views_by_hand():
    (only,), weights = seen("one")
    assert only.flatten().tolist() == list(range(12))
    assert weights.tolist() == [1, 0, 0, 0, 0, 0]
    (plain, mirror), weights = seen("mirrored")
    assert torch.equal(plain, only)
    assert mirror.tolist() == [[3, 2, 1, 0], [7, 6, 5, 4], [11, 10, 9, 8]]
    assert weights.tolist() == [0.5, 0.5, 0, 0, 0, 0]
    shown, weights = seen("shifted")
    assert torch.equal(torch.stack(shown[:2]), torch.stack([plain, mirror]))
    assert shown[2].tolist() == [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6]], "the border is mirrored"
    assert shown[4].tolist() == [[5, 6, 7, 6], [9, 10, 11, 10], [5, 6, 7, 6]]
    assert torch.equal(shown[3], shown[2].flip(1))
    assert torch.equal(shown[5], shown[4].flip(1))
    assert weights.tolist() == [0.25, 0.25, 0.125, 0.125, 0.125, 0.125]


def test_views_are_averaged_and_said():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[0, :, -1, 0] = 255  # a stand-in that looks at the first pixel sees it in the mirror image only
    plain = Classification().run(Stand(first_pixel), made_data(images, [1, 0]))
    assert plain.figures["error"]["value"] == 50
    mirrored = Classification(views="mirrored").run(Stand(first_pixel), made_data(images, [1, 0]))
    assert "test-time augmentation: views=mirrored" in mirrored.lines[0]
    assert mirrored.figures["nll_mirrored"]["value"] != plain.figures["nll"]["value"]
    assert not set(mirrored.figures) & set(plain.figures), "no figure of several views is taken for one of the pictures"
    assert {row["views"] for row in mirrored.rows} == {"mirrored"}
    with pytest.raises(ValueError, match=r"evaluator\.classification\.views=all"):
        Classification(views="all")


def test_a_confusion_matrix_is_drawn_whatever_classes_are_called():
    from lta.evaluators.classification.pictures import draw_confusion

    names = ["d\udcf6g", "$a_1$ and $b", "$\\frac{", "\u4e2d", "a" * 40]
    assert draw_confusion(np.eye(5, dtype=np.int64), names).size[0] > 100
