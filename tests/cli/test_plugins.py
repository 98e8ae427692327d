"""Packages and folders whose configuration takes part."""

import pytest

from lta.checks import RunError
from lta.cli import plugins
from lta.cli.commands import label_choices, list_choices
from lta.cli.plugins import CONF, LTA, ConfRoot, check_distinct_choices, complaints, conf_roots, installed_roots, root_of


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Lays a distribution into a folder on sys.path, as pip does: files by name, and its entry point's value."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def lay(name: str, value: str, files: dict[str, str]) -> None:
        about = site / f"{name.replace('-', '_')}-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[lta.conf]\n{name} = {value}\n")
        for file, content in files.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text(content)
        (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        plugins._installed.cache_clear()

    yield lay
    plugins._installed.cache_clear()


def test_a_package_takes_part_without_being_imported(install):
    install("my-attention", "mine", {"mine/__init__.py": "1 / 0", "mine/conf/compat/cosine.yaml": "_target_: mine.Cosine"})
    (root,) = installed_roots()
    assert root.label == "mine"
    assert root.own == {"mine"}
    assert not complaints()
    assert label_choices("compat")["cosine"] == "mine"
    assert label_choices("compat")["pc"] == ""
    assert "cosine" in list_choices("compat")


def test_own_packages_are_those_of_the_distribution(install):
    install("two", "one", {"one/__init__.py": "", "other/deep.py": "", "lone.py": "", "one/conf/x/a.yaml": ""})
    assert installed_roots()[0].own == {"one", "other", "lone"}


@pytest.mark.parametrize(
    ("value", "files", "says"),
    [
        ("mine", {"mine/__init__.py": ""}, "mine has no folder conf"),
        ("absent", {"mine/conf/compat/x.yaml": ""}, "there is no package absent"),
        ("mine.inner", {"mine/inner/conf/compat/x.yaml": ""}, "it must be the name of a top-level package"),
        ("mine:main", {"mine/conf/compat/x.yaml": ""}, "it must be the name of a top-level package"),
        ("mine", {"mine.py": ""}, "there is no package mine"),
    ],
)
def test_a_package_whose_conf_is_missing_is_left_out_in_a_line(install, value, files, says):
    install("broken", value, files)
    assert installed_roots() == ()
    (line,) = complaints()
    assert line.startswith("left out: entry point broken = ")
    assert line.endswith(says)
    assert [root.label for root in conf_roots()] == [""]


def test_metadata_in_the_current_folder_does_not_count(install, monkeypatch, tmp_path):
    install("mine", "mine", {"mine/conf/compat/cosine.yaml": ""})
    monkeypatch.chdir(tmp_path / "site")
    plugins._installed.cache_clear()
    assert installed_roots() == ()


def test_a_link_out_of_a_package_is_no_part_of_it(install, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "evil.yaml").write_text("_target_: evil.Evil")
    install("mine", "mine", {"mine/__init__.py": "", "mine/conf/compat/cosine.yaml": ""})
    (tmp_path / "site/mine/conf/compat/evil.yaml").symlink_to(tmp_path / "outside" / "evil.yaml")
    (tmp_path / "site/mine/conf/head").symlink_to(tmp_path / "outside")
    plugins._installed.cache_clear()
    (root,) = installed_roots()
    assert [path.name for path in root.files()] == ["cosine.yaml"]
    assert root.choices("head") == []
    assert [line.partition(" is a link")[0].rpartition("/")[2] for line in complaints()] == ["evil.yaml", "head"]


def test_a_choice_that_is_there_already_names_both_files(tmp_path):
    (tmp_path / "compat").mkdir()
    (tmp_path / "compat" / "pc.yaml").touch()
    with pytest.raises(RunError) as raised:
        check_distinct_choices([LTA, root_of(tmp_path)])
    assert str(raised.value) == (
        f"compat/pc is both in {CONF}/compat/pc.yaml and in {tmp_path}/compat/pc.yaml: rename one of them"
    )
    check_distinct_choices([LTA, ConfRoot("other", tmp_path / "nothing")])
