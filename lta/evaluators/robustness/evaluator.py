"""How many pictures are got wrong after changes too small to see, chosen by the network's own gradient."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lta import checks
from lta.evaluators.evaluator import Evaluator, Result, labels_for
from lta.evaluators.passes import generator, run_forward_passes
from lta.evaluators.robustness.attacks import (
    ForwardPass,
    StrongestAttack,
    freeze_parameters,
    gradient,
    perturb_images,
    pgd,
    score,
    start_attack,
)
from lta.evaluators.robustness.gradient_masking import UnboundedAttack, masking_checks
from lta.evaluators.robustness.pictures import SHOWN, curve, render_before_and_after
from lta.evaluators.robustness.table import AttackOutcome, AttackResults, lines_of, rows_of, summarise_attacks
from lta.measures.map_statistics import total_variation
from lta.measures.placement import find_placements
from lta.protocols import Splits, TrainedClassifier

BATCH = 100
"""Pictures of a batch of PGD, so that processes have something to share, and activations fit."""

UNBOUNDED = 255.0


class Robustness(Evaluator):
    """Error in percent under FGSM and PGD beside random changes of equal size, no pixel value moving by more than eps.

    `eps` and `step_size` count grey levels, 1/255 of the range; `step_size` None is 2.5 eps / steps. FGSM is asked of
    all test images, PGD and noise of `pgd_images` of them (None: all), drawn by `seed`. PGD starts at random, keeps the
    strongest picture, leaves alone what is got wrong, and counts what was got wrong at a smaller eps, which is allowed at
    a larger one too. `masking_images` of these are attacked without bound, and watched step by step.

    `source`: another run, whose own attacks are shown to this network; `load` makes a classifier of it.
    """

    name = "robustness"

    def __init__(
        self,
        eps: float | Sequence[float] = (1, 2, 4, 8),
        steps: int = 10,
        step_size: float | None = None,
        pgd_images: int | None = 400,
        masking_images: int = 64,
        source: str | None = None,
        load: Callable[[str], Any] | None = None,
        seed: int = 0,
    ):
        key = "evaluator.robustness"
        asked: list[Any] = list(eps) if isinstance(eps, (list, tuple)) else [eps]
        if not asked:
            raise ValueError(f"{key}.eps={eps} must be one or more numbers, for example [1,2,4]")
        for one in asked:
            _check_levels(f"{key}.eps", one)
        checks.require_whole_number(f"{key}.steps", steps, least=1)
        if step_size is not None:
            _check_levels(f"{key}.step_size", step_size)
        if pgd_images is not None:
            checks.require_whole_number(f"{key}.pgd_images", pgd_images, least=1)
        checks.require_whole_number(f"{key}.masking_images", masking_images, least=1)
        checks.require_whole_number(f"{key}.seed", seed)
        if source is not None and load is None:
            raise ValueError(f"{key}.source={source} needs {key}.load, which makes a network of it")
        self.eps = sorted({float(one) for one in asked})
        self.steps, self.step_size, self.pgd_images = steps, step_size, pgd_images
        self.masking_images, self.source, self.seed = masking_images, source, seed
        self._load = load

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises ValueError where the data's classes are not the network's, and for a `source` that can't attack these
        pictures."""
        labels_for(classifier, data, data.test.labels)
        if self.source is not None:
            self._load_source(classifier, data)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        own = _Network(classifier, data)
        other = self._load_source(classifier, data) if self.source is not None else None
        with ExitStack() as stack:
            for network in (own, other):
                if network is not None:
                    stack.enter_context(freeze_parameters(network.classifier))
            return self._run_attacks(own, other, data)

    def _run_attacks(self, own: "_Network", other: "_Network | None", data: Splits) -> Result:
        n = len(data.test.labels)
        sample = np.random.default_rng(self.seed).permutation(n)[: self.pgd_images]
        watched = sample[: self.masking_images]

        everything = np.arange(n)
        found = self._fgsm(own, own, data, "fgsm")
        flat = found.pop("flat")
        seen = _group_by_attack(found, everything)
        seen |= _group_by_attack(self._noise_and_pgd(own, data, sample), sample)
        if other is not None:
            found = self._fgsm(other, own, data, "source_fgsm")
            found.pop("flat")
            seen |= _group_by_attack(found, everything) | _group_by_attack(
                self._run_source_pgd(other, own, data, sample), sample
            )
        unbounded = self._run_unbounded(own, data, watched)

        asked = AttackResults(self.eps, self.steps, self.source, seen, data.test.sources)
        checked = masking_checks(asked, flat, unbounded)
        figures = summarise_attacks(asked) | {"gradient_masking": checked}
        title = f"{self.steps} steps of PGD"
        pictures = {
            "error_over_eps": curve(figures["attacks"], title),
            "before_and_after": self._sheet(own, data, seen, sample),
        }
        return Result(figures, rows_of(figures), lines_of(figures, asked), pictures)

    def _load_source(self, classifier: TrainedClassifier, data: Splits) -> "_Network":
        assert self._load is not None
        assert self.source is not None
        other = self._load(self.source).to(next(classifier.parameters()).device).eval()
        size = list(other.hparams["image_size"])
        if size != list(data.image_size):
            sizes = [f"{height}x{width}" for height, width in (size, data.image_size)]
            raise ValueError(
                f"evaluator.robustness.source={self.source} was trained on {sizes[0]} pixels; these images have {sizes[1]}"
            )
        return _Network(other, data)

    def _step(self, eps: float) -> float:
        return 2.5 * eps / self.steps if self.step_size is None else self.step_size

    def _fgsm(self, attacked: "_Network", shown: "_Network", data: Splits, name: str) -> dict[str, np.ndarray]:
        """One gradient serves every eps; eps 0 is the picture as it is, by the same way."""

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            clean = images.float()
            slope, *_ = gradient(attacked.run_forward_pass, clean, attacked.labels_at(index))
            direction = slope.sign()
            found = {"flat": ~slope.flatten(1).any(1)}
            maps: dict[str, Tensor] = {}
            for eps in (0.0, *self.eps):
                output = shown.run_forward_pass(perturb_images(clean, direction, eps))
                maps = maps or output.attn
                found |= _measure_effect(name, eps, output, maps, shown.labels_at(index))
            return found

        return run_forward_passes(shown.classifier, data.test, measure_batch, data.eval_batch_size, name.replace("_", " "))

    def _noise_and_pgd(self, own: "_Network", data: Splits, sample: np.ndarray) -> dict[str, np.ndarray]:
        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            clean, labels = images.float(), own.labels_at(sample[index])
            random = generator(index, self.seed)
            # Three draws: the noise is a control only if it is not what PGD starts from.
            uniform, start, other = (_draw_uniform(clean, random) for _ in range(3))
            output = own.run_forward_pass(clean)
            maps, right = output.attn, ~score(output, labels)[1]
            found = {}
            for name, direction in (("noise", other.sign()), ("uniform", uniform)):
                for eps in (0.0, *self.eps):
                    found |= _measure_effect(
                        name,
                        eps,
                        own.run_forward_pass(perturb_images(clean, direction, eps)) if eps else output,
                        maps,
                        labels,
                    )
            best = start_attack(own.run_forward_pass, clean, labels)
            for eps in (0.0, *self.eps):
                if eps:
                    best, _ = self._pgd(own.run_forward_pass, clean, labels, best, eps, start)
                found[f"pgd/{eps:g}/wrong"] = best.wrong
                if maps:
                    after = own.run_forward_pass(best.pictures).attn if eps else maps
                    for level, attn in after.items():  # what was wrong from the start has no attack
                        found[f"pgd/{eps:g}/{level}"] = total_variation(attn, maps[level]).where(right, torch.nan)
            return found

        return run_forward_passes(
            own.classifier, data.test.take(sample), measure_batch, min(BATCH, data.eval_batch_size), "noise and pgd"
        )

    def _pgd(
        self,
        see: ForwardPass,
        clean: Tensor,
        labels: Tensor,
        known: StrongestAttack,
        eps: float,
        start: Tensor,
        drop: bool = True,
    ) -> tuple[StrongestAttack, Tensor]:
        return pgd(see, clean, labels, known, eps, self._step(eps), self.steps, perturb_images(clean, start, eps), drop)

    def _run_source_pgd(self, other: "_Network", own: "_Network", data: Splits, sample: np.ndarray) -> dict[str, np.ndarray]:
        """All steps at every eps: a picture that barely fools its own network is a weak one for others."""

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            clean, theirs, ours = images.float(), other.labels_at(sample[index]), own.labels_at(sample[index])
            start = _draw_uniform(clean, generator(index, self.seed))
            maps = own.run_forward_pass(clean).attn
            known, found = start_attack(other.run_forward_pass, clean, theirs), {}
            for eps in (0.0, *self.eps):
                best = self._pgd(other.run_forward_pass, clean, theirs, known, eps, start, drop=False)[0] if eps else known
                found |= _measure_effect("source_pgd", eps, own.run_forward_pass(best.pictures), maps, ours)
                found[f"source_itself/{eps:g}/wrong"] = best.wrong
            return found

        split = data.test.take(sample)
        return run_forward_passes(
            own.classifier, split, measure_batch, min(BATCH, data.eval_batch_size), "pgd of the source"
        )

    def _run_unbounded(self, own: "_Network", data: Splits, watched: np.ndarray) -> UnboundedAttack:
        """The loss over the steps at the middle eps, and the eps, doubled from the largest up to 255, at which each fell."""
        middle = self.eps[len(self.eps) // 2]
        ladder = [self.eps[-1]]
        while ladder[-1] < UNBOUNDED:
            ladder.append(min(2 * ladder[-1], UNBOUNDED))

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            clean, labels = images.float(), own.labels_at(watched[index])
            start = _draw_uniform(clean, generator(index, self.seed))
            best = start_attack(own.run_forward_pass, clean, labels)
            losses = self._pgd(own.run_forward_pass, clean, labels, best, middle, start, drop=False)[1]
            fell = torch.where(best.wrong, 0.0, torch.inf)
            for eps in ladder:
                best, _ = self._pgd(own.run_forward_pass, clean, labels, best, eps, start)
                fell = fell.minimum(torch.where(best.wrong, eps, torch.inf))
            return {"losses": losses.T, "fell": fell}

        split = data.test.take(watched)
        found = run_forward_passes(
            own.classifier, split, measure_batch, min(BATCH // 4, data.eval_batch_size), "without bound"
        )
        return UnboundedAttack(middle, found["losses"], found["fell"])

    def _sheet(self, own: "_Network", data: Splits, seen: Any, sample: np.ndarray) -> Any:
        """Some that were right, and what all steps at one eps make of them; every process draws the same."""
        eps = max((one for one in self.eps if one <= 4), default=self.eps[0])
        order = np.argsort(seen["pgd", 0.0].wrong, kind="stable")[:SHOWN]
        index = sample[order]
        images = np.ascontiguousarray(data.test.images[index])
        with torch.no_grad():
            clean, labels = torch.from_numpy(images).permute(0, 3, 1, 2).float().to(own.device), own.labels_at(index)
            start = _draw_uniform(clean, generator(order, self.seed))
            best, _ = self._pgd(
                own.run_forward_pass,
                clean,
                labels,
                start_attack(own.run_forward_pass, clean, labels),
                eps,
                start,
                drop=False,
            )
            outputs = [own.run_forward_pass(pictures) for pictures in (clean, best.pictures)]
        attacked = best.pictures.permute(0, 2, 3, 1).cpu().numpy()
        names = [str(name) for name in own.classifier.class_names]
        placements = find_placements(own.classifier.network, (images.shape[1], images.shape[2]))
        return render_before_and_after(images, attacked, outputs, labels.cpu().numpy(), names, eps, placements)


class _Network:
    """A classifier that takes floats of 0 to 255, and the labels of the test images among its classes."""

    def __init__(self, classifier: TrainedClassifier, data: Splits):
        if len(classifier.class_names) < 2:
            raise ValueError("evaluator=robustness needs a network that tells two classes or more apart")
        self.classifier = classifier
        self.labels = torch.from_numpy(np.asarray(labels_for(classifier, data, data.test.labels), np.int64))
        self.device = next(classifier.parameters()).device

    def run_forward_pass(self, pictures: Tensor) -> Any:
        return self.classifier.network(self.classifier.preprocess(pictures))

    def labels_at(self, index: np.ndarray) -> Tensor:
        return self.labels[torch.from_numpy(index)].to(self.device)


def _check_levels(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= UNBOUNDED:
        raise ValueError(f"{key}={value} must be a number of grey levels, above 0 and at most 255")


def _draw_uniform(like: Tensor, random: torch.Generator) -> Tensor:
    """-1 to 1."""
    return (2 * torch.rand(like.shape, generator=random) - 1).to(like.device)


def _measure_effect(name: str, eps: float, output: Any, maps: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Whether it is wrong, and the share of each level's attention that lies elsewhere than in the picture as it is."""
    elsewhere = {level: total_variation(attn, maps[level]) for level, attn in output.attn.items()}
    return {f"{name}/{eps:g}/{key}": values for key, values in {"wrong": score(output, labels)[1], **elsewhere}.items()}


def _group_by_attack(found: dict[str, np.ndarray], at: np.ndarray) -> dict[tuple[str, float], AttackOutcome]:
    seen: dict[tuple[str, float], dict[str, np.ndarray]] = {}
    for key, values in found.items():
        name, eps, what = key.split("/", 2)
        seen.setdefault((name, float(eps)), {})[what] = values
    return {key: AttackOutcome(parts.pop("wrong"), parts, at) for key, parts in seen.items()}
