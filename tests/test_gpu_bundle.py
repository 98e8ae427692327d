"""What travels to a GPU machine without a package index: in parts of a size, checked, unpacked as far as they have come."""

import json
import random
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SHEETS = """import sys
from pathlib import Path

name, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(exist_ok=True)
here = Path(__file__).resolve().parent / "cifar"
(folder / name).write_bytes(b"".join(path.read_bytes() for path in sorted(here.glob(f"{name}_*"))))
"""
"""Stands for `unpack-official`: all sheets of a data set in a row."""


@pytest.fixture
def bundle(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import bundle_parts

    return bundle_parts


def test_files_are_split_evenly_into_few_parts(bundle):
    sheets = {f"cifar100_{number:02}.jxl": 6_280_000 for number in range(14)} | {"names": 228_000, "last": 4_093_071}
    parts = bundle.split(sheets)
    assert sorted(name for part in parts for name in part) == sorted(sheets)
    sizes = [sum(sheets[name] for name in part) for part in parts]
    assert len(parts) == 2
    assert max(sizes) < bundle.LARGEST
    assert max(sizes) - min(sizes) < 6_280_000
    assert bundle.split({}) == []
    # By volume three would do, but nothing can be cut.
    assert len(bundle.split({str(number): 30_000_000 for number in range(5)})) == 5
    with pytest.raises(ValueError, match="large has 60,000,000 bytes, too many for a part of 50,331,648"):
        bundle.split({"large": 60_000_000})


def test_what_is_asked_of_pip_is_what_lta_needs_but_for_what_runs_do_without(bundle):
    asked = bundle.list_requirements((ROOT / "pyproject.toml").read_text())
    names = {line.partition(">")[0].partition("=")[0] for line in asked}
    assert {"torch", "hydra-core", "omegaconf", "pytorch-lightning", "timm", "pytest", "beartype"} < names
    assert not names & {"wandb", "kornia", "gradio", "ruff"}


def test_a_stand_in_is_a_wheel_that_needs_nothing(bundle, tmp_path):
    assert bundle.write_stand_in(tmp_path, "torch==2.11.0") == "torch==2.11.0+machine"
    with zipfile.ZipFile(tmp_path / "torch-2.11.0+machine-py3-none-any.whl") as wheel:
        assert "Requires-Dist" not in wheel.read("torch-2.11.0+machine.dist-info/METADATA").decode()
    with pytest.raises(ValueError, match="torch must be name==version"):
        bundle.write_stand_in(tmp_path, "torch")


def make_wheel(folder, name, tag="py3-none-any", ballast=0):
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as wheel:
        about = f"{name}-1.0.dist-info"
        wheel.writestr(f"{name}.py", "here = True\n")
        wheel.writestr(f"{name}_ballast", random.Random(0).randbytes(ballast))
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.fixture
def packed(bundle, tmp_path, monkeypatch):
    """A small bundle: its parts, each of at most 90 kB."""
    monkeypatch.setattr(bundle, "LARGE", 20_000)
    work, sheets = tmp_path / "work", tmp_path / "sheets"
    for folder in (work / "wheels", sheets / "cifar", tmp_path / "project"):
        folder.mkdir(parents=True)
    make_wheel(work / "wheels", "made_for_a_test")
    make_wheel(work / "wheels", "large_and_compiled", f"cp3{sys.version_info.minor}-none-any", ballast=30_000)
    bundle.write_stand_in(work / "wheels", "torch==2.11.0")
    (work / "requirements.txt").write_text("made-for-a-test\nlarge-and-compiled\n")
    (tmp_path / "project" / "told.py").write_text("told = True\n")
    with tarfile.open(work / "project.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "project" / "told.py", "told.py")
    (sheets / "unpack-official").write_text(SHEETS)
    noise = random.Random(1)
    for name in ("cifar10", "cifar100"):
        for number in range(4):
            (sheets / "cifar" / f"{name}_{number:02}").write_bytes(noise.randbytes(30_000))
    sizes = bundle.pack(tmp_path / "parts", work, "0123456789abc", sheets, largest=90_000)
    assert set(sizes) == {
        "code.tar",
        "wheels.1.tar",
        *(f"{name}.{n}.tar" for name in ("cifar10", "cifar100") for n in (1, 2)),
    }
    assert max(sizes.values()) <= 90_000
    return tmp_path / "parts"


def unpack(there, parts):
    return subprocess.run([sys.executable, there / "unpack.py", parts], capture_output=True, text=True)


def test_parts_are_unpacked_as_they_come(packed, tmp_path):
    sums = dict(reversed(line.split()) for line in (packed / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {path.name for path in packed.glob("*.tar")}
    there, came = tmp_path / "there", tmp_path / "came"
    came.mkdir()
    with tarfile.open(packed / "code.tar") as archive:
        archive.extractall(there, filter="data")
        assert not [name for name in archive.getnames() if "torch" in name]

    (came / "cifar10.1.tar").write_bytes((packed / "cifar10.1.tar").read_bytes())
    (came / "cifar10.2.tar").write_bytes((packed / "cifar10.2.tar").read_bytes()[:-1])
    ended = unpack(there, came)
    assert ended.returncode == 1
    assert "damaged: cifar10.2.tar has another checksum than it was packed with; send it again" in ended.stdout
    assert "cifar10: waits for cifar10.2.tar" in ended.stdout
    assert "missing: large-and-compiled (a part with it has not come)" in ended.stdout
    assert "missing: made" not in ended.stdout

    for name in ("cifar10.2.tar", "wheels.1.tar"):
        (came / name).write_bytes((packed / name).read_bytes())
    ended = unpack(there, came)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"cifar10: in {there}/data" in ended.stdout
    assert "cifar100: waits for cifar100.1.tar, cifar100.2.tar" in ended.stdout
    assert "missing" not in ended.stdout
    whole = b"".join(path.read_bytes() for path in sorted((tmp_path / "sheets" / "cifar").glob("cifar10_*")))
    assert (there / "data" / "cifar10").read_bytes() == whole
    program = f". {there}/env.sh && python -c 'import made_for_a_test, large_and_compiled, told, pytest; print(told.told)'"
    ended = subprocess.run(program + ' && echo "$LTA_DATA_ROOT" && pwd', shell=True, capture_output=True, text=True)
    assert ended.stdout.split() == ["True", f"{there}/data", f"{there}/project"], ended.stderr

    (there / "requirements.txt").write_text("other\n")
    ended = unpack(there, came)
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"error: {there}/requirements.txt is damaged or missing: unpack code.tar again"


def test_nothing_is_unpacked_where_parts_arrive(packed):
    with tarfile.open(packed / "code.tar") as archive:
        archive.extractall(packed / "here", filter="data")
    ended = unpack(packed / "here", packed)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {packed}/here lies in {packed}, where parts arrive")
    assert not (packed / "here" / "venv").exists()


def test_what_is_missing_to_pack_is_named(bundle, packed, tmp_path):
    (tmp_path / "sheets" / "unpack-official").unlink()
    with pytest.raises(ValueError, match=r"sheets must hold unpack-official and cifar/cifar10_\*"):
        bundle.pack(tmp_path / "other", tmp_path / "work", "0", tmp_path / "sheets")
    with pytest.raises(FileExistsError):
        bundle.pack(packed, tmp_path / "work", "0", None)
    manifest = json.loads((tmp_path / "work" / "MANIFEST.json").read_text())
    assert manifest["data"] == ["cifar10", "cifar100"]


def test_the_script_says_how_it_is_called():
    ended = subprocess.run([ROOT / "benchmarks" / "gpu_bundle.sh"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "benchmarks/gpu_bundle.sh OUT [SHEETS]" in ended.stderr
    assert "set -euo" not in ended.stderr
