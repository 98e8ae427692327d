"""Paths and names reach the program as they are typed."""

import os
import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from path_names import NUMBERS, ODD

import lta.cli.resolvers  # noqa: F401  registers what conf/ asks for
from lta.cli.path_settings import NAMES, PATHS, read_texts, unquote
from lta.cli.plugins import CONF
from lta.cli.quoting import quote_arguments

SINGLE = [key for key in PATHS if key != "evaluator.transfer.baseline"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def quoted(argument: str, *flags: str, lists: tuple[str, ...] = ()) -> str:
    *before, changed = quote_arguments([*flags, argument], lists)
    assert before == list(flags)
    assert quote_arguments([*flags, changed], lists) == [*flags, changed], "rewritten again"
    assert quote_arguments([changed], lists) == [changed], "rewritten again in a job"
    return changed


def read(argument: str) -> object:
    """What the program is told, by way of Hydra's parser, OmegaConf and its interpolations."""
    key = argument.lstrip("+").partition("=")[0]
    (override,) = OverridesParser.create().parse_overrides([argument])
    assert not override.is_sweep_override()
    cfg = OmegaConf.create({"again": f"${{{key}}}"})
    OmegaConf.update(cfg, key, override.value(), force_add=True)
    return OmegaConf.to_container(cfg, resolve=True)["again"]


@pytest.mark.parametrize("name", [*ODD, *NUMBERS])
@pytest.mark.parametrize("exists", [False, True])
def test_a_path_arrives_as_it_is_typed_by_each_key(name, exists):
    if exists:
        os.mkdir(name)
    for key in PATHS:
        for typed in (name, f"/data/{name}", f"{name}/below"):
            if typed == "[x]y/below" or (typed, key) == ("one,two", "evaluator.transfer.baseline"):
                continue
            changed = quoted(f"{key}={typed}")
            listed = key == "evaluator.transfer.baseline" and "," in typed and not os.path.lexists(typed)
            if not listed:
                assert read(changed) == typed, changed
                assert typed in read_texts(changed.partition("=")[2])


@pytest.fixture(scope="module")
def small_conf(tmp_path_factory):
    """What is asked of it is how Hydra reads: that is the same for a configuration of any size."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "data").mkdir()
    (folder / "data" / "cifar10.yaml").write_text("root: null\n")
    (folder / "config.yaml").write_text("defaults: [data: cifar10]\nlogger: {wandb: {}}\n")
    return folder


@pytest.mark.parametrize("name", [*ODD, *NUMBERS])
def test_hydra_composes_it(name, small_conf):
    assert_composed(small_conf, name)


@pytest.mark.parametrize("name", [*ODD, *NUMBERS][::9])
def test_hydra_composes_it_with_ltas_configuration(name):
    assert_composed(CONF, name)


def assert_composed(conf, name):
    with initialize_config_dir(str(conf), version_base="1.3"):
        cfg = compose("config", quote_arguments([f"data.root={name}", f"+logger.wandb.name={name}", "data=cifar10"]))
    assert OmegaConf.to_container(cfg.data, resolve=False)["root"] is not None
    assert cfg.data.root == name
    assert cfg.logger.wandb.name == name


@pytest.mark.parametrize("name", [*ODD, *NUMBERS])
def test_one_of_a_list_or_of_a_sweep_arrives(name):
    if "," in name:
        return
    os.mkdir(name)
    assert read(quoted(f"checkpoint={name},other", lists=("checkpoint",))) == [name.strip(), "other"]
    assert read(quoted(f"checkpoint=[{name},other]", lists=("checkpoint",))) == [name.strip(), "other"]
    _, changed = quote_arguments(["-m", f"data.root={name},other"])
    assert quote_arguments(["-m", changed]) == ["-m", changed]
    (override,) = OverridesParser.create().parse_overrides([changed])
    jobs = [f"data.root={value}" for value in override.sweep_string_iterator()]
    assert [quote_arguments([job]) for job in jobs] == [[job] for job in jobs]
    assert [read(job) for job in jobs] == [name.strip(), "other"]


@pytest.mark.parametrize(
    "argument",
    [
        "data.root=/data/photos",
        "data.root=2026/photos",
        "data.root=null",
        "checkpoint='my run'",
        'checkpoint="it\'s"',
        "checkpoint='it\\'s'",
        "resume=auto",
        "hydra.run.dir=runs/${now:%Y-%m-%d}",
        "hydra.run.dir=runs/${model}",
        "data.root=${oc.env:HOME}/data",
        "checkpoint=multirun/sweep/*",
        "data=cifar10",
        "model.levels=[A,B]",
        "recipe.lr=1e-3",
        "trust=a.b",
    ],
)
def test_what_hydra_reads_so_stays(argument):
    assert quoted(argument) == argument


@pytest.mark.parametrize("value", ["a,b", "choice(a,b)", "glob(*)", "'a','b c'", "shuffle(a,b)"])
def test_a_sweep_stays_one(value):
    assert quoted_sweep(value) == value


def quoted_sweep(value: str) -> str:
    changed = quote_arguments(["-m", f"data.root={value}"])
    assert quote_arguments(changed) == changed
    return changed[1].partition("=")[2]


def test_in_a_sweep_quotes_make_one_of_it(tmp_path):
    os.mkdir("a,b")
    assert quoted_sweep("'a,b'") == "'a,b'"
    assert quoted_sweep("a,b") == "a,b"
    assert quoted("hydra.sweep.dir=a,b", "-m") == "hydra.sweep.dir='a,b'"


def test_what_there_is_by_that_name_is_one_path_else_it_is_several():
    assert read(quoted("checkpoint=a,b c", lists=("checkpoint",))) == ["a", "b c"]
    assert read(quoted("checkpoint=a,b c")) == "a,b c"
    os.mkdir("a,b c")
    assert read(quoted("checkpoint=a,b c", lists=("checkpoint",))) == "a,b c"
    assert read(quoted("checkpoint=[a,b c]", lists=("checkpoint",))) == ["a", "b c"]
    os.mkdir("[a,b c]")
    assert read(quoted("checkpoint=[a,b c]", lists=("checkpoint",))) == "[a,b c]"


def test_numbers_in_a_list_are_names():
    assert read(quoted("checkpoint=12345,007", lists=("checkpoint",))) == ["12345", "007"]
    assert read(quoted("logger.wandb.tags=[1e5,'a b',true]")) == ["1e5", "a b", "true"]
    assert read(quoted("evaluator.transfer.baseline=1,2")) == ["1", "2"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("key", NAMES)
def test_a_name_is_no_number(key, name):
    assert read(quoted(f"{key}={name}")) == name


def test_null_names_nothing_but_where_something_is_called_so():
    assert read(quoted("resume=null")) is None
    os.mkdir("null")
    assert read(quoted("resume=null")) == "null"
    assert read(quoted("hydra.run.dir=null")) == "null"
    assert read(quoted("logger.wandb.name=null")) is None


def test_a_tilde_is_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    for typed in ("~/photos (1)", "'~/photos (1)'"):
        assert read(quoted(f"data.root={typed}")) == str(tmp_path / "my home" / "photos (1)")
    assert read(quoted("checkpoint=~,~/b", lists=("checkpoint",))) == [str(tmp_path / "my home"), f"{tmp_path}/my home/b"]
    os.mkdir("~")
    assert read(quoted("data.root=~")) == "~"


def test_an_interpolation_is_one_unless_a_folder_is_called_so():
    assert quoted("data.root=${oc.env:HOME}") == "data.root=${oc.env:HOME}"
    os.mkdir("${oc.env:HOME}")
    assert read(quoted("data.root=${oc.env:HOME}")) == "${oc.env:HOME}"


def test_what_is_escaped_for_hydra_is_read_so_where_it_exists():
    os.mkdir("my (data)")
    assert read(quoted("data.root=my\\ \\(data\\)")) == "my (data)"
    assert read(quoted("data.root=your\\ \\(data\\)")) == "your\\ \\(data\\)"


@pytest.mark.parametrize("name", [*ODD, *NUMBERS])
def test_lightnings_directory_is_read_as_it_is(name):
    """It writes quotes about the directory and leaves those in it."""
    typed = quoted(f"hydra.run.dir={name}")
    added = [f'hydra.run.dir="/runs/{name}"', "hydra.job.name=train_ddp_process_1", "hydra.output_subdir=null"]
    changed = quote_arguments([typed, *added])
    assert [changed[0], *changed[2:]] == [typed, *added[1:]]
    assert read(changed[1]) == f"/runs/{name}"


@pytest.mark.parametrize("name", [*ODD, *NUMBERS])
def test_a_copied_command_says_the_same(name):
    changed = quote_arguments([f"data.root={name}"])
    assert quote_arguments(shlex.split(shlex.join(changed))) == changed


def test_quotes_that_have_no_end_are_part_of_the_name():
    assert unquote("'a") == "'a"
    assert unquote("'a'b'") == "'a'b'"
    assert unquote("'a\\'b'") == "a'b"
