"""Figures in words."""

import pytest

from lta.report.wording import FIRST, describe_estimate, matches_pattern


@pytest.mark.parametrize(
    ("evaluator", "name", "words"),
    [
        ("localisation", "maps.C.iou", "IoU: level C"),
        ("localisation", "maps.gradcam_pp.iou", "IoU: Grad-CAM++"),
        ("localisation", "maps.own_class.box_50", "boxes that fit at an IoU of 50 %: backbone's own class map"),
        ("localisation", "maps.C.iou.controls.uniform", "IoU, next to level C: uniform map"),
        ("query", "levels.B.replaced_by.zero.tv", "attention moved by a query of 0: level B"),
        ("robustness", "attacks.uniform.8.error", "error, uniform noise, eps 8 of 255, %"),
        ("robustness", "attacks.pgd.[0.5].error", "error, PGD, eps 0.5 of 255, %"),
        ("classification", "error", "error, %"),
        ("classification", "error_shifted", "error, shifted, %"),
        ("transfer", "features.raw pixels 16x16.error", "error of a linear SVM on raw pixels 16x16, %"),
        ("somebodys", "error_by_class.cat", "error by class: cat"),
        ("somebodys", "A", "A"),
        ("somebodys", "deep.er.down", "deep.er.down"),
    ],
)
def test_a_figure_is_called_as_a_reader_would(evaluator, name, words):
    assert describe_estimate(evaluator, name) == words


def test_every_figure_that_is_shown_has_words():
    for evaluator, patterns in FIRST.items():
        for pattern in patterns:
            words = describe_estimate(evaluator, pattern.replace("*", "x"))
            assert not set("{}_.") & set(words), words


def test_a_star_stands_for_one_part_of_a_name():
    assert matches_pattern("maps.C.iou", "maps.*.iou")
    assert not matches_pattern("maps.C.iou.controls.uniform", "maps.*.iou")
    assert not matches_pattern("mapsXCXiou", "maps.*.iou")
