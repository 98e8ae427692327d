"""What a configuration may have called."""

import pytest

from lta.checks import RunError
from lta.cli.plugins import LTA, ConfRoot, root_of
from lta.cli.trust import check_dotted, current_trust, repeat_own_code, trust_in, use_trust


@pytest.fixture(scope="module")
def lta():
    return trust_in([LTA])


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


PC = "lta.layers.compatibility.Parametrised"
VGG = "lta.models.vgg_family.vgg"


@pytest.mark.parametrize(
    "config",
    [
        {"model": {"_target_": VGG}},
        {"compat": {"_target_": PC}},
        {"model": {"_target_": VGG, "compat": {"_target_": PC, "_partial_": True}}},
        {"recipe": {"schedule": {"_target_": "lta.training.schedules.WarmupCosine"}}},
        {"augment": {"_target_": "torch.nn.Identity"}},
        {"callbacks": {"bar": {"_target_": "lta.callbacks.progress.EpochBar"}}},
        {"evaluator": {"query": {"_target_": "lta.evaluators.query.Query"}}},
    ],
)
def test_what_conf_names_may_be_called_where_it_names_it(lta, config):
    lta.check(config, "run")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model": {"_target_": "os.system"}}, "asks for os.system (model)"),
        ({"model": {"_target_": PC}}, f"asks for {PC} (model)"),  # a name counts in its own group
        ({"compat": {"_target_": VGG}}, f"asks for {VGG} (compat)"),
        ({"model": {"compat": {"_target_": VGG}}}, "(model.compat)"),
        ({"model": {"_target_": "lta.models.vgg_family"}}, "asks for lta.models.vgg_family (model)"),  # no prefixes
        ({"model": {"_target_": f"{VGG}.__globals__"}}, "(model)"),
        ({"model": {"_target_": f" {VGG}"}}, "(model)"),
        ({"model": {"_target_": [VGG]}}, "(model)"),
        ({"model": {"_target_": None}}, "asks for None"),
        ({"model": {"_args_": [{"_target_": "os.system"}]}}, "(model._args_)"),
        ({"model": [[{"x": {"_target_": "os.system"}}]]}, "(model.x)"),
        ({"seed": {"_target_": VGG}}, "(seed)"),
        ({"model": {"width": "${oc.env:HOME}"}}, "which OmegaConf would evaluate"),
        ({"model": {"_target_": "${x}"}}, "asks for ${x}"),
    ],
)
def test_what_it_does_not_name_is_not(lta, config, says):
    with pytest.raises(ValueError, match="not loaded") as raised:
        lta.check(config, "run/last.ckpt")
    assert says in str(raised.value)
    assert str(raised.value).startswith("run/last.ckpt ")


def test_the_command_lines_own_ends_in_the_line_to_copy(lta):
    with pytest.raises(ValueError, match="not called") as raised:
        lta.also(["a.B"]).check({"compat": {"_target_": "mine.Cosine"}})
    assert str(raised.value).startswith("compat._target_=mine.Cosine: no conf/compat of lta")
    assert str(raised.value).endswith("add trust=a.B,mine.Cosine")
    lta.also(["a.B", "mine.Cosine"]).check({"compat": {"_target_": "mine.Cosine"}, "anything": {"_target_": "a.B"}})


def test_a_package_is_trusted_with_its_own_code_alone(tmp_path):
    write(
        tmp_path,
        {
            "compat/cosine.yaml": "_target_: mine.Cosine",
            "compat/evil.yaml": "_target_: os.system",
            "model/net.yaml": "_target_: mine.models.Net\nscorer: ${compat}\nhook: {_target_: other.Hook}",
        },
    )
    trust = trust_in([LTA, ConfRoot("mine", tmp_path, frozenset({"mine"}))])
    trust.check({"compat": {"_target_": "mine.Cosine"}})
    trust.check({"model": {"_target_": "mine.models.Net", "scorer": {"_target_": PC}}})  # as `scorer: ${compat}` puts it
    for config in (
        {"compat": {"_target_": "os.system"}},
        {"model": {"hook": {"_target_": "other.Hook"}}},
        {"model": {"_target_": "mine.Cosine"}},
        {"head": {"_target_": "mine.Cosine"}},
        {"head": {"scorer": {"_target_": PC}}},
    ):
        with pytest.raises(ValueError, match="trust="):
            trust.check(config)


def test_a_folder_of_ones_own_may_name_anything_in_its_group(tmp_path, lta):
    write(
        tmp_path,
        {
            "compat/cosine.yaml": "_target_: mine.Cosine",
            "mygroup/x.yaml": "_target_: mine.X",
            "experiment/e.yaml": "# @package _global_\nhead: {_target_: mine.Head}",
            "evaluator/q.yaml": "# @package evaluator.q\n_target_: mine.Q\nload: {_target_: mine.load}",
        },
    )
    for trust in (trust_in([LTA, root_of(tmp_path)]), lta.also(config_dir=tmp_path)):
        trust.check({"compat": {"_target_": "mine.Cosine"}, "head": {"_target_": "mine.Head"}, "model": {"_target_": VGG}})
        trust.check({"evaluator": {"q": {"_target_": "mine.Q", "load": {"_target_": "mine.load"}}}})
        with pytest.raises(ValueError, match="trust="):
            trust.check({"model": {"_target_": "mine.Head"}})
    with pytest.raises(ValueError, match="there is no such folder"):
        lta.also(config_dir=tmp_path / "absent")


@pytest.mark.parametrize("given", ["os", "a.", ".b", "a b.c", "a.b;c", True, 3, ["a.b", 1], ["a..b"], {"a": 1}, ""])
def test_what_is_no_name_is_refused(given):
    with pytest.raises(RunError, match=r"must be the full name of a class or function"):
        check_dotted(given)


def test_names_are_a_list():
    assert check_dotted(None) == []
    assert check_dotted("a.b") == ["a.b"]
    assert check_dotted(("a.b", "c.d")) == ["a.b", "c.d"]


def test_other_code_knows_what_is_installed(lta):
    assert current_trust().by_group["compat"] == lta.by_group["compat"]


def test_later_commands_are_told_what_this_one_was(tmp_path, lta, monkeypatch):
    from lta.cli import plugins, trust

    monkeypatch.setattr(trust, "_current", [])
    monkeypatch.setattr(plugins, "_config_dirs", [])
    assert repeat_own_code() == ""
    with use_trust(lta.also(["c.D", "a.B"])):
        plugins.use_config_dirs([tmp_path / "with space"])
        assert repeat_own_code() == f" -cd '{tmp_path}/with space' trust=a.B,c.D"
