"""The photographs that the page begins with are in scikit-image's wheel, and free."""

from importlib.metadata import files

import pytest

from lta.demo.examples import EXAMPLES, list_examples
from lta.pictures.read import read_image

skimage = pytest.importorskip("skimage")


def test_all_of_them_are_in_the_wheel_and_can_be_read():
    carried = {path.name for path in files("scikit-image") if path.parent.as_posix() == "skimage/data"}
    assert [example for example, _ in list_examples()] == list(EXAMPLES)
    for example, file in list_examples():
        assert example.file in carried, "it would be downloaded"
        assert read_image(file).rgb.shape[0] == 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_its_documentation_frees_each(example):
    names = {"chelsea.png": "chelsea", "clock_motion.png": "clock"}
    said = getattr(skimage.data, names.get(example.file, example.file.partition(".")[0])).__doc__
    assert "CC0" in said or "public domain" in said
    assert ("CC0" in example.source) == ("CC0" in said)


def test_there_are_none_without_scikit_image(monkeypatch):
    monkeypatch.setattr("lta.demo.examples.find_spec", lambda name: None)
    assert list_examples() == []
