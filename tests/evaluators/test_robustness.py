"""The whole evaluator, on networks whose robustness is known by hand or whose gradient is spoilt on purpose."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import processes
import pytest
import torch
from commands import TINY, environment, lta_run
from networks import network
from torch import nn

import lta
from lta.data.batches import Split
from lta.evaluators.classification.evaluator import Classification
from lta.evaluators.robustness import evaluator
from lta.evaluators.robustness.attacks import freeze_parameters
from lta.evaluators.robustness.evaluator import Robustness
from lta.models.output import NetworkOutput
from lta.transforms.normalize import Standardize

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(40, 216, (90, 4, 4, 3)).astype(np.uint8)
NAMES = ("no", "yes")


@pytest.fixture
def undrawn(monkeypatch):
    """Drawing takes most of the time of a tiny network's evaluation."""
    for name in ("curve", "render_before_and_after"):
        monkeypatch.setattr(f"lta.evaluators.robustness.evaluator.{name}", lambda *args: None)


class Stub(nn.Module):
    """`network` from pictures of 0 to 255 to the score of "yes" above "no"."""

    def __init__(self, network, size=(4, 4)):
        super().__init__()
        self.parameter = nn.Parameter(torch.zeros(1))
        self.above, self.class_names, self.hparams = network, NAMES, {"image_size": list(size)}
        self.preprocess = nn.Identity()

    def network(self, x):
        above = self.above(x) + 0 * self.parameter
        logits = torch.stack([-above / 2, above / 2], 1)
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})

    def forward(self, images):
        return self.network(self.preprocess(images.float()))


WEIGHTS = torch.from_numpy(RNG.standard_normal(48)).float()


def linear(x):
    return (x.flatten(1) - 127.5) @ WEIGHTS


def data_of(above, images=IMAGES):
    labels = (above(torch.from_numpy(images).permute(0, 3, 1, 2).float()) > 0).long().numpy()
    return SimpleNamespace(test=Split(images, labels), class_names=NAMES, eval_batch_size=40, image_size=images.shape[1:3])


class Gradient(torch.autograd.Function):
    """Passes the value on, and its gradient times a number."""

    @staticmethod
    def forward(ctx, x, times):
        ctx.times = times
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return ctx.times * grad, None


def ask(above, images=IMAGES, labels_of=None, **settings):
    settings = {"eps": [1, 2, 4], "steps": 4, "pgd_images": 60, "masking_images": 20} | settings
    return Robustness(**settings).run(Stub(above), data_of(labels_of or above, images))


def errors(result, attack):
    return [figure["error"]["value"] for figure in result.figures["attacks"][attack].values()]


def failed(result):
    return {name for name, check in result.figures["gradient_masking"]["checks"].items() if not check["passed"]}


@pytest.mark.usefixtures("undrawn")
def test_figures_of_a_linear_network_are_those_of_its_margins():
    margins = linear(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float()).abs() / WEIGHTS.abs().sum()
    expected = [100 * float((margins < eps).float().mean()) for eps in (0, 1, 2, 4)]
    assert 0 < expected[1] < expected[3] < 100
    result = ask(linear, pgd_images=None)
    assert errors(result, "fgsm") == pytest.approx(expected)
    assert errors(result, "pgd") == pytest.approx(expected)
    assert errors(result, "noise")[3] < expected[3] / 2
    assert not failed(result)
    assert result.figures["gradient_masking"]["verdict"] == "no sign of gradient masking in 6 checks"
    above = result.figures["attacks"]["pgd"]["4"]["minus_noise"]
    assert above["value"] == pytest.approx(expected[3] - errors(result, "noise")[3])
    assert above["interval"][0] > 0
    fell = np.array(result.figures["gradient_masking"]["checks"]["unbounded"]["fell_at"])
    watched = np.random.default_rng(0).permutation(90)[:20]
    reach = np.array([4, 8, 16, 32, 64, 128, 255])
    assert np.array_equal(fell, [reach[reach > margin][0] for margin in margins.numpy()[watched]])


@pytest.mark.usefixtures("undrawn")
def test_one_step_goes_away_from_the_true_class():
    """Of pictures that are all got wrong: a step away from the predicted class would bring some right."""
    result = ask(linear, labels_of=lambda x: -linear(x))
    assert errors(result, "fgsm") == [100, 100, 100, 100]
    assert errors(result, "pgd") == [100, 100, 100, 100]


