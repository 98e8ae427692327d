"""With a small stand-in of the official archive: drawn pictures, whose number and checksum take the place of the real."""

import os
import shutil
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from official_files import NOWHERE, Official, OfficialFiles, md5, names_in
from PIL import Image

from lta.data import cub200, image_cache
from lta.data.archives import OfficialFile
from lta.data.cub200 import CUB200, LISTS

SPECIES = ("Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross", "Groove_billed_Ani")
WIDTH, HEIGHT, SIZE = 24, 20, 8
EACH, TRAINING = 9, 6  # pictures of a species


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def name(number: int) -> str:
    """Of the picture with id `number` + 1."""
    species = number // EACH
    return f"{species + 1:03}.{SPECIES[species]}/{SPECIES[species]}_{number:04}.jpg"


def corner(number: int) -> tuple[int, int]:
    """x and y of its bounding box, which is 8x8 pixels large and so comes out bit for bit."""
    return number % (WIDTH - SIZE), number % 11


def draw(folder: Path) -> None:
    """The official layout, each list in an order of its own. The pictures are called .jpg, but hold pixels without loss."""
    count = EACH * len(SPECIES)
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        file = folder / "images" / name(number)
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(number)).save(file, "PNG")
    boxes = [f"{n + 1} {corner(n)[0]:.1f} {corner(n)[1]:.1f} {SIZE:.1f} {SIZE:.1f}" for n in range(count)]
    write(folder / "images.txt", [f"{n + 1} {name(n)}" for n in range(count)])
    write(folder / "image_class_labels.txt", [f"{n + 1} {n // EACH + 1}" for n in reversed(range(count))])
    write(folder / "train_test_split.txt", [f"{n + 1} {int(n % EACH < TRAINING)}" for n in range(count)][::-1])
    write(folder / "bounding_boxes.txt", boxes[5:] + boxes[:5])
    write(folder / "classes.txt", [f"{n + 1} {n + 1:03}.{species}" for n, species in enumerate(SPECIES)])
    (folder / "attributes").mkdir()
    (folder.parent / "attributes.txt").write_text("1 has_bill_shape::curved\n")  # lies beside the folder in the archive


