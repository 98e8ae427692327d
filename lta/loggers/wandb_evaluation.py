"""The answers of evaluators in a run's W&B run: a table, its pictures, and its figures in the summary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lta.loggers.run_logger import RunLogger


def send_answers(loggers: Sequence[Any], results: Mapping[str, Any]) -> None:
    """To those that are W&B's. `results`: an evaluator's Result by its name.

    `evaluation/<name>` is the table; `evaluation/<name>/<figure>` stands in the summary.
    """
    for logger in loggers:
        for name, result in results.items() if isinstance(logger, RunLogger) else ():
            _send(logger, name, result)


def _send(logger: RunLogger, name: str, result: Any) -> None:
    import wandb

    sent: dict[str, Any] = {}
    if result.rows:
        columns = list(result.rows[0])
        sent[f"evaluation/{name}"] = wandb.Table(columns, [[row[key] for key in columns] for row in result.rows])
    for picture, image in result.pictures.items():
        sent[f"evaluation/{name}/{picture}"] = wandb.Image(image)
    logger.log_answer(sent, {f"evaluation/{name}/{key}": value for key, value in flatten_estimates(result.figures)})


def flatten_estimates(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The value of every figure of a nest, by its path."""
    for key, figure in figures.items():
        if isinstance(figure, Mapping):
            if isinstance(value := figure.get("value"), (int, float)) and not isinstance(value, bool):
                yield f"{prefix}{key}", float(value)
            yield from flatten_estimates(figure, f"{prefix}{key}/")