@pytest.mark.usefixtures("undrawn")
def test_pgd_starts_at_random_and_noise_is_something_else(monkeypatch):
    own_pgd, own_change = evaluator.pgd, evaluator.perturb_images
    starts, changes = [], []

    def look_at_pgd(see, clean, labels, known, eps, step, steps, start, drop=True):
        starts.append((start - clean) / eps)
        return own_pgd(see, clean, labels, known, eps, step, steps, start, drop)

    def look_at_change(clean, direction, eps):
        changes.append(direction)
        return own_change(clean, direction, eps)

    monkeypatch.setattr(evaluator, "pgd", look_at_pgd)
    monkeypatch.setattr(evaluator, "perturb_images", look_at_change)
    ask(linear, eps=[4], pgd_images=37, masking_images=1)
    (start,) = (one for one in starts if len(one) == 37)
    noise, uniform, of_start = (one for one in changes if len(one) == 37)
    torch.testing.assert_close(start, of_start, atol=1e-4, rtol=0)
    assert start.abs().max() <= 1 + 1e-4
    assert 0.5 < start.std() < 0.65, "uniform within the bound"
    assert torch.equal(noise, noise.sign()), "as large as can be"
    for control in (noise, uniform):
        assert abs(float(torch.corrcoef(torch.stack([control.flatten(), start.flatten()]))[0, 1])) < 0.1


def test_the_table_and_the_lines_say_what_the_figures_say():
    result = ask(linear)
    assert [(row["attack"], row["eps"]) for row in result.rows if row["attack"] == "pgd"] == [
        ("pgd", eps) for eps in ("0", "1", "2", "4")
    ]
    assert {row["n"] for row in result.rows} == {90, 60}
    text = "\n".join(result.lines)
    assert "random signs (60)" in text
    assert "FGSM (90)" in text
    # A linear network's gradient is the same everywhere: on the same images PGD is FGSM.
    same = [figure["error_on_sample"]["value"] for figure in result.figures["attacks"]["fgsm"].values()]
    assert same == errors(result, "pgd") != errors(result, "fgsm")
    assert f"60 of the 90 images, drawn at random; FGSM on these: {', '.join(f'{one:.1f}' for one in same)} %" in text
    error = result.figures["attacks"]["fgsm"]["2"]["error"]
    assert f"{error['value']:.1f} ({error['interval'][0]:.1f}-{error['interval'][1]:.1f})" in text
    assert set(result.pictures) == {"error_over_eps", "before_and_after"}


@pytest.mark.usefixtures("undrawn")
def test_a_gradient_that_is_zero_is_found_out():
    result = ask(lambda x: Gradient.apply(linear(x), 0.0))
    assert {"gradient", "unbounded", "steps"} <= failed(result)
    assert errors(result, "fgsm") == [0, 0, 0, 0]
    assert result.figures["gradient_masking"]["verdict"].startswith("SIGNS of gradient masking")
    assert any("NO" in line and "the gradient of 90 of 90 images is zero" in line for line in result.lines)


@pytest.mark.usefixtures("undrawn")
def test_a_gradient_that_points_the_wrong_way_is_found_out():
    """Noise fools this network, its gradient does not."""
    spoilt = lambda x: Gradient.apply(linear(x), -1.0)  # noqa: E731
    result = ask(spoilt, eps=[8, 32], pgd_images=None)
    assert {"noise", "steps", "unbounded"} <= failed(result)
    assert any("weaker than random signs at eps" in line for line in result.lines)


@pytest.mark.usefixtures("undrawn")
def test_iterations_that_are_weaker_than_one_step_are_found_out():
    assert "iterations" in failed(ask(one_step_works, pgd_images=None))


def one_step_works(x):
    """The gradient is right at whole grey levels only, where FGSM asks for it."""
    whole = (x - x.round()).abs().flatten(1).amax(1) < 1e-3
    return Gradient.apply(linear(x), torch.where(whole, 1.0, -1.0))


@pytest.mark.usefixtures("undrawn")
def test_a_network_that_ignores_its_input_never_falls():
    result = ask(lambda x: 5 + 0 * linear(x))
    assert {"gradient", "unbounded", "steps"} <= failed(result)
    assert any("without bound (eps 255) 0.0 % of 20 images fall and not 100 %" in line for line in result.lines)


@pytest.mark.usefixtures("undrawn")
def test_what_falls_at_a_smaller_eps_has_fallen_at_a_larger_one():
    result = ask(lambda x: linear(x) * torch.cos(linear(x) / 60), eps=[1, 2, 3, 5, 8], steps=2, pgd_images=None)
    found = errors(result, "pgd")
    assert found == sorted(found)
    assert found[-1] > found[1] > 0


