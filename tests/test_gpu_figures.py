"""The performance page has the figures of the newest day on a GPU, or says that there are none."""

import json
from pathlib import Path

import gpu_figures

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

ROW = {
    "images_per_second": 12345.6,
    "step_ms": 10.37,
    "python_ms": 4.2,
    "waits": 0.012,
    "share_of_peak": 0.431,
    "memory_mb": 2048.0,
}
BARS = [{"case": "waiting for Python", "value": 0.012, "at_most": 0.05, "met": True}]
TRAINED = {
    "epochs_done": 30,
    "test_error": 5.1,
    "at_most": 5.23,
    "met": True,
    "images_per_second": 8e3,
    "training_seconds": 183,
}


def make_day(began, dry_run=False, **stages):
    stages = {name: {"title": name, "kind": name, **one} for name, one in stages.items()}
    git = {"commit": "0123456789abcdef", "changed": False}
    return {"dry_run": dry_run, "calls": [{"began": began}], "git": git, "code": "abc", "stages": stages}


def keep(results, commit, day):
    (results / commit).mkdir(parents=True)
    (results / commit / "gpu_day.json").write_text(json.dumps(day))


def done(found, **more):
    return {"state": "done", "found": found, **more}


def test_without_results_the_page_says_so_and_names_the_command(tmp_path):
    keep(tmp_path, "dry", make_day("2030-01-01T00:00:00", dry_run=True, facts=done({})))
    page = gpu_figures.insert_figures(PAGE.read_text(), tmp_path)
    assert "**Nothing was measured on a GPU yet.**" in page
    assert "\npython benchmarks/gpu_day.py --resume runs/gpu_day\n" in page
    assert gpu_figures.PLACE not in page


def test_the_figures_are_those_of_the_newest_day(tmp_path):
    facts = {"gpu": {"name": "GPU X"}, "matmul_tflops": {"bf16": 654.3}, "copy_gb_per_second": 4000.0, "python": "3.12.1"}
    stages = {
        "facts": done(facts | {"libraries": {"torch": "2.11.0"}}),
        "tests": done({"passed": 11, "skipped": 1, "failed": {"a::b": "no"}}),
        "step": done({"batch": 128, "rows": {"vgg_att3: bf16, channels last": ROW}, "bars": BARS}),
        "pipeline": done({"batch": 128, "images_per_second": {"sent": 1e5, "on the device": 2e6}}),
        "air": done(
            {"reached": True, "seconds_to_94": 3.21, "epochs": 16, "test_error": 5.9, "anchors": {"hiverge": 2.0}},
            kind="accuracy",
        ),
        "att2": done(TRAINED, kind="row"),
        "author": {"state": "unfinished", "kind": "row", "found": {"epochs_done": 40}},
        "backbone": {"state": "absent", "why": "timm is not installed"},
    }
    keep(tmp_path, "new", make_day("2030-01-02T00:00:00", **stages))
    keep(tmp_path, "old", make_day("2030-01-01T00:00:00", tests=done({"passed": 77, "skipped": 0, "failed": {}})))
    page = gpu_figures.insert_figures(PAGE.read_text(), tmp_path)
    for line in (
        "Measured on one GPU X (torch 2.11.0, Python 3.12.1) by `benchmarks/gpu_day.py`, commit 012345678, 2030-01-02.",
        "| vgg_att3: bf16, channels last | 12,346 | 10.37 | 4.20 | 1.2 | 43.1 | 2,048 |",
        "- waiting for Python: 0.012 (target at most 0.05: met)",
        "Sent: 100,000; on the device: 2,000,000.",
        "| air | 3.21 | 16 | 5.9 |",
        "| att2 | 30 | 5.10 | 5.23: met | 8,000 | 3.0 |",
        "| author | 40 (not finished) |  |  |  |  |",
        "11 passed, 1 were skipped; failed: `a::b`.",
        "- backbone: absent (timm is not installed)",
    ):
        assert line in page, line
    assert "77 passed" not in page
    assert "Nothing was measured" not in page


def test_other_pages_stay_as_they_are(tmp_path):
    assert gpu_figures.insert_figures("# A page\n", tmp_path) == "# A page\n"
