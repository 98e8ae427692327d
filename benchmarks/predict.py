"""What `lta predict` takes on top of a bare loop that decodes pictures and asks the network.

    python benchmarks/predict.py [--pictures 5000] [--model vgg_att3] [--size 32] [--checkpoint RUN]

Made-up JPEG files of 256 x 192 pixels, and a network trained for one step on some of them (`--checkpoint`: one of yours).
The bare loop opens, turns, scales and cuts with Pillow and computes classes and maps, 64 pictures at once. `lta predict`
also finds the files, writes the table and draws the sheet. Importing and loading the network are in neither.
"""

import contextlib
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from measuring import Results, alternate, arguments, run
from PIL import Image, ImageOps

from lta import checks

BATCH = 64


def write_pictures(folder: Path, count: int) -> None:
    """JPEG files in two folders, one for each class."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 256, (24, 32, 3), np.uint8)
        path = folder / "ab"[number % 2] / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((256, 192), Image.Resampling.BICUBIC).save(path)


def train_a_step(folder: Path, pictures: Path, model: str, size: int) -> Path:
    few = folder / "few"
    for path in sorted(pictures.rglob("*.jpg"), key=lambda path: path.name)[:120]:
        (few / path.parent.name).mkdir(parents=True, exist_ok=True)
        (few / path.parent.name / path.name).symlink_to(path)
    settings = [f"model={model}", "data=image_folder", f"data.root={few}", f"data.image_size={size}", "logger=none"]
    settings += ["recipe.epochs=1", "data.batch_size=32", "+trainer.limit_train_batches=1", "trainer=cpu"]
    settings += [f"hydra.run.dir={folder / 'run'}"]
    settings += [] if model.startswith("backbone") else ["model.width=0.125"]
    subprocess.run([sys.executable, "-m", "lta.run", *settings], check=True, stdout=subprocess.DEVNULL)
    return folder / "run"


def ask_bare(classifier, paths: list[Path]) -> None:
    height, width = classifier.hparams["image_size"]
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            images = []
            for path in paths[start : start + BATCH]:
                with Image.open(path) as image:
                    upright = ImageOps.exif_transpose(image).convert("RGB")
                    images.append(np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)))
            output = classifier(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))
            output.logits.softmax(1)


def main():
    parser = arguments(__doc__, repetitions=3)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--model", default="vgg_att3")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--checkpoint", type=Path)
    options = parser.parse_args()
    checks.require_whole_number("--pictures", options.pictures, least=100)

    import lta
    from lta.pictures.find import find_with_places
    from lta.predict import drawing, files
    from lta.predict.answering import answer_pictures
    from lta.training.prediction import Columns

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pictures(folder / "pictures", options.pictures)
        checkpoint = options.checkpoint or train_a_step(folder, folder / "pictures", options.model, options.size)
        classifier = lta.load(checkpoint).eval()

        def predict() -> None:
            tables = files.Tables(folder / "out", ["csv"], Columns())
            found = find_with_places([str(folder / "pictures")], below=True)
            drawn = drawing.Drawing(classifier, [one.path for one in found], "none", 60, None, "checkpoint=RUN")
            with contextlib.redirect_stderr(io.StringIO()):
                answer_pictures(classifier, found, tables, drawn, files.name_overlays(folder / "out", found), BATCH)
            drawn.write_sheet(folder / "out" / files.SHEET, len(found))

        paths = sorted((folder / "pictures").rglob("*.jpg"))
        ways = {"lta predict": predict, "bare loop": lambda: ask_bare(classifier, paths)}
        taken = alternate(ways, options.repetitions)
    results = Results(options, f"{options.pictures} pictures, {options.checkpoint or options.model} at {options.size}")
    bar = 1.15 if options.pictures >= 5000 else None
    results.ratio("lta predict / bare loop", taken["lta predict"], taken["bare loop"], at_most=bar)
    for name, seconds in taken.items():
        results.figure(name, seconds, "s")
    results.save()


if __name__ == "__main__":
    run(main)
