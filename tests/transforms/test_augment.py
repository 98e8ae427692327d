"""Whole-batch augmentation against its definition, picture by picture."""

import pytest
import torch
from torchvision import transforms

from lta.transforms.augment import FlipCropCutout, HalfFlip


def numbered(batch, size=9):
    """Every pixel has a value of its own, alike in all images."""
    image = torch.arange(size * size, dtype=torch.float32).view(1, 1, size, size) + 1
    return image.expand(batch, 3, size, size).contiguous(memory_format=torch.channels_last)


def test_nothing_asked_nothing_changed():
    images = numbered(4)
    assert torch.equal(FlipCropCutout(0, 0, 0)(images), images)


def test_flip_mirrors_about_half_of_the_images_whole():
    images = numbered(1000)
    out = FlipCropCutout(0.5, 0, 0)(images)
    mirrored = (out == images.flip(3)).flatten(1).all(1)
    assert (mirrored | (out == images).flatten(1).all(1)).all()
    assert 430 < mirrored.sum() < 570
    assert torch.equal(FlipCropCutout(1, 0, 0)(images), images.flip(3))


def test_shift_is_a_crop_of_the_mirror_padded_picture():
    torch.manual_seed(0)
    images = numbered(400)
    out = FlipCropCutout(0, 3, 0)(images)
    padded = torch.nn.functional.pad(images[:1], (3, 3, 3, 3), mode="reflect")[0]
    crops = {(y, x): padded[:, y : y + 9, x : x + 9] for y in range(7) for x in range(7)}
    seen = [next(at for at, crop in crops.items() if torch.equal(crop, picture)) for picture in out]
    assert len(set(seen)) == 49, "every offset comes up, independently per image"


def test_the_same_pictures_as_torchvisions_as_often():
    """RandomCrop from reflected borders, then RandomHorizontalFlip: 98 outcomes, each a picture of its own."""
    torch.manual_seed(0)
    count = 9800
    image = numbered(1)[0]
    theirs = transforms.Compose(
        [transforms.RandomCrop(9, padding=3, padding_mode="reflect"), transforms.RandomHorizontalFlip()]
    )
    outcomes = {}
    for column, pictures in enumerate((FlipCropCutout(0.5, 3)(numbered(count)), [theirs(image) for _ in range(count)])):
        for picture in pictures:
            outcomes.setdefault(picture.contiguous().numpy().tobytes(), [0, 0])[column] += 1
    seen = torch.tensor(list(outcomes.values()), dtype=torch.float64)
    assert seen.shape == (98, 2)
    apart = ((seen[:, 0] - seen[:, 1]) ** 2 / seen.sum(1)).sum()  # chi-squared of 97 degrees of freedom
    uniform = ((seen - count / 98) ** 2 / (count / 98)).sum(0)
    assert apart < 150, "p < 0.0005"
    assert (uniform < 150).all()


def test_cutout_blanks_one_square_and_nothing_else():
    torch.manual_seed(0)
    images = numbered(300)
    out = FlipCropCutout(0, 0, 4)(images)
    full = 0
    for picture in out:
        blank = picture[0] == 0
        assert torch.equal(picture[0][~blank], images[0, 0][~blank])
        rows, columns = blank.any(1).nonzero().flatten(), blank.any(0).nonzero().flatten()
        assert blank.sum() == len(rows) * len(columns), "a rectangle"
        assert 1 <= len(rows) <= 4
        assert 1 <= len(columns) <= 4
        full += blank.sum() == 16
    assert full > 50


def test_same_seed_same_pictures_and_storage_kept():
    augment = FlipCropCutout(0.5, 2, 3)
    torch.manual_seed(1)
    one = augment(numbered(8))
    torch.manual_seed(1)
    assert torch.equal(augment(numbered(8)), one)
    assert one.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("options", [{"flip": -0.1}, {"flip": 1.5}, {"shift": -1}, {"cutout": -2}])
def test_wrong_settings_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"augment.{name}="):
        FlipCropCutout(**options)


def columns_mirrored(images, augmented):
    """Which images came out mirrored; asserts that the others came out as they were."""
    mirrored = (augmented == images.flip(3)).flatten(1).all(1)
    assert ((augmented == images).flatten(1).all(1) ^ mirrored).all()
    return mirrored


@pytest.mark.parametrize(("batch", "half"), [(128, 64), (7, 3), (1, 0)])
def test_the_authors_mirror_exactly_half_of_each_batch(batch, half):
    images = torch.randn(batch, 3, 5, 6)
    draws = [columns_mirrored(images, HalfFlip()(images)) for _ in range(20)]
    assert [draw.sum().item() for draw in draws] == [half] * 20
    if batch == 128:
        often = torch.stack(draws).sum(0)  # each image in 10 of 20 batches, give or take
        assert often.min() > 0
        assert often.max() < 20


def test_one_offset_for_the_whole_batch():
    """All images are alike: what comes out is one shifted picture, and its mirror image shifted as far."""
    images = torch.randn(1, 3, 6, 6).expand(8, 3, 6, 6)
    for _ in range(20):
        augmented = HalfFlip(batch_shift=2)(images)
        assert len(augmented.unique(dim=0)) == 2


def test_a_shift_without_a_mirror_by_hand():
    """A batch of one is never mirrored: the offset shows, with the border pixel not repeated."""
    image = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    rows = {(-1): [1, 0, 1, 2], 0: [0, 1, 2, 3], 1: [1, 2, 3, 2]}
    expected = {tuple(image[0, 0][rows[a]][:, rows[b]].flatten().tolist()) for a in rows for b in rows}
    seen = {tuple(HalfFlip(batch_shift=1)(image)[0, 0].flatten().tolist()) for _ in range(200)}
    assert seen == expected


@pytest.mark.parametrize("augment", [FlipCropCutout(0.5, 3), FlipCropCutout(1, 0), HalfFlip(2), HalfFlip()])
def test_masks_go_where_their_pictures_go(augment):
    """Of pictures higher than wide, with a number in every pixel, and masks with the same numbers."""
    images = torch.arange(6 * 8 * 11.0).view(6, 1, 11, 8).expand(6, 3, 11, 8)
    torch.manual_seed(2)
    moved, masks = augment.carry(images, images[:, 0])
    assert augment.carries_masks
    assert torch.equal(masks, moved[:, 0])
    assert not torch.equal(moved, images)
    torch.manual_seed(2)
    assert torch.equal(augment(images), moved), "as without masks"


def test_a_mask_would_mark_what_is_blanked():
    assert not FlipCropCutout(0.5, 2, cutout=3).carries_masks
