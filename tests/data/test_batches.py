import numpy as np
import pytest
import torch

from lta.data.batches import EpochBatches, Split, batch_loader


def eval_batches(size: int, batch_size: int, world_size: int) -> list[list[list[int]]]:
    """Per process, the batches it sees, as lists of positions."""
    return [
        [batch.tolist() for batch in EpochBatches(size, batch_size, False, rank=rank, world_size=world_size)]
        for rank in range(world_size)
    ]


def train_epoch(epoch: int, seed: int = 0, world_size: int = 1) -> list[list[int]]:
    """The images of each step of 12 out of 50, all processes together."""
    processes = [EpochBatches(50, 12, True, seed, rank, world_size) for rank in range(world_size)]
    for process in processes:
        process.set_epoch(epoch)
    return [np.concatenate(parts).tolist() for parts in zip(*processes, strict=True)]


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize(("size", "batch_size"), [(13, 12), (12, 12), (1, 12), (100, 12), (5, 24), (121, 24)])
def test_evaluation_sees_every_image_exactly_once(size, batch_size, world_size):
    processes = eval_batches(size, batch_size, world_size)
    seen = [position for process in processes for batch in process for position in batch]
    assert sorted(seen) == list(range(size))


def test_thirteen_images_on_two_processes_are_seven_and_six():
    counts = [sum(map(len, process)) for process in eval_batches(13, 4, world_size=2)]
    assert counts == [7, 6]


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_announced_number_of_batches_is_the_number_that_comes(world_size, shuffle):
    for rank in range(world_size):
        batches = EpochBatches(61, 12, shuffle, rank=rank, world_size=world_size)
        assert len(batches) == len(list(batches))


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_evaluation_batches_are_not_above_their_size(world_size):
    for process in eval_batches(61, 12, world_size):
        assert all(0 < len(batch) <= 12 // world_size for batch in process)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_training_drops_the_last_partial_batch_and_repeats_nothing(world_size):
    steps = train_epoch(0, world_size=world_size)
    assert [len(step) for step in steps] == [12, 12, 12, 12]
    assert len({position for step in steps for position in step}) == 48


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_a_step_holds_the_same_images_however_many_processes_share_it(world_size):
    alone, shared = train_epoch(5), train_epoch(5, world_size=world_size)
    assert [sorted(step) for step in alone] == [sorted(step) for step in shared]


def test_the_images_dropped_are_others_in_other_epochs():
    left_out = [set(range(50)) - {p for step in train_epoch(epoch) for p in step} for epoch in range(5)]
    assert len(set.union(*left_out)) > 2


def test_the_order_differs_by_epoch_and_seed_and_is_reproducible():
    assert train_epoch(1) == train_epoch(1)
    assert train_epoch(1) != train_epoch(2)
    assert train_epoch(1, seed=0) != train_epoch(1, seed=1)


def test_an_epoch_reached_by_resuming_has_the_order_it_would_have_had():
    running = EpochBatches(50, 12, True)
    for epoch in range(4):
        running.set_epoch(epoch)
        order = [batch.tolist() for batch in running]
    assert order == train_epoch(3)


def test_a_batch_size_the_processes_cannot_share_is_refused():
    with pytest.raises(ValueError, match="batch_size=10 must be a positive multiple of the 4 processes"):
        EpochBatches(100, 10, True, world_size=4)


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ValueError, match="batch_size=64 is more than the 50 training images"):
        EpochBatches(50, 64, True)


@pytest.fixture
def split():
    images = np.random.default_rng(0).integers(0, 256, (13, 4, 6, 3), np.uint8)
    return Split(images, np.arange(13, dtype=np.int64), roles=images[..., 0] % 3, sources=np.arange(13) * 10)


def test_loader_gives_uint8_channels_last_images_with_their_labels(split):
    batches = list(batch_loader(split, EpochBatches(13, 5, False)))
    images, labels, numbers = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert [len(batch[1]) for batch in batches] == [5, 5, 3]
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    assert batches[0][0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, torch.from_numpy(split.images).permute(0, 3, 1, 2))
    assert labels.tolist() == split.labels.tolist()
    assert numbers.tolist() == list(range(13))


def test_loader_keeps_images_and_labels_together_when_shuffled(split):
    for images, labels, numbers in batch_loader(split, EpochBatches(13, 4, True, seed=7)):
        assert torch.equal(labels, numbers), "which are the labels of this split"
        assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), split.images[labels.numpy()])


def test_loader_reads_read_only_memory_mapped_images(split, tmp_path):
    np.save(tmp_path / "images.npy", split.images)
    mapped = split._replace(images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    images, *_ = next(iter(batch_loader(mapped, EpochBatches(13, 13, False))))
    images += 1  # the batch is the caller's own
    assert np.array_equal(np.load(tmp_path / "images.npy"), split.images)


def test_take_keeps_all_parts_together(split):
    part = split.take(np.array([3, 1]))
    assert part.labels.tolist() == [3, 1]
    assert part.sources.tolist() == [30, 10]
    assert np.array_equal(part.roles, split.images[[3, 1], ..., 0] % 3)
    assert Split(split.images, split.labels).take(np.array([0])).roles is None