@pytest.mark.usefixtures("undrawn")
def test_anothers_attacks_are_shown_to_this_network():
    settings = {"source": "RUN", "pgd_images": None}
    same = ask(linear, **settings, load=lambda path: Stub(linear))
    assert errors(same, "source_fgsm") == errors(same, "fgsm")
    assert errors(same, "source_pgd")[3] == errors(same, "fgsm")[3]
    assert "transfer" not in failed(same)
    assert any(line.startswith("source          RUN") for line in same.lines)
    other = lambda x: (x.flatten(1) - 127.5) @ WEIGHTS.flip(0)  # noqa: E731
    unlike = ask(linear, **settings, load=lambda path: Stub(other))
    assert errors(unlike, "source_fgsm")[3] < errors(unlike, "fgsm")[3] / 2
    spoilt = lambda x: Gradient.apply(linear(x), 0.0)  # noqa: E731
    assert "transfer" in failed(ask(spoilt, **settings, load=lambda path: Stub(linear)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eps": []}, r"evaluator.robustness.eps=\[\] must be one or more numbers"),
        ({"eps": -3}, "evaluator.robustness.eps=-3 must be"),
        ({"eps": [0]}, "evaluator.robustness.eps=0 must be a number of grey levels, above 0 and at most 255"),
        ({"eps": [1, 256]}, "evaluator.robustness.eps=256 must be"),
        ({"step_size": float("nan")}, "evaluator.robustness.step_size=nan must be"),
        ({"steps": 0}, "evaluator.robustness.steps=0 must be a whole number, at least 1"),
        ({"pgd_images": 0}, "evaluator.robustness.pgd_images=0 must be"),
        ({"masking_images": 0}, "evaluator.robustness.masking_images=0 must be"),
        ({"source": "RUN"}, "evaluator.robustness.source=RUN needs evaluator.robustness.load"),
    ],
)
def test_wrong_settings_end_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        Robustness(**settings)
    assert "\n" not in str(caught.value)


def test_a_source_of_other_pictures_or_classes_is_refused():
    with pytest.raises(ValueError, match="source=RUN was trained on 8x8 pixels; these images have 4x4"):
        ask(linear, source="RUN", load=lambda path: Stub(linear, (8, 8)))
    other = Stub(linear)
    other.class_names = ("no", "maybe")
    with pytest.raises(ValueError, match="the data have the class yes, which this network does not know"):
        ask(linear, source="RUN", load=lambda path: other)
    alone = Stub(linear)
    alone.class_names = ("no",)
    with pytest.raises(ValueError, match="two classes or more"):
        Robustness().run(alone, data_of(linear))


class Attending(nn.Module):
    """A real network with its preprocessing, as a Classifier has them."""

    def __init__(self, *overrides, size=32):
        super().__init__()
        self.network = network(*overrides, num_classes=4).eval()
        self.preprocess, self.class_names, self.hparams = Standardize(), tuple("abcd"), {"image_size": [size, size]}

    def forward(self, images):
        return self.network(self.preprocess(images))


@pytest.fixture(scope="module")
def pictures():
    images = np.random.default_rng(1).integers(0, 256, (24, 32, 32, 3)).astype(np.uint8)
    labels = np.random.default_rng(2).integers(0, 4, 24)
    return SimpleNamespace(
        test=Split(images, labels, sources=np.arange(24) // 2),
        class_names=tuple("abcd"),
        eval_batch_size=10,
        image_size=(32, 32),
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vgg_att2", "vgg_late"])
def test_a_real_network_without_change_has_its_clean_error_and_keeps_its_parameters(pictures, model):
    scorer = ["model.init.scorer=author"] if model == "vgg_att2" else []
    classifier = Attending(f"model={model}", "model.width=0.0625", *scorer)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    evaluator = Robustness(eps=[2, 4], steps=2, masking_images=5)
    result = evaluator.run(classifier, pictures)
    clean = Classification().run(classifier, pictures).figures["error"]
    assert result.figures["error"] == clean
    assert {result.figures["attacks"][attack]["0"]["error"]["value"] for attack in ("noise", "fgsm", "pgd")} == {
        clean["value"]
    }
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.parameters())
    moved = result.figures["attacks"]["fgsm"]["4"].get("moved", {})
    assert list(moved) == ([] if model == "vgg_late" else ["B", "C"])
    for figure in moved.values():
        assert 0 < figure["value"] < 1
    again = evaluator.run(classifier, pictures)
    assert str(again.figures) == str(result.figures)
    with torch.autocast("cpu", torch.bfloat16):
        evaluator.run(classifier, pictures)


def test_parameters_ask_for_gradients_again_also_after_an_error():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    with pytest.raises(ZeroDivisionError), freeze_parameters(module):
        1 / sum(parameter.requires_grad for parameter in module.parameters())
    assert [parameter.requires_grad for parameter in module.parameters()] == [True, True, False, False]


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path, capsys):
    run = tmp_path / "run"
    assert lta_run(capsys, [*TINY, f"hydra.run.dir={run}", "data.eval_batch_size=8"]).status == 0
    settings = [
        "evaluator=robustness",
        "evaluator.robustness.eps=[2,8]",
        "evaluator.robustness.steps=3",
        f"evaluator.robustness.source={run}",
    ]
    command = ["lta.evaluate", f"checkpoint={run}", *settings]

    def found(*start):
        processes.run([sys.executable, "-m", *start, *command], cwd=tmp_path, env=environment(), check=True)
        return json.loads((run / "evaluations" / "robustness.json").read_text())["figures"]

    alone = found()
    together = found("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    assert together == alone
    assert alone["attacks"]["source_fgsm"]["8"]["error"] == alone["attacks"]["fgsm"]["8"]["error"]
    assert lta.load(run).class_names
