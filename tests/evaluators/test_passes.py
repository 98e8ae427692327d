"""Every image once, in order, the same on any number of processes."""

import numpy as np
import pytest
import torch
from stand_ins import Stand, first_pixel, made_data
from torch import multiprocessing

from lta.evaluators.passes import generator, run_forward_passes

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)


def noisy_mean(classifier, batch_size=3):
    data = made_data(IMAGES, np.zeros(11))

    def look(images, index):
        noise = torch.randn(len(index), generator=generator(index, 5))
        return {"mean": images.float().mean((1, 2, 3)), "noise": noise, "half": noise.bfloat16()}

    return run_forward_passes(classifier, data.test, look, batch_size, "looking")


def test_what_is_seen_comes_back_in_order():
    found = noisy_mean(Stand(first_pixel))
    np.testing.assert_allclose(found["mean"], IMAGES.reshape(11, -1).mean(1), rtol=1e-6)
    assert found["half"].dtype == np.float32
    assert len(set(found["noise"].tolist())) == 11, "each batch has random numbers of its own"
    assert noisy_mean(Stand(first_pixel))["noise"].tolist() == found["noise"].tolist()


def _of_two(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    np.savez(f"{folder}/{rank}.npz", **noisy_mean(Stand(first_pixel)))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_see_what_one_sees(tmp_path):
    multiprocessing.spawn(_of_two, (str(tmp_path),), nprocs=2)
    alone = noisy_mean(Stand(first_pixel))
    for rank in range(2):
        there = np.load(tmp_path / f"{rank}.npz")
        assert {name: values.tolist() for name, values in there.items()} == {n: v.tolist() for n, v in alone.items()}
