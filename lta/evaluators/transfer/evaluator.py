"""Are the features of use for other pictures (paper: cross-domain classification)? A linear SVM on frozen features."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lta import checks
from lta.evaluators.evaluator import Evaluator, Result
from lta.evaluators.sample import balanced_sample, describe_sample
from lta.evaluators.table import flatten_estimate, format_estimate, format_interval
from lta.evaluators.transfer.features import Features, network_features, pixel_features, pixel_size
from lta.measures.intervals import difference, share
from lta.protocols import Split, Splits, TrainedClassifier

OWN = "this network"


class FittedSVM(NamedTuple):
    """`wrong` says it of each test image; `cv_error` is in percent, over the folds; `converged` of the final fit."""

    C: float
    cv_error: float
    wrong: np.ndarray
    converged: bool


class Transfer(Evaluator):
    """Error in percent of a linear SVM on the vector that enters the network's classifier (author_spec section 9).

    The SVM learns the classes of the data, whichever they are, on `train_images` of their training images (None: all)
    and is tested on their test images; features are standardised, and `C`, a list, is chosen by cross-validation on the
    training images, those of one source in the same fold. The same is done with the networks of `baseline` (a run
    directory or checkpoint, or several), with an untrained copy of the network, and with the pictures' pixels, averaged
    to at most `pixel_dims` values; beside each stands the paired difference of errors. `load(path)` gives a baseline's
    classifier, `untrained(classifier, seed)` the copy.
    """

    name = "transfer"

    def __init__(
        self,
        load: Callable[[str], TrainedClassifier],
        untrained: Callable[[TrainedClassifier, int], TrainedClassifier],
        baseline: str | Sequence[str] | None = None,
        train_images: int | None = 3000,
        C: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1),
        folds: int = 3,
        pixel_dims: int = 768,
        seed: int = 0,
    ):
        if train_images is not None:
            checks.require_whole_number("evaluator.transfer.train_images", train_images, least=2)
        checks.require_whole_number("evaluator.transfer.folds", folds, least=2)
        checks.require_whole_number("evaluator.transfer.pixel_dims", pixel_dims, least=3)
        checks.require_whole_number("evaluator.transfer.seed", seed)
        if isinstance(C, str) or not isinstance(C, Sequence) or not C:
            raise ValueError(f"evaluator.transfer.C={C} must be a list of numbers above 0, for example [0.0001,0.001]")
        for value in C:
            checks.require_number("evaluator.transfer.C", value, 0, float("inf"), without_low=True)
        self.baseline = [baseline] if isinstance(baseline, str) else list(baseline or [])
        self.train_images, self.C, self.folds = train_images, sorted(C), folds
        self.pixel_dims, self.seed = pixel_dims, seed
        self._load, self._untrained = load, untrained

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises ValueError where there are too few training images, and for a baseline that can't be loaded or takes
        pictures of another size."""
        self._training_images(data)
        self._baselines(classifier, data)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        baselines = self._baselines(classifier, data)
        train = self._training_images(data)
        test, names = data.test, data.class_names
        unknown = ~np.isin(test.labels, train.labels)
        figures: dict[str, Any] = {
            "train_images": len(train.labels),
            "folds": self.folds,
            "C": self.C,
            "classes": len(np.unique(train.labels)),
            "test_images_of_classes_not_trained_on": int(unknown.sum()),
            "features": {},
        }
        rows, notes, own_wrong = [], [], None
        width = max(len(name) for name in [OWN, "untrained copy", "raw pixels 00x00", *baselines])
        table = []
        for name, (of_train, of_test) in self._features(classifier, baselines, train, data):
            fitted = self._fit(of_train, train, of_test, test.labels)
            error = share(fitted.wrong, test.sources)
            own_wrong = fitted.wrong if own_wrong is None else own_wrong
            beside = None if name == OWN else difference(100.0 * own_wrong, 100.0 * fitted.wrong, test.sources)
            figures["features"][name] = {
                "dimension": of_train.shape[1],
                "C": fitted.C,
                "cv_error": fitted.cv_error,
                "converged": fitted.converged,
                "error": error,
                "this_network_minus_it": beside,
            }
            rows.append(_row(name, of_train.shape[1], fitted, error, beside))
            table.append(_line(name, width, of_train.shape[1], fitted, error, beside))
            if len(self.C) > 1 and fitted.C in (self.C[0], self.C[-1]):
                end = "smallest" if self.C[0] == fitted.C else "largest"
                notes.append(f"note            {name}: C={fitted.C:g} is the {end} that was tried")
            if not fitted.converged:
                notes.append(f"note            {name}: the SVM had not converged after its largest number of steps")
        largest = int(np.bincount(train.labels).argmax())
        figures["largest_class"] = share(test.labels != largest, test.sources)
        if unknown.any():
            notes.append(
                f"note            {unknown.sum():,} test images, counted as wrong, have classes the SVM was not trained on"
            )
        lines = [
            f"linear SVM      on {describe_sample(len(train.labels), len(data.train.labels), 'training images')} of "
            f"{figures['classes']} classes; C by {self.folds}-fold cross-validation, tested on {len(test.labels):,} images",
            f"{'error in %':{width}}  dimension       C   error                     this network minus it",
            *table,
            f"{'always ' + str(names[largest]):{width}}{'':21}{figures['largest_class']['value']:5.1f}",
            *notes,
        ]
        return Result(figures, rows, lines)

    def _baselines(self, classifier: TrainedClassifier, data: Splits) -> dict[str, TrainedClassifier]:
        """Networks by the name that is shown: the path's last part, or all of it where several end alike."""
        last = [Path(path).name for path in self.baseline]
        found = {}
        for path, name in zip(self.baseline, last, strict=True):
            try:
                network = self._load(path)
            except ValueError as error:
                raise ValueError(f"evaluator.transfer.baseline={path}: {error}") from error
            seen = tuple(network.hparams["image_size"])
            if seen != tuple(data.image_size):
                raise ValueError(
                    f"evaluator.transfer.baseline={path} was trained on {seen[0]}x{seen[1]} pixels, and the data's images "
                    f"have {data.image_size[0]}x{data.image_size[1]}"
                )
            found[f"baseline {path if last.count(name) > 1 else name}"] = network
        if len(found) < len(self.baseline):
            raise ValueError(f"evaluator.transfer.baseline={self.baseline} names a run twice")
        return found

    def _training_images(self, data: Splits) -> Split:
        if not len(data.train.labels):
            raise ValueError(
                f"evaluator=transfer trains an SVM on the data's training images, but {type(data).__name__} has none here"
            )
        train = data.train.take(balanced_sample(data.train.labels, self.train_images, self.seed))
        classes, counts = np.unique(train.labels, return_counts=True)
        if len(classes) < 2:
            raise ValueError(
                f"evaluator=transfer needs two classes, and all training images are {data.class_names[classes[0]]}"
            )
        if counts.min() < self.folds:
            rarest = data.class_names[classes[counts.argmin()]]
            raise ValueError(
                f"evaluator.transfer.folds={self.folds}: only {counts.min()} of the {len(train.labels)} training images "
                f"taken (evaluator.transfer.train_images={self.train_images}) are {rarest}, and every fold needs one"
            )
        if train.sources is not None:
            drawings = [len(np.unique(train.sources[train.labels == k])) for k in classes]
            if min(drawings) < self.folds:
                rarest = data.class_names[classes[int(np.argmin(drawings))]]
                raise ValueError(
                    f"evaluator.transfer.folds={self.folds}: the training images taken that are {rarest} come from only "
                    f"{min(drawings)} sources, and every fold needs one of its own"
                )
        return train

    def _features(
        self, classifier: TrainedClassifier, baselines: dict[str, TrainedClassifier], train: Split, data: Splits
    ) -> Iterator[tuple[str, tuple[Features, Features]]]:
        device, batch = next(classifier.parameters()).device, data.eval_batch_size
        networks: dict[str, Callable[[], TrainedClassifier]] = {OWN: lambda: classifier}
        networks |= {name: lambda baseline=baseline: baseline.to(device) for name, baseline in baselines.items()}
        networks["untrained copy"] = lambda: self._untrained(classifier, self.seed)
        for name, network in networks.items():
            found = network()
            of_train, of_test = (network_features(found, split, batch, f"transfer, {name}") for split in (train, data.test))
            yield name, (of_train, of_test)
        size = pixel_size(data.image_size, self.pixel_dims)
        of_train, of_test = (
            pixel_features(classifier, split, size, batch, "transfer, pixels") for split in (train, data.test)
        )
        yield f"raw pixels {size[0]}x{size[1]}", (of_train, of_test)

    def _fit(self, features: Features, train: Split, test_features: Features, test_labels: np.ndarray) -> FittedSVM:
        # Primal: it draws no random numbers. The tolerance is liblinear's own; scikit-learn's smaller one takes minutes.
        svm = make_pipeline(StandardScaler(), LinearSVC(dual=False, tol=0.01))  # pyright: ignore[reportArgumentType] its stub knows "auto" alone
        # Images of one source are in one fold, or a fold's error would be that of known pictures.
        kind = StratifiedKFold if train.sources is None else StratifiedGroupKFold
        folds = kind(self.folds, shuffle=True, random_state=self.seed)
        search = GridSearchCV(svm, {"linearsvc__C": self.C}, cv=folds)
        with warnings.catch_warnings(), joblib.parallel_config("threading", n_jobs=torch.get_num_threads()):
            warnings.simplefilter("ignore", ConvergenceWarning)  # said below, of the SVM that is used
            search.fit(features, train.labels, groups=train.sources)
        used = search.best_estimator_[-1]
        return FittedSVM(
            C=used.C,
            cv_error=100 * (1 - search.best_score_),
            wrong=search.predict(test_features) != test_labels,
            converged=bool(used.n_iter_ < used.max_iter),
        )


def _row(
    name: str, dimension: int, fitted: FittedSVM, error: dict[str, Any], beside: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "features": name,
        "dimension": dimension,
        "C": fitted.C,
        "cv_error": fitted.cv_error,
        **flatten_estimate(error, "error"),
        "n": error["n"],
        **flatten_estimate(beside, "this_network_minus_it", "minus_low", "minus_high"),
    }


def _line(
    name: str, width: int, dimension: int, fitted: FittedSVM, error: dict[str, Any], beside: dict[str, Any] | None
) -> str:
    text = (
        f"{name:{width}}  {dimension:9}  {fitted.C:6g}   "
        + f"{error['value']:5.1f} {format_interval(error, '.1f')}".ljust(26)
    )
    if beside:
        text += format_estimate(beside, "+.1f")
    return text.rstrip()
