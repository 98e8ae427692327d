"""What goes together where pictures have several labels each."""

from typing import Any

from lta.measures.label_sets import gives_several_labels
from lta.protocols import Loss, Network


def check_several_labels(several: bool, loss: Loss, network: Network) -> None:
    """Raises ValueError where the loss is of the other kind of labels, or the network's classes exclude each other."""
    if several and not gives_several_labels(loss):
        raise ValueError(
            "data.labels gives pictures several labels, but this loss is for one class each: give loss=several_labels"
        )
    if gives_several_labels(loss) and not several:
        raise ValueError("loss=several_labels needs data that have several labels: data=image_folder data.labels=labels.csv")
    head: Any = getattr(network, "head", None)
    if several and getattr(head, "combine", None) == "average":
        raise ValueError(
            "head.combine=average gives probabilities that sum to 1, but with several labels each has its own: choose "
            "head.combine=product or sum_ce"
        )
