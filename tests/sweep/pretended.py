"""Runs that end at once, in the place of the processes of a sweep: they leave what a run leaves."""

from typing import Any

import yaml

from lta.runtime.files import write_json
from lta.runtime.provenance import code_version
from lta.runtime.signals import Stopped


class Pretended:
    """Stands in for `lta.sweep.jobs.run_jobs`: test/error is 10 + seed, val/error twice that, but for those in `failing`."""

    def __init__(self):
        self.calls: list[dict[str, Any]] = []
        self.failing: set[str] = set()
        self.stopped = False

    def __call__(self, jobs, slots, environment, complete, changed):
        started = [job for job in jobs if job.status == "waiting"]
        self.calls.append({"jobs": started, "slots": slots, "environment": dict(environment), "complete": complete})
        for job in started:
            job.directory.mkdir(parents=True, exist_ok=True)
            job.log.write_text("$ pretended\n")
            job.status, job.seconds = "running", 3.0
            changed(job)
            if job.name in self.failing:
                job.status, job.ended, job.why = "failed", "status 1", "no luck"
            else:
                finish(job.directory, job.config, job.command)
                job.status = "done"
                assert complete(job)
            changed(job)
        if self.stopped:
            raise Stopped(15, "0 of 2 jobs done; repeat the command to continue")

    def started(self, call: int = -1) -> list[str]:
        return [job.name for job in self.calls[call]["jobs"]]


def pretend(monkeypatch, tmp_path) -> Pretended:
    pretended = Pretended()
    monkeypatch.setattr("lta.sweep.session.run_jobs", pretended)
    monkeypatch.setattr("lta.sweep.session.visible_cores", lambda: [0, 1])
    monkeypatch.chdir(tmp_path)
    return pretended


def finish(directory, config, command, code=None):
    """`code` is the version of the code that the run was finished by; now's without it."""
    overrides = [word for word in command if "=" in word and not word.startswith("hydra.")]
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    start = {"overrides": overrides, "code": code or code_version()}
    write_json(directory / "run.json", {"starts": [start]})
    test = 10.0 + config["seed"]
    history = [{"val/error": 99.0}, {"val/error": 2 * test}]
    write_json(directory / "results.json", {"test": {"error": test}, "history": history, "seconds": 60.0})
