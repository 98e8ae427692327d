"""A run on pictures with several labels, and all that is asked of it afterwards."""

import csv
import json
import shutil

import numpy as np
import processes
import pytest
import torch
from commands import assert_refused, command, environment, lta_run, read_wandb
from PIL import Image
from sklearn.metrics import average_precision_score

import lta
from lta.evaluate.__main__ import evaluate
from lta.export.__main__ import export
from lta.predict.__main__ import predict

SMALL = (
    "data=image_folder",
    "data.cache=off",
    "data.batch_size=16",
    "model=vgg_att2",
    "model.width=0.0625",
    "recipe.epochs=1",
    "logger=none",
    "trainer=cpu",
)
KIND = ("data.labels=labels.csv", "loss=several_labels")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Red, green, both or nothing, on noise."""
    folder, rng = tmp_path_factory.mktemp("pictures") / "shapes", np.random.default_rng(0)
    rows = ["file,labels"]
    for number in range(120):
        image = rng.integers(60, 190, (32, 32, 3), np.uint8)
        for channel in (0, 1):
            if number >> channel & 1:
                image[14 * channel : 14 * channel + 12, 5:20] = 255 * np.eye(3, dtype=np.uint8)[channel]
        name = f"{'ab'[number % 3 == 0]}/{number:03}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name)
        rows.append(f"{name},{'|'.join(['red'] * (number & 1) + ['green'] * (number >> 1 & 1))}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def trained(root):
    return root.parent / "run"


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_whole_way(capsys, root, trained, monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    more = ("augment=mixup", "loss.class_weights=balanced", "callbacks.best_checkpoint.monitor=val/mAP")
    # By two processes that log to W&B. Each has other images, and some splits end in a batch that one of them has not.
    together = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "logger=wandb", "logger.wandb.mode=offline")
    small = [one for one in SMALL if one not in ("trainer=cpu", "logger=none")]
    options = [
        *small,
        *KIND,
        *more,
        *together,
        "trainer.precision=32-true",
        f"data.root={root}",
        f"hydra.run.dir={trained}",
        "data.eval_batch_size=4",
    ]
    started = processes.run(command(*options), cwd=root.parent, env=environment(), timeout=300)
    assert started.returncode == 0, started.stderr
    assert "2 labels, several a picture (green" in started.stdout
    assert "an image is right if all its labels are; " in started.stdout
    panels = list((trained / "wandb").glob("offline-run-*/files/media/images/attention/panel_0_*.png"))
    assert len(panels) > 4
    logged = [record["history"] for record in read_wandb(trained)[1] if record["type"] == "history"]
    assert any("val/mAP" in json.dumps(row) for row in logged)
    results = json.loads((trained / "results.json").read_text())
    assert {"error", "label_error", "loss", "mAP", "auroc", "auroc_red", "auroc_green"} == set(results["test"])
    assert results["training_flops"] > 0
    assert {"val/error", "val/mAP", "val/auroc_red"} <= set(read_rows(trained / "metrics.csv")[0])

    rows = read_rows(trained / "test_predictions.csv")
    assert list(rows[0]) == ["image", "file", "labels", "predicted", "right", "p(green)", "p(red)"]
    true = {row["file"]: "|".join(sorted(row["labels"].split("|"))) for row in read_rows(root / "labels.csv")}
    assert all("|".join(sorted(row["labels"].split("|"))) == true[row["file"]] for row in rows)
    assert 100 * np.mean([row["right"] == "0" for row in rows]) == pytest.approx(results["test"]["error"], abs=1e-4)
    assert all(row["right"] == str(int(row["labels"] == row["predicted"])) for row in rows)

    classifier = lta.load(trained)
    assert classifier.several_labels
    found = classifier.predict([root / row["file"] for row in rows])
    assert [int(row["image"]) for row in rows] == list(range(results["test_images"])), "of both processes, each once"
    true_labels = np.array([[name in row["labels"].split("|") for name in ("green", "red")] for row in rows])
    ranked = [average_precision_score(true_labels[:, k], found.probabilities[:, k]) for k in (0, 1)]
    assert np.mean(ranked) == pytest.approx(results["test"]["mAP"], abs=1e-6)
    shares = torch.tensor([[float(row["p(green)"]), float(row["p(red)"])] for row in rows])
    assert torch.allclose(found.probabilities, shares, atol=2e-2), "in bfloat16 and in float32"
    assert torch.equal(found.probabilities, classifier(read_images(root, rows)).logits.sigmoid().detach())

    ended = lta_run(
        capsys,
        [f"checkpoint={trained}", "evaluator=classification", "wandb=false"],
        evaluate,
        "evaluate",
        lists=("evaluator", "checkpoint"),
        sweeps=False,
    )
    assert ended.status == 0, ended.err
    figures = json.loads((trained / "evaluations/classification.json").read_text())["figures"]
    assert figures["error"]["value"] == pytest.approx(
        100 * np.mean([one != row["labels"] for one, row in zip(found.labels, rows, strict=True)]), abs=1e-4
    )
    assert set(figures["by_class"]) == {"green", "red"}
    assert "confusion" not in figures
    assert (trained / "evaluations/classification/least_sure.png").is_file()
    refused = lta_run(
        capsys,
        [f"checkpoint={trained}", "evaluator=faithfulness", "wandb=false"],
        evaluate,
        "evaluate",
        lists=("evaluator", "checkpoint"),
        sweeps=False,
    )
    assert_refused(refused, "evaluator=faithfulness needs one class per image, but this network gives several labels")

    monkeypatch.chdir(root.parent)
    told = [f"checkpoint={trained}", f"images={root / 'b'}", "threshold=0.3", "probabilities=true", "overlays=all"]
    ended = lta_run(capsys, told, predict, "predict", lists=("format", "images"), sweeps=False)
    assert ended.status == 0, ended.err
    said = read_rows(root.parent / "predictions/predictions.csv")
    assert list(said[0])[:3] == ["file", "labels", "label"]
    for row in said:
        named = [name for name in ("green", "red") if float(row[f"p({name})"]) >= 0.3]
        assert row["labels"] == "|".join(named)
    classifier.predict(root / "b").to_csv("python.csv", threshold=0.3, probabilities=True)
    assert read_rows(root.parent / "python.csv") == said
    told = [f"checkpoint={trained}", f"images={root / 'b'}", "threshold=0.3", "overlays=unsure", "overwrite=true"]
    refused = lta_run(capsys, told, predict, "predict", lists=("format", "images"), sweeps=False)
    assert_refused(refused, "overlays=unsure: this network gives several labels or none")

    ended = lta_run(capsys, [f"checkpoint={trained}", "out=file.onnx"], export, "export", sweeps=False)
    assert ended.status == 0, ended.err
    session = onnxruntime.InferenceSession("file.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["about"])["labels"] == "several labels"
    given = dict(
        zip(
            (one.name for one in session.get_outputs()),
            map(torch.from_numpy, session.run(None, {"images": read_images(root, rows).numpy()})),
            strict=True,
        )
    )
    assert torch.allclose(given["probabilities"], given["logits"].sigmoid())
    assert torch.allclose(given["probabilities"], found.probabilities, atol=1e-4)

    moved = root.parent / "goes_on"
    shutil.copytree(trained, moved)
    (moved / "results.json").unlink()
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("a/001.png,red", "a/001.png,"))
    refused = lta_run(capsys, [f"resume={moved}", "trainer=cpu"])
    assert_refused(refused, "the labels have changed since the run began: put the table back as it was")
    (root / "labels.csv").write_text(text)
    ended = processes.run(command(f"resume={moved}", "trainer=cpu"), cwd=root.parent, env=environment(), timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((moved / "results.json").read_text())["test"] == pytest.approx(results["test"])


def read_images(root, rows):
    images = np.stack([np.asarray(Image.open(root / row["file"]).convert("RGB")) for row in rows])
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["data.labels=labels.csv"], "data.labels gives pictures several labels, but this loss is for one class each: give"),
        (["loss=several_labels"], "loss=several_labels needs data that have several labels: data=image_folder data.labels="),
        ([*KIND, "head=indep", "head.combine=average"], "head.combine=average gives probabilities that sum to 1"),
        (
            [*KIND, "data.balanced=true"],
            "data.balanced=true draws equally many pictures of each class, but with data.labels",
        ),
        ([*KIND, "evaluator=robustness"], "evaluator=robustness needs one class per image, but this network gives"),
    ],
)
def test_what_does_not_go_together_ends_before_data_are_read(capsys, tmp_path, given, said):
    ended = lta_run(capsys, [*SMALL, *given, f"data.root={tmp_path / 'nothing'}", f"hydra.run.dir={tmp_path / 'run'}"])
    assert_refused(ended, said)  # and not that the folder is not there
