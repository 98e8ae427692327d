"""A stand-in for Slurm's commands: one machine, no queue. `install` puts sbatch, srun, sacct and scontrol into a folder."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path


def install(folder: Path) -> dict[str, str]:
    """The environment in which the commands are found."""
    folder.mkdir()
    for name in ("sbatch", "srun", "sacct", "scontrol", "scancel"):
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}\nmain({name!r}, {str(folder)!r})\n")
        path.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def main(name, folder):
    {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scontrol": scontrol, "scancel": lambda *_: None}[name](
        Path(folder), sys.argv[1:]
    )


def sbatch(folder, arguments):
    script = Path(arguments[-1]).read_text()
    given = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.MULTILINE))
    tasks = int(given.get("ntasks-per-node", 1))
    count = int(re.match(r"0-(\d+)", given.get("array", "0-0"))[1]) + 1
    kept = folder / "script.sh"
    kept.write_text(script)
    for index in range(count):
        job = {
            "script": str(kept),
            "tasks": tasks,
            "index": index,
            "given": given,
            "restarts": 0,
            "submitted_with": dict(os.environ),
        }
        start(folder, job)
    print("Submitted batch job 4711")


def start(folder, job):
    own = {
        "SLURM_JOB_ID": str(4711 + job["index"]),
        "SLURM_ARRAY_JOB_ID": "4711",
        "SLURM_ARRAY_TASK_ID": str(job["index"]),
        "SLURM_NTASKS": str(job["tasks"]),
        "SLURM_NTASKS_PER_NODE": str(job["tasks"]),
        "SLURM_NNODES": "1",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_NAME": "lta",
        "SLURM_NODELIST": "localhost",
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_RESTART_COUNT": str(job["restarts"]),
    }
    output = (folder / f"output_{job['index']}.txt").open("a")
    process = subprocess.Popen(
        ["bash", job["script"]], env={**job["submitted_with"], **own}, stdout=output, stderr=output, start_new_session=True
    )
    (folder / f"4711_{job['index']}.json").write_text(json.dumps({**job, "pid": process.pid}))


def srun(folder, arguments):
    command = list(arguments)
    while command[0].startswith("--"):
        if command.pop(0) in ("--output", "--error"):
            command.pop(0)
    tasks = [
        subprocess.Popen(
            command,
            env={
                **os.environ,
                "SLURM_STEP_ID": "0",
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
                "SLURM_NODEID": "0",
            },
        )
        for rank in range(int(os.environ["SLURM_NTASKS"]))
    ]
    sys.exit(max(abs(task.wait()) for task in tasks))


def sacct(folder, arguments):
    print("JobID|State|NodeList")
    for path in sorted(folder.glob("4711_*.json")):
        print(f"{path.stem}|{'RUNNING' if runs(json.loads(path.read_text())['pid']) else 'COMPLETED'}|localhost")


def scontrol(folder, arguments):
    with (folder / "asked").open("a") as asked:
        asked.write(" ".join(arguments) + "\n")
    if arguments[0] == "requeue" and not os.fork():
        os.setsid()
        path = folder / f"{arguments[1]}.json"
        job = json.loads(path.read_text())
        deadline = time.monotonic() + 30
        while runs(job["pid"]) and time.monotonic() < deadline:
            time.sleep(0.1)
            try:  # Slurm ends what is left of a requeued job
                os.killpg(job["pid"], 15 if time.monotonic() < deadline - 25 else 9)
            except ProcessLookupError:
                break
        start(folder, {**job, "restarts": job["restarts"] + 1})
        os._exit(0)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
