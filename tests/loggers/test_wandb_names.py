"""What lta uses of W&B that W&B promises nobody: a version that changes it fails here, in a line that says what is to be
mended, and not in a run that hangs, leaks a path, or sends an epoch twice."""

import json
import sys

import processes
import pytest
import wandb
from wandb_commands import environment

from lta.loggers.wandb_parts import rows
from lta.loggers.wandb_run import PRIVATE
from lta.loggers.wandb_service import BOUNDED, QUIET

SCRIPT = """
import json, sys, wandb
from lta.loggers.wandb_service import abandon, find_service_process
run = wandb.init(project="lta", dir=sys.argv[1], mode="offline", settings=wandb.Settings(silent=True))
for epoch in range(2):
    run.log({"epoch": epoch, "time/seconds": 1.0})
run.finish()
wandb.teardown()
wandb.setup()
process = find_service_process()
alive = process is not None and process.poll() is None
abandon()
print(json.dumps({"alive": alive, "ended": process is not None and process.wait(10) is not None}))
"""


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """(what the script printed, the folder of its run)."""
    folder = tmp_path_factory.mktemp("names")
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    ended = processes.run(command, env=environment(), check=True, timeout=120)
    (part,) = (folder / "wandb").glob("offline-run-*")
    return json.loads(ended.stdout.splitlines()[-1]), part


def test_the_service_of_this_process_is_found_and_ended(offline):
    assert offline[0] == {"alive": True, "ended": True}, (
        f"wandb {wandb.__version__} keeps its service elsewhere than at singleton()._connection._proc._process: mend "
        "lta.loggers.wandb_service.find_service_process, or a service that hangs outlives a run"
    )


@pytest.mark.parametrize("name", [*PRIVATE, *BOUNDED, *QUIET])
def test_a_setting_is_still_one(name):
    assert name in wandb.Settings.model_fields, (
        f"wandb {wandb.__version__} has no setting {name}: find out what takes its place (lta.loggers.wandb_run.PRIVATE, "
        "lta.loggers.wandb_service.BOUNDED and QUIET)"
    )


def test_the_rows_of_an_offline_part_are_read_back(offline):
    found = [(row.get("epoch"), row.get("time/seconds")) for row in rows(offline[1])]
    assert found == [(0, 1.0), (1, 1.0)], (
        f"wandb {wandb.__version__} ships another viewer than `wandb leet inspect --json`, or another format: mend "
        "lta.loggers.wandb_parts.rows, or a resumed run can't tell which epochs it has sent"
    )
