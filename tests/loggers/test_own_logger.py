"""A logger of somebody's own needs one yaml file, and so does preprocessing that measures nothing."""

import csv

from commands import TINY, lta_run


def test_lightnings_csv_logger_and_a_transform_of_torchvision(capsys, tmp_path):
    for group, text in (
        ("logger", "table:\n  _target_: pytorch_lightning.loggers.CSVLogger\n  save_dir: ${hydra:runtime.output_dir}\n"),
        ("preprocess", "_target_: torchvision.transforms.v2.ConvertImageDtype\n"),
    ):
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "mine.yaml").write_text(text)
    kept = [argument for argument in TINY if not argument.startswith("logger=")]
    command = ["-cd", f"{tmp_path}/conf", *kept, "logger=mine", "preprocess=mine", f"hydra.run.dir={tmp_path}/run"]
    ended = lta_run(capsys, command)
    assert ended.status == 0, ended.err
    (table,) = (tmp_path / "run").glob("lightning_logs/*/metrics.csv")
    logged = list(csv.DictReader(table.open()))
    own = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))
    assert [row["val/error"] for row in logged if row["val/error"]] == [row["val/error"] for row in own]
    assert (table.parent / "hparams.yaml").read_text().count("v2.ConvertImageDtype") == 1
