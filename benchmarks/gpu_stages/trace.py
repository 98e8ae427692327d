"""How long the device waits for Python, read from a trace of torch's profiler."""

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

WORK = {"cuda": {"kernel", "gpu_memcpy", "gpu_memset"}, "cpu": {"cpu_op"}}
"""By device, the categories of what it does."""

Span = tuple[float, float]


def measure_waiting(step: Callable[[], object], device: str, steps: int, wait: Callable[[], None] | None) -> float:
    """The share of the time in which the device does nothing, from its first operation of `steps` steps to its last. On the
    CPU: in which no operator of torch runs.

    Only the device's own work is traced, so that the trace hardly slows Python down.
    """
    step()
    if wait:
        wait()
    activity = ProfilerActivity.CUDA if device == "cuda" else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiled:
        for _ in range(steps):
            step()
        if wait:
            wait()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(path))
        spans = read_spans(json.loads(path.read_text()), WORK[device])
    if not spans:
        raise ValueError(f"the profiler of torch {torch.__version__} saw nothing on {device}")
    return find_idle_share(spans)


def read_spans(trace: dict, categories: Iterable[str]) -> list[Span]:
    """Begin and end, in microseconds, of the events of these categories."""
    wanted = set(categories)
    events = [event for event in trace["traceEvents"] if event.get("ph") == "X" and event.get("cat") in wanted]
    return [(event["ts"], event["ts"] + event["dur"]) for event in events]


def find_idle_share(spans: Iterable[Span]) -> float:
    """The share of the time between the first begin and the last end that no span covers; they may overlap."""
    ordered = sorted(spans)
    first, until = ordered[0]
    last, idle = max(end for _, end in ordered), 0.0
    for begin, end in ordered:
        idle += max(begin - until, 0.0)
        until = max(until, end)
    return idle / (last - first) if last > first else 0.0
