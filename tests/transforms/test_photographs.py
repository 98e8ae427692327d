"""Augmentation of photographs: each picture by itself, and what is mixed of a batch."""

import pytest
import torch
from networks import composed
from torchvision.transforms import v2

from lta.instantiate import build
from lta.transforms.photographs import PhotographAugment

NAMES = ("resized_crop", "colour_jitter", "rand_augment", "mixup", "cutmix")


def read_choice(name):
    return build(composed("model=vgg_att1", "data=cifar10", f"augment={name}").augment)


def noise(count=16, side=24):
    """Without permuted memory, as a batch is channels-last."""
    pixels = torch.randint(0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return pixels.permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_stay_pictures_and_each_is_drawn_by_itself(name):
    """Of one picture, many times, hardly two are alike."""
    images = noise(1, 24).expand(12, -1, -1, -1)
    out = read_choice(name)(images)
    assert out.dtype == torch.uint8
    assert out.shape == images.shape
    assert len({picture.numpy().tobytes() for picture in out}) >= 11


@pytest.mark.parametrize("name", NAMES)
def test_draws_depend_on_the_seed_alone(name):
    augment, images = read_choice(name), noise()
    torch.manual_seed(1)
    first = augment(images)
    torch.manual_seed(1)
    assert torch.equal(augment(images), first)
    assert not torch.equal(augment(images), first)


def test_it_is_torchvisions():
    """One picture with the same draws."""
    image = noise(1)
    theirs = v2.Compose(
        [v2.RandomResizedCrop(24, scale=(0.35, 1.0)), v2.RandomHorizontalFlip(), v2.ColorJitter(0.4, 0.4, 0.4, 0.1)]
    )
    torch.manual_seed(3)
    expected = theirs(image[0])
    torch.manual_seed(3)
    assert torch.equal(read_choice("colour_jitter")(image)[0], expected)


def test_the_crop_shows_a_part_at_the_pictures_size():
    """A ramp from left to right: what a crop shows of it is its share of the width."""
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(300, 3, 64, 64)
    torch.manual_seed(0)
    out = PhotographAugment(crop=0.25, flip=0)(ramp).float()
    width = (out[:, 0, 0, -1] - out[:, 0, 0, 0]) / 4 + 1
    assert width.max() <= 64
    assert width.min() >= 64 * 0.25**0.5 * 0.75**0.5 - 2
    assert width.min() < 34


def test_nothing_asked_nothing_changed():
    images = noise()
    augment = PhotographAugment(crop=1, flip=0)
    assert augment(images) is images
    assert not augment.mixes
    assert torch.equal(PhotographAugment(crop=1, flip=1)(images), images.flip(3))


def numbered(count=5, side=20):
    """Picture i is i everywhere."""
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(count, 3, side, side).contiguous()


def test_mixup_blends_with_the_one_before():
    torch.manual_seed(0)
    images = numbered()
    for _ in range(10):
        mixed, share = PhotographAugment(mixup=1.0).mix(images)
        assert 0 <= share <= 1
        torch.testing.assert_close(mixed, share * images + (1 - share) * images.roll(1, 0))
    assert torch.equal(images, numbered()), "what it is given stays as it is"


def test_cutmix_takes_a_box_of_the_one_before():
    torch.manual_seed(0)
    images = numbered()
    for _ in range(10):
        mixed, share = PhotographAugment(cutmix=1.0).mix(images)
        own = mixed == images
        assert (own | (mixed == images.roll(1, 0))).all()
        assert own.float().mean((1, 2, 3)).tolist() == pytest.approx([share] * 5)


def test_of_both_one_is_drawn_for_each_batch():
    torch.manual_seed(0)
    augment, images = PhotographAugment(mixup=1.0, cutmix=1.0), numbered()
    whole = [bool((augment.mix(images)[0] % 1 == 0).all()) for _ in range(40)]
    assert 8 < sum(whole) < 32


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"crop": 0}, "augment.crop=0"),
        ({"flip": 2}, "augment.flip=2"),
        ({"hue": 0.6}, "augment.hue=0.6"),
        ({"contrast": -1}, "augment.contrast=-1"),
        ({"operations": -1}, "augment.operations=-1"),
        ({"magnitude": 31}, "augment.magnitude=31 must be below 31"),
        ({"mixup": -0.1}, "augment.mixup=-0.1"),
        ({"cutmix": 1000}, "augment.cutmix=1000"),
    ],
)
def test_wrong_settings_are_named(settings, says):
    with pytest.raises(ValueError, match=says) as error:
        PhotographAugment(**settings)
    assert "\n" not in str(error.value)


def test_masks_go_where_their_pictures_go():
    """Of wide pictures that are white where their mask is: what comes out is so too, but for the borders' blend."""
    masks = torch.zeros(12, 40, 60)
    masks[:, 8:22, 30:52] = 1
    images = (255 * masks).to(torch.uint8).unsqueeze(1).repeat(1, 3, 1, 1)
    augment = PhotographAugment(crop=0.35, flip=0.5)
    torch.manual_seed(0)
    changed, carried = augment.carry(images, masks)
    assert augment.carries_masks
    assert carried.shape == masks.shape
    assert ((changed[:, 0] > 127) == (carried > 0.5)).float().mean() > 0.98
    assert len(carried.sum((1, 2)).unique()) > 6, "each has a crop of its own"
    torch.manual_seed(0)
    assert torch.equal(augment(images), changed), "as without masks"


@pytest.mark.parametrize("options", [{"mixup": 0.2}, {"cutmix": 1.0}, {"operations": 2}])
def test_what_no_mask_can_follow_carries_none(options):
    assert not PhotographAugment(**options).carries_masks
