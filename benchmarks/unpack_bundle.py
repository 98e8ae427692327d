"""Unpacks what has come of a bundle (benchmarks/gpu_bundle.sh) next to this file. Standard library.

usage: python3 unpack.py FOLDER_WITH_PARTS

Checks each part, installs what this Python lacks into venv/ (no package index is asked), and makes the official pictures in
data/ when all parts of a data set are there. May be called again whenever more parts have come. `. env.sh` then
puts the interpreter first on PATH and says where the data are (LTA_DATA_ROOT).
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

DJXL = """import sys

import pillow_jxl  # noqa: F401
from PIL import Image

Image.open(sys.argv[1]).convert("RGB").save(sys.argv[2])
"""
"""`djxl SHEET.jxl SHEET.ppm`, for machines that have none."""


def compute_checksum(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_code(manifest):
    """Raises ValueError where a file that came with this one is not the one that was packed."""
    for name, checksum in manifest["code"].items():
        path = HERE / name
        if not path.is_file() or compute_checksum(path) != checksum:
            raise ValueError(f"{path} is damaged or missing: unpack code.tar again")


def unpack_parts(manifest, folder):
    """Those that lie in `folder` and were not unpacked before; the names of all that are unpacked, and of damaged ones."""
    record = HERE / "unpacked.json"
    done = json.loads(record.read_text()) if record.is_file() else {}
    damaged = []
    for name, about in manifest["parts"].items():
        path = folder / name
        if done.get(name) == about["sha256"] or not path.is_file():
            continue
        if path.stat().st_size != about["bytes"] or compute_checksum(path) != about["sha256"]:
            damaged.append(name)
            continue
        with tarfile.open(path) as archive:
            archive.extractall(HERE, filter="data")
        done[name] = about["sha256"]
        record.write_text(json.dumps(done))
    return {name for name in done if name in manifest["parts"]}, damaged


def unpack_project():
    if not (HERE / "project").is_dir():
        part = HERE / "project.part"
        shutil.rmtree(part, ignore_errors=True)
        with tarfile.open(HERE / "project.tar.xz") as archive:
            archive.extractall(part, filter="data")
        part.rename(HERE / "project")


def make_environment():
    """venv/, which sees all that this Python sees, and the project; its interpreter."""
    python = HERE / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", HERE / "venv"], check=True)
        (packages,) = (HERE / "venv" / "lib").glob("python*/site-packages")
        # Not --system-site-packages: this Python may be a virtual environment itself, whose packages that would not show.
        seen = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
        lines = [str(HERE / "project"), *(f"import site; site.addsitedir({place!r})" for place in seen)]
        (packages / "machine.pth").write_text("\n".join(lines) + "\n")
    return python


def find_distributions(python):
    """Version by name of what the interpreter sees; of several the first."""
    program = "from importlib.metadata import distributions\nfor d in distributions(): print(d.metadata['Name'], d.version)"
    lines = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {normalise(name): version for name, version in map(str.split, reversed(lines))}


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def install(python):
    """What the interpreter lacks, or has in a version that lta does not take, from wheels/ alone; the requirements that are
    then still not fulfilled. Nobody asks what packages that are there need: how the machine's torch gets its CUDA is its
    own affair."""
    from pip._vendor.packaging.requirements import Requirement

    requirements = {
        normalise(one.name): one for one in map(Requirement, (HERE / "requirements.txt").read_text().splitlines())
    }

    def fulfilled(name, there):
        return name in there and (name not in requirements or requirements[name].specifier.contains(there[name], True))

    there = find_distributions(python)
    wheels = {normalise(path.name.partition("-")[0]): path for path in sorted((HERE / "wheels").glob("*.whl"))}
    if lacking := [path for name, path in wheels.items() if not fulfilled(name, there)]:
        command = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "-q",
            "--no-deps",
            "--no-index",
            "--no-compile",
        ]
        command += ["--disable-pip-version-check", "--no-cache-dir"]
        # Settings of the machine's pip may name an index, or pins of other versions.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        ended = subprocess.run([*command, *lacking], env=environment | {"PIP_CONFIG_FILE": os.devnull})
        if ended.returncode:
            raise ValueError(f"pip could not install {len(lacking)} wheels of {HERE / 'wheels'}")
        there = find_distributions(python)
    return [str(requirement) for name, requirement in requirements.items() if not fulfilled(name, there)]


def make_data(manifest, unpacked, python):
    """The official files of each data set whose parts are all there; by data set, where it is, or why it is not."""
    found = {}
    for name in manifest["data"]:
        missing = [part for part, about in manifest["parts"].items() if about["group"] == name and part not in unpacked]
        if missing:
            found[name] = f"waits for {', '.join(missing)}"
            continue
        tools = HERE / "tools"
        if shutil.which("djxl") is None:
            tools.mkdir(exist_ok=True)
            (tools / "djxl.py").write_text(DJXL)
            (tools / "djxl").write_text(
                f'#!/bin/sh\nexec {shlex.quote(str(python))} {shlex.quote(str(tools / "djxl.py"))} "$@"\n'
            )
            (tools / "djxl").chmod(0o755)
        environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
        program = [python, HERE / "sheets" / "unpack-official", name, HERE / "data"]
        ended = subprocess.run(program, env=environment, capture_output=True, text=True)
        said = (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1]
        found[name] = f"in {HERE / 'data'}" if ended.returncode == 0 else f"could not be made: {said}"
    return found


def unpack(folder):
    """All that has come; whether nothing was damaged. Prints what stands and what is missing."""
    start = time.monotonic()
    manifest = json.loads((HERE / "MANIFEST.json").read_text())
    if folder == HERE or folder in HERE.parents:
        raise ValueError(f"{HERE} lies in {folder}, where parts arrive: unpack code.tar elsewhere")
    check_code(manifest)
    unpacked, damaged = unpack_parts(manifest, folder)
    unpack_project()
    python = make_environment()
    missing = install(python)
    data = make_data(manifest, unpacked, python)
    exports = {"LTA_DATA_ROOT": HERE / "data", "PYTHONNOUSERSITE": 1}
    lines = [f"export PATH={shlex.quote(str(python.parent))}:$PATH", f"cd {shlex.quote(str(HERE / 'project'))}"]
    lines += [f"export {name}={shlex.quote(str(value))}" for name, value in exports.items()]
    (HERE / "env.sh").write_text("\n".join(lines) + "\n")
    print(f"project: commit {manifest['commit'][:9]}, in {HERE / 'project'}")
    for requirement in missing:
        print(f"missing: {requirement} (a part with it has not come)")
    for name, state in data.items():
        print(f"{name}: {state}")
    for name in damaged:
        print(f"damaged: {name} has another checksum than it was packed with; send it again")
    print(f"{time.monotonic() - start:.0f} s; now: . {HERE / 'env.sh'}")
    return not damaged


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    try:
        sys.exit(0 if unpack(Path(sys.argv[1]).resolve()) else 1)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
