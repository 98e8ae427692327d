"""The reference is made from the code: all that is public or can be set is in it."""

import importlib
import inspect
import re
from pathlib import Path

import generate
import pytest
import yaml
from test_package import PLAIN

from lta.__main__ import find_commands

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = generate.list_public_names()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_described_and_in_the_reference(name):
    module = importlib.import_module(name)
    page = generate.render_module(name, PUBLIC[name])
    assert module.__doc__
    for public in module.__all__:
        thing = getattr(module, public)
        described = inspect.getdoc(thing)
        assert described, f"{name}.{public} has no docstring"
        assert not described.startswith(f"{public}("), f"{name}.{public} has no docstring of its own"
        assert f"\n   {public}\n" in page
        assert public in dir(module)


def test_the_reference_has_the_packages_that_can_be_lifted_out_and_the_contracts():
    assert {f"lta.{name}" for name in PLAIN} | {"lta", "lta.protocols", "lta.data", "lta.evaluators"} <= set(PUBLIC)


def flatten(key, value):
    if isinstance(value, dict) and value:
        for below, content in value.items():
            if not below.startswith("_"):
                yield from flatten(f"{key}.{below}", content)
    else:
        yield key


def test_the_reference_has_every_choice_and_every_setting():
    page = generate.render_configuration()
    files = [path for path in (ROOT / "conf").glob("*/*.yaml") if path.parent.name not in ("experiment", "hydra")]
    assert len(files) > 50
    for file in files:
        group = file.parent.name
        assert f"\n### {group}={file.stem}\n" in page
        package = next(iter(file.read_text().splitlines())).partition("# @package ")[2] or group
        for key, value in (yaml.safe_load(file.read_text()) or {}).items():
            if key != "defaults" and not key.startswith("_"):
                for setting in flatten(f"{package}.{key}".removeprefix("_global_."), value):
                    assert f"\n| `{setting}` | " in page


def test_a_setting_has_its_default_and_the_whole_of_its_comment(tmp_path):
    file = tmp_path / "some.yaml"
    file.write_text(
        "# What it is, of `a_b`\n# and a_b.\n_target_: x.y\nfirst: [1, 2]  # one|two\n               # and more of_it\n"
        "part:            # pictures\n  _target_: z\n  every: 1\nlast: 'a # b'\n# not of last\n"
    )
    assert generate.read_head(file) == "What it is, of `a_b`\nand a\\_b."
    assert list(generate.read_settings(file, "group")) == [
        ("group.first", "[1, 2]", r"one\|two and more of\_it"),
        ("group.part", "", "pictures"),
        ("group.part.every", "1", ""),
        ("group.last", "'a # b'", ""),
    ]


def test_every_page_is_generated_and_none_is_left_of_before(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "lta.gone.md").write_text("# lta.gone\n")
    generate.write_pages(tmp_path)
    assert {path.stem for path in (tmp_path / "api").iterdir()} == set(PUBLIC)
    commands = (tmp_path / "commands.md").read_text()
    for name in find_commands():
        assert f"\n## lta {name}\n" in commands
        assert f"usage: python -m lta.{name} " in commands
    assert "\n| `seed` | `0` | weights, order of the images, augmentation, dropout |\n" in commands
    experiments = (tmp_path / "experiments.md").read_text()
    assert all(f"\n| `{path.stem}` | " in experiments for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


def test_the_citation_is_of_this_version_of_the_format():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["preferred-citation"]["year"] == 2018
    assert [author["family-names"] for author in citation["preferred-citation"]["authors"]] == [
        "Jetley",
        "Lord",
        "Lee",
        "Torr",
    ]


def test_contributing_names_files_that_are_there():
    """What stands between backticks and looks like a path of this repository."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = [
        word
        for word in text.split("`")[1::2]
        if word.startswith(("lta/", "conf/", "tests/")) and not re.search("NAME|<", word)
    ]
    assert len(named) > 10
    assert not [word for word in named if not (ROOT / word).exists()]
