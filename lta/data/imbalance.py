"""How unequal classes are, in words."""

from collections.abc import Sequence

from lta.data.label_sets import Labels, count_labels, has_several

FAR = 5
"""How many times the smallest class the largest may be before it is said."""


def add_counts(labels: Labels, names: Sequence[str]) -> tuple[str, ...]:
    """Each name with its number of images; the names alone where the classes differ by less than a tenth, or have none."""
    counts = count_labels(labels, len(names))
    if not counts.any() or counts.max() < 1.1 * counts.min():
        return tuple(names)
    return tuple(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))


def warn_of_imbalance(labels: Labels, names: Sequence[str]) -> str:
    """A sentence where the largest class has more than `FAR` times the images of the smallest; else ""."""
    counts = count_labels(labels, len(names))
    small, large = int(counts.argmin()), int(counts.argmax())
    if not counts.any() or counts[large] <= FAR * counts[small]:
        return ""
    look_at = f"val/auroc_{names[small]}" if has_several(labels) else "val/balanced_error"
    return (
        f"classes are unequal: {counts[small]:,} training images of {names[small]}, {counts[large]:,} of {names[large]}. "
        f"The error hides how small classes fare: look at {look_at}; loss.class_weights=balanced may lower it"
    )