def write(file: Path, lines: list[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


def edit(file: Path, number: int, line: str | None) -> None:
    """Makes `line` of the line with that number, counted from 1; None takes it out."""
    lines = file.read_text().splitlines()
    lines[number - 1 : number] = [] if line is None else [line]
    write(file, lines)


@pytest.fixture
def official(tmp_path, monkeypatch):
    source = tmp_path / "source"
    draw(source / "CUB_200_2011")
    with tarfile.open(source / "CUB_200_2011.tgz", "w:gz", compresslevel=1) as tar:
        for inside in ("attributes.txt", "CUB_200_2011"):
            tar.add(source / inside, inside)
    checksum = md5(source / "CUB_200_2011.tgz")
    monkeypatch.setattr(cub200, "CLASSES", len(SPECIES))
    monkeypatch.setattr(cub200, "IMAGES", {"train": TRAINING * 4, "test": (EACH - TRAINING) * 4})

    def point(address: str) -> None:
        archive = OfficialFile("CUB_200_2011.tgz", f"{address}/CUB_200_2011.tgz", checksum)
        monkeypatch.setattr(cub200, "PACKED", cub200.PACKED._replace(archive=archive))

    point(NOWHERE)
    make = partial(CUB200, image_size=SIZE)
    return Official("cub200", make, source, ("CUB_200_2011.tgz",), ("CUB_200_2011",), ".", point, val_size=8)


TRAIN = [number for number in range(EACH * len(SPECIES)) if number % EACH < TRAINING]
TEST = [number for number in range(EACH * len(SPECIES)) if number % EACH >= TRAINING]


class TestCUB200(OfficialFiles):
    @pytest.fixture
    def folder(self, official, root):
        """The unpacked folder below the root."""
        return shutil.copytree(official.source / "CUB_200_2011", root / "CUB_200_2011")

    @pytest.fixture
    def decoded_files(self, monkeypatch):
        """The paths that are decoded from here on."""
        seen = []
        original = image_cache.open_rgb
        monkeypatch.setattr(image_cache, "open_rgb", lambda file, *rest: (seen.append(str(file)), original(file, *rest))[1])
        return seen

    # What is read

    @pytest.mark.usefixtures("folder")
    def test_each_picture_has_its_own_box_label_and_part(self, official, root):
        data = official.ready(root)
        assert data.class_names == SPECIES
        for split, numbers in ((data.train, TRAIN), (data.test, TEST)):
            assert split.labels.tolist() == [number // EACH for number in numbers]
            for image, number in zip(split.images, numbers, strict=True):
                x, y = corner(number)
                assert np.array_equal(image, pixels(number)[y : y + SIZE, x : x + SIZE])

    def test_only_the_folder_is_unpacked(self, official, root):
        official.put(root)
        official.ready(root)
        assert names_in(root) == ["CUB_200_2011", "CUB_200_2011.tgz"]
        assert names_in(root / "CUB_200_2011") == sorted([*LISTS, "attributes", "images"])

    def test_a_box_is_scaled_whatever_its_proportions(self, official, root, folder):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        picture[4:8, 2:10], picture[4:8, 10:18] = (250, 0, 0), (0, 0, 250)  # 16 wide and 4 high: red, then blue
        Image.fromarray(picture).save(folder / "images" / name(0), "PNG")
        edit(folder / "bounding_boxes.txt", EACH * 4 - 4, "1 2.0 4.0 16.0 4.0")
        image = official.ready(root).train.images[0]
        assert image.shape == (SIZE, SIZE, 3)
        assert np.abs(image[:, :3].astype(int) - (250, 0, 0)).max() < 40  # bicubic weights overshoot
        assert np.abs(image[:, -3:].astype(int) - (0, 0, 250)).max() < 40

    @pytest.mark.parametrize(
        ("box", "rows", "columns"),
        [
            ("-5 -3 13 11", slice(0, 8), slice(0, 8)),
            ("16.0 12.0 500.0 500.0", slice(12, 20), slice(16, 24)),
            ("3.4 4.6 8 8", slice(5, 13), slice(3, 11)),
        ],
    )
    def test_a_box_is_cut_off_at_the_border_and_rounded_to_whole_pixels(self, official, root, folder, box, rows, columns):
        edit(folder / "bounding_boxes.txt", EACH * 4 - 4, f"1 {box}")
        assert np.array_equal(official.ready(root).train.images[0], pixels(0)[rows, columns])

    def test_without_crop_the_whole_picture_is_scaled(self, official, root, folder):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        picture[:10, :12], picture[:10, 12:], picture[10:, :12] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
        Image.fromarray(picture).save(folder / "images" / name(0), "PNG")
        image = official.ready(root, crop="none").train.images[0]
        assert [image[y, x].tolist() for y, x in ((0, 0), (0, 7), (7, 0), (7, 7))] == [
            [200, 0, 0],
            [0, 200, 0],
            [0, 0, 200],
            [0, 0, 0],
        ]

    def test_a_large_jpeg_is_decoded_in_full_before_it_is_cut(self, official, root, folder):
        picture = Image.fromarray(pixels(0)).resize((480, 400), Image.Resampling.BICUBIC)
        picture.save(folder / "images" / name(0), "JPEG", quality=95)
        edit(folder / "bounding_boxes.txt", EACH * 4 - 4, "1 100.0 40.0 200.0 300.0")
        whole = Image.open(folder / "images" / name(0))
        expected = whole.crop((100, 40, 300, 340)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        assert np.array_equal(official.ready(root).train.images[0], np.asarray(expected))

    def test_grey_pictures_have_three_equal_channels(self, official, root, folder):
        grey = pixels(0)[..., 0]
        Image.fromarray(grey).save(folder / "images" / name(0), "PNG")
        assert np.array_equal(official.ready(root).train.images[0], np.stack([grey[:SIZE, :SIZE]] * 3, -1))

    def test_image_size_is_that_of_the_images(self, official, root, folder):
        assert official.ready(root, image_size=16).image_size == (16, 16)

    def test_the_official_numbers_are_those_of_the_official_set(self, monkeypatch):
        monkeypatch.undo()
        assert (cub200.CLASSES, sum(cub200.IMAGES.values())) == (200, 11_788)

    # The cache

    @pytest.mark.usefixtures("folder")
    def test_pictures_are_decoded_once(self, official, root, decoded_files, tmp_path):
        first = official.ready(root, val_size=8)
        assert len(decoded_files) == EACH * 4
        assert len([*(tmp_path / "xdg" / "lta").glob("*.npy")]) == 1
        decoded_files.clear()
        again = official.ready(root, val_size=8)
        assert decoded_files == []
        assert np.array_equal(first.train.images, again.train.images)
        assert np.array_equal(first.test.images, again.test.images)

    def test_another_crop_size_box_or_file_is_decoded_anew(self, official, root, folder, decoded_files):
        def decodes(**arguments) -> bool:
            decoded_files.clear()
            official.ready(root, **arguments)
            return bool(decoded_files)

        assert decodes()
        assert decodes(crop="none")
        assert decodes(image_size=16)
        edit(folder / "bounding_boxes.txt", 3, "8 1.0 1.0 7.0 7.0")
        assert decodes()
        os.utime(folder / "images" / name(3), (0, 0))
        assert not decodes(), "another time, the same content"
        (folder / "images" / name(3)).write_bytes((folder / "images" / name(2)).read_bytes())
        assert decodes()
        assert not decodes()

    @pytest.mark.usefixtures("folder")
    def test_off_writes_no_cache(self, official, root, tmp_path):
        assert len(official.ready(root, cache="off").train.labels) == len(TRAIN)
        assert not (tmp_path / "xdg").exists()

    # What does not fit

    @pytest.mark.parametrize("missing", [*LISTS, "images"])
    def test_a_missing_list_or_folder_is_named_though_the_archive_is_there(self, official, root, folder, missing):
        official.put(root)
        shutil.move(folder / missing, root / "away")
        line = official.refused(root)
        assert f"{folder / missing} is missing; delete {folder} to have it unpacked or downloaded again" in line

    @pytest.mark.parametrize(
        ("file", "line"),
        [
            ("images.txt", "7"),
            ("images.txt", "seven 001.Black_footed_Albatross/a.jpg"),
            ("image_class_labels.txt", "7 one"),
            ("image_class_labels.txt", ""),
            ("train_test_split.txt", "7 2"),
            ("bounding_boxes.txt", "7 1.0 2.0 3.0"),
            ("bounding_boxes.txt", "7 1.0 2.0 nan 4.0"),
            ("classes.txt", "3 Sooty_Albatross"),
        ],
    )
    def test_a_line_that_cannot_be_read_is_named(self, official, root, folder, file, line):
        edit(folder / file, 3, line)
        assert f"{folder / file}, line 3: {line!r} is not {LISTS[file][0]}; delete {folder}" in official.refused(root)

    def test_an_id_that_comes_twice_is_named(self, official, root, folder):
        edit(folder / "images.txt", 3, f"2 {name(2)}")
        assert f"{folder / 'images.txt'}, line 3: an earlier line has 2 too" in official.refused(root)

    @pytest.mark.parametrize("file", ["image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt"])
    def test_lists_of_other_images_are_refused(self, official, root, folder, file):
        number = (folder / file).read_text().splitlines()[2].split()[0]
        edit(folder / file, 3, None)
        line = official.refused(root)
        assert f"{folder}: images.txt lists 36 images and {file} 35; only one of them lists {number}; delete" in line

    def test_many_images_that_do_not_fit_are_counted(self, official, root, folder):
        write(folder / "train_test_split.txt", ["1 1", "2 0"])
        assert "and train_test_split.txt 2; only one of them lists 3, 4, 5, 6, 7 and 29 more;" in official.refused(root)

    def test_labels_of_other_classes_are_refused(self, official, root, folder):
        edit(folder / "image_class_labels.txt", 3, "34 7")
        line = official.refused(root)
        assert f"{folder}: only one of classes.txt and image_class_labels.txt has the classes 7; delete" in line

    @pytest.mark.parametrize(
        ("constant", "value", "says"),
        [
            ("CLASSES", 200, "lists 4 classes; the official one lists 200"),
            ("IMAGES", {"train": 5994, "test": 12}, "lists 24 training images; the official one lists 5994"),
            ("IMAGES", {"train": 24, "test": 5794}, "lists 12 test images; the official one lists 5794"),
        ],
    )
    def test_a_part_of_the_official_set_is_refused(self, official, root, folder, monkeypatch, constant, value, says):
        monkeypatch.setattr(cub200, constant, value)
        assert f"{folder} {says}; delete {folder}" in official.refused(root)

    def test_a_missing_picture_is_named(self, official, root, folder):
        (folder / "images" / name(3)).unlink()
        line = official.refused(root)
        assert f"{folder}: 1 of 36 picture files: 'images/{name(3)}' (No such file or directory) can't be read" in line
        assert f"; repair them, or delete {folder} to have it unpacked or downloaded again" in line
        assert "on_broken" not in line, "which this data set does not have"

    def test_a_picture_that_cannot_be_read_is_named(self, official, root, folder):
        (folder / "images" / name(3)).write_bytes(b"no picture")
        assert f"'images/{name(3)}' (not a picture of a known format)" in official.refused(root)

    @pytest.mark.parametrize("box", ["24.0 0.0 5.0 5.0", "3.0 3.0 0.0 5.0", "-9.0 0.0 5.0 5.0"])
    def test_a_box_without_pixels_is_named(self, official, root, folder, box):
        edit(folder / "bounding_boxes.txt", EACH * 4 - 4, f"1 {box}")
        said = box.replace(".0", "")
        assert f"'images/{name(0)}' (none of its 24x20 pixels lie in the box {said}) can't be" in official.refused(root)

    # Arguments

    @pytest.mark.usefixtures("as_users_run_it")
    @pytest.mark.parametrize(
        ("argument", "value", "says"),
        [
            ("image_size", 0, "must be a whole number, at least 1"),
            ("crop", "square", "is unknown; choose one of bounding_box, none"),
            ("crop", None, "is unknown; choose one of bounding_box, none"),
            ("cache", True, "must be a folder, null (the user's cache folder) or off"),
        ],
    )
    def test_an_impossible_argument_is_refused(self, argument, value, says):
        with pytest.raises(ValueError, match=r"data\.") as error:
            CUB200(**{argument: value})
        assert str(error.value) == f"data.{argument}={value} {says}"
