"""How fast training steps are: images a second, their share of what the device can do, waiting, memory."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from measuring import alternate
from steps import step_of, waiting
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gpu_stages.networks import Compared
from gpu_stages.peak import measure_matmul
from gpu_stages.settings import Settings
from gpu_stages.trace import measure_waiting


class Way(NamedTuple):
    """How a network is computed. `compile`: a mode of torch.compile; "reduce-overhead" records CUDA graphs."""

    precision: str = "bf16"
    channels_last: bool = True
    compile: str | None = None

    def describe(self) -> str:
        compiled = f", compiled ({self.compile})" if self.compile else ""
        return f"{self.precision}, {'channels last' if self.channels_last else 'NCHW'}{compiled}"


PLAIN = Way()
LAYOUTS = (PLAIN, Way(channels_last=False), Way("fp32"), Way("fp32", channels_last=False))
COMPILED = (PLAIN, Way(compile="default"), Way(compile="reduce-overhead"))


def time_steps(
    settings: Settings, compared: Compared, ways: Iterable[Way] = (PLAIN,), only: Iterable[str] | None = None
) -> dict[str, Any]:
    """Every network in every way, in rounds that alternate; `only` some of the networks in ways other than the first."""
    first, *others = ways
    chosen = [(name, first) for name in compared.builders]
    chosen += [(name, way) for way in others for name in only or compared.builders]
    sizes, wait = settings.sizes, waiting(settings.device)
    steps, memory, flops = {}, {}, {}
    for name, way in chosen:
        torch.manual_seed(0)
        key = f"{name}: {way.describe()}"
        steps[key], memory[key] = _prepare(settings, compared, compared.builders[name](), way)
        if way.compile is None:
            flops[name] = _count_flops(steps[key]) / compared.batch
    repeated = {key: _repeat(step, sizes.steps) for key, step in steps.items()}
    taken = alternate(repeated, sizes.rounds, warm_up=2, wait=wait)
    peaks = {way.precision: statistics.median(measure_matmul(settings, _matmul_of(way))) for _, way in chosen}
    rows, problems = {}, {}
    for name, way in chosen:
        key = f"{name}: {way.describe()}"
        rates = sorted(sizes.steps * compared.batch / seconds for seconds in taken[key])
        achieved = statistics.median(rates) * flops[name]
        rows[key] = {
            "images_per_second": statistics.median(rates),
            "quartiles": [rates[len(rates) // 4], rates[-1 - len(rates) // 4]],
            "step_ms": 1e3 * statistics.median(taken[key]) / sizes.steps,
            "python_ms": 1e3 * _time_python(steps[key], wait, sizes.rounds),
            "waits": _try_waiting(settings, steps[key], key, problems),
            "flops_per_image": flops[name],
            "share_of_peak": achieved / peaks[way.precision],
            "memory_mb": memory[key],
        }
    found = {"batch": compared.batch, "peak_tflops": {name: one / 1e12 for name, one in peaks.items()}, "rows": rows}
    return found | ({"problems": problems} if problems else {})


def _try_waiting(settings: Settings, step: Callable[[], None], key: str, problems: dict[str, str]) -> float | None:
    """None where the profiler fails, which is said: the times are worth keeping."""
    try:
        return measure_waiting(step, settings.device, 2 * settings.sizes.steps, waiting(settings.device))
    except Exception as error:
        problems[key] = f"{type(error).__name__}: {error}".partition("\n")[0]
        return None


def _prepare(
    settings: Settings, compared: Compared, network: nn.Module, way: Way
) -> tuple[Callable[[], None], float | None]:
    """A step that has been made twice, and what it needs of the GPU's memory at most, in MB (None on the CPU)."""
    on_gpu = settings.device == "cuda"
    if on_gpu:
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    step = step_of(_compile(network, way, settings), compared.batch, settings.device, *way[:2], size=compared.size)
    if way.compile is not None:
        step = _mark_begin(step)
    for _ in range(2):
        step()
    return step, (torch.cuda.max_memory_allocated() - before) / 1e6 if on_gpu else None


def _compile(network: nn.Module, way: Way, settings: Settings) -> Any:
    if way.compile is None:
        return network
    if settings.sizes.backend is not None:
        return torch.compile(network, backend=settings.sizes.backend)
    return torch.compile(network, mode=way.compile)


def _mark_begin(step: Callable[[], None]) -> Callable[[], None]:
    """CUDA graphs write each step's tensors where the step's before were."""

    def marked() -> None:
        torch.compiler.cudagraph_mark_step_begin()
        step()

    return marked


def _repeat(step: Callable[[], None], times: int) -> Callable[[], None]:
    def several() -> None:
        for _ in range(times):
            step()

    return several


def _count_flops(step: Callable[[], None]) -> int:
    """Of convolutions and matrix products, forward and backward; a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _time_python(step: Callable[[], None], wait: Callable[[], None] | None, rounds: int) -> float:
    """Seconds until the step's last operation is queued, with nothing queued before. On the CPU: those of the step."""
    taken = []
    for _ in range(rounds):
        if wait:
            wait()
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _matmul_of(way: Way) -> str:
    """The kind of matrix product to hold a step against: cuDNN's convolutions take TF32 for float32."""
    return "bf16" if way.precision == "bf16" else "tf32" if torch.backends.cudnn.allow_tf32 else "fp32"
