"""A sweep that is given again while some of its jobs still run."""

from filelock import FileLock

from lta.sweep.jobs import Job, run_jobs
from lta.sweep.progress import Progress
from lta.sweep.records import settle
from lta.sweep.table import collect, render_failures, render_text


def test_a_job_that_another_process_runs_is_left_to_it(tmp_path, capsys):
    jobs = [Job(name, tmp_path / name, command=["false"], version="any") for name in ("theirs", "free")]
    for job in jobs:
        job.directory.mkdir()
        (job.directory / "console.log").touch()
        (job.directory / ".lock").touch()
    with FileLock(tmp_path / "theirs" / ".lock"):
        settle(jobs, "any")
        assert [job.status for job in jobs] == ["elsewhere", "waiting"]
        Progress(jobs, 1, 0, lambda job: {})(jobs[0])
        run_jobs([jobs[0]], [], {})
        assert jobs[0].status == "elsewhere", "no second process is started beside the first"
    said = capsys.readouterr().out
    assert "theirs: running elsewhere: another process is running it" in said
    found = collect(tmp_path, jobs)
    assert {run["directory"]: run["status"] for run in found["runs"]} == {
        "theirs": "running elsewhere",
        "free": "unfinished",
    }
    assert "theirs (running elsewhere)" in render_text(found)
    assert render_failures(jobs) == ""
    again = [Job("theirs", tmp_path / "theirs", version="any")]
    settle(again, "any")
    assert again[0].status == "waiting", "when it has ended, it is taken up"
