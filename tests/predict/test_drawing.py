"""Which pictures come onto the sheet, and where overlays go."""

from pathlib import Path

import numpy as np
import pytest
from untrained_run import untrained_run

import lta
from lta.pictures.find import Found
from lta.predict.drawing import Answered, Drawing
from lta.predict.files import leave_out_own, name_overlays


def test_the_least_sure_are_kept_in_their_order(tmp_path):
    classifier = lta.load(untrained_run(tmp_path / "run"))
    shares = np.random.default_rng(0).permutation(np.repeat(np.linspace(0.1, 1, 20), 2))
    for count in (0, 1, 7, 50):
        drawing = Drawing(classifier, [], "none", count, None, "it")
        for place, share in enumerate(shares.tolist()):
            drawing.keep_least_sure(Answered(share, place, f"{place}", {}))
        kept = drawing.list_least_sure()
        assert [one.place for one in kept] == np.argsort(shares, kind="stable")[:count].tolist()
        assert all(one.share == shares[one.place] for one in kept)


def test_overlays_keep_the_folders_names():
    found = [
        Found(Path(path), Path(place))
        for path, place in (
            ("in/a.jpg", "in"),
            ("in/x/a.jpg", "in"),
            ("in/X/A.png", "in"),
            ("other/x/a.jpg", "other"),
            ("single/b.jpg", "single"),
        )
    ]
    names = [path.as_posix() for path in name_overlays(Path("out"), found)]
    assert names[0] == "out/overlays/a_attention.jpg"
    assert names[1:4] == [f"out/overlays/x/{name}_attention.jpg" for name in ("a", "A_2", "a_3")]
    assert names[4] == "out/overlays/b_attention.jpg"


def test_only_what_was_drawn_is_left_out_of_out(tmp_path):
    found = [Found(tmp_path / name, tmp_path) for name in ("a.jpg", "sheet.png", "overlays/a.jpg", "overlays_2/a.jpg")]
    assert [one.path.relative_to(tmp_path).as_posix() for one in leave_out_own(found, tmp_path)] == [
        "a.jpg",
        "overlays_2/a.jpg",
    ]
    with pytest.raises(ValueError, match="holds only what"):
        leave_out_own(found[1:3], tmp_path)
