"""Shares of the machine, with GPUs that aren't there."""

import os
import subprocess
import sys

import pytest

from lta.sweep.resources import (
    Slot,
    count_gpus,
    count_processes,
    count_processes_in_slot,
    job_environment,
    make_slots,
    pin_to_cores,
    visible_cores,
    visible_gpus,
)


@pytest.mark.parametrize(
    ("number", "gpus", "cores", "expected"),
    [
        (2, "0123", range(8), [("01", (0, 1, 2, 3)), ("23", (4, 5, 6, 7))]),
        (3, "01", range(2), [("0", (0,)), ("1", (1,)), ("0", (0,))]),  # more slots than GPUs and cores: they take turns
        (2, "", range(3), [("", (0,)), ("", (1,))]),
        (1, "01", range(2), [("01", (0, 1))]),
    ],
)
def test_shares(number, gpus, cores, expected):
    assert make_slots(number, gpus, cores) == [Slot(tuple(own), part) for own, part in expected]


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [("0,2", ["0", "2"]), ("", []), ("-1", []), ("1,-1,2", ["1"]), ("GPU-ab, GPU-cd", ["GPU-ab", "GPU-cd"])],
)
def test_cuda_visible_devices_says_which_gpus(visible, gpus):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": visible}) == gpus


@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        ('echo "GPU 0: Some (UUID: GPU-1)"; echo "  MIG 1g.5gb"; echo "GPU 1: Some (UUID: GPU-2)"', ["0", "1"]),
        ('echo "No devices were found"', []),
        ('echo "GPU has gone"; exit 9', []),
    ],
)
def test_else_the_drivers_tool_is_asked(tmp_path, script, gpus):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    assert visible_gpus({"PATH": str(tmp_path)}) == gpus
    assert visible_gpus({"PATH": str(tmp_path / "elsewhere")}) == []


@pytest.mark.parametrize(
    ("accelerator", "devices", "gpus", "processes"),
    [
        ("auto", 1, 1, 1),
        ("gpu", 4, 4, 4),
        ("cpu", 2, 0, 2),
        ("gpu", [0, 1], 2, 2),
        ("auto", [3], 4, 1),
        ("mps", 1, 0, 1),
        ("gpu", "many", 1, 1),
        ("gpu", -1, 1, 1),
        ("gpu", [], 1, 1),
    ],
)
def test_what_a_job_asks_for(accelerator, devices, gpus, processes):
    trainer = {"accelerator": accelerator, "devices": devices}
    assert (count_gpus(trainer), count_processes(trainer)) == (gpus, processes)


def test_a_job_that_takes_all_gpus_of_its_slot_has_a_process_for_each():
    slot = Slot(("0", "1", "2", "3"), tuple(range(8)))
    for accelerator, devices, processes in (("gpu", "auto", 4), ("auto", "auto", 4), ("auto", 2, 2), ("cpu", "auto", 1)):
        assert count_processes_in_slot(slot, {"accelerator": accelerator, "devices": devices}) == processes
    assert count_processes_in_slot(Slot((), (0, 1)), {"accelerator": "auto", "devices": "auto"}) == 1


def test_nothing_of_another_run_reaches_a_job():
    names = (
        "LOCAL_RANK NODE_RANK GROUP_RANK RANK WORLD_SIZE LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT "
        "PL_GLOBAL_SEED PL_SEED_WORKERS WANDB_SERVICE WANDB_RUN_ID"
    )
    base = dict.fromkeys(names.split(), "1") | {"HOME": "/home/me", "WANDB_MODE": "offline"}
    assert job_environment(base, Slot(("2", "3"), (0, 1, 2, 3)), processes=2) == {
        "HOME": "/home/me",
        "WANDB_MODE": "offline",
        "CUDA_VISIBLE_DEVICES": "2,3",
        "OMP_NUM_THREADS": "2",
        "PYTHONUNBUFFERED": "1",
    }


def test_threads_are_the_users_or_the_slots():
    assert job_environment({"OMP_NUM_THREADS": "7"}, Slot((), (0, 1)), 1)["OMP_NUM_THREADS"] == "7"
    assert job_environment({}, Slot((), (0,)), processes=2)["OMP_NUM_THREADS"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in job_environment({}, Slot((), (0,)), 1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to a core")
def test_a_process_stays_on_its_slots_cores():
    core = visible_cores()[-1]
    before = os.sched_getaffinity(0)
    with pin_to_cores([core]):
        asked = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], capture_output=True)
    assert asked.stdout.decode().strip() == f"{{{core}}}"
    assert os.sched_getaffinity(0) == before
