"""Official files: where they are looked for, and how they are downloaded, checked and unpacked.

A data set is looked for in `root` and in `root/<name>`. What is downloaded or unpacked appears under its name only once
it is complete and has the official checksum. What is found there and has another is refused: nothing takes its place.
"""

import logging
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from torchvision.datasets.utils import check_integrity, download_url

from lta.data.errors import DataError

log = logging.getLogger(__name__)

TIMEOUT = 20
"""Seconds a download waits for an answer; urllib alone would wait for ever behind a firewall."""


class OfficialFile(NamedTuple):
    """A file as its authors publish it, with its MD5 in hexadecimal."""

    name: str
    url: str
    md5: str


class Packed(NamedTuple):
    """A data set that comes as one archive, which unpacks into one folder."""

    name: str
    archive: OfficialFile
    folder: str
    members: frozenset[str] | None = None
    """The files of `folder` that are unpacked; None for all."""


def data_root(root: str | None) -> Path:
    """`root`, or $LTA_DATA_ROOT, or `data` below the current directory."""
    return Path(root or os.environ.get("LTA_DATA_ROOT") or "data").expanduser().absolute()


def find_path(root: Path, name: str, wanted: str) -> Path | None:
    """Where `wanted` lies in `root`, or else in `root/name`."""
    return next((place / wanted for place in (root, root / name) if (place / wanted).exists()), None)


def find_packed(packed: Packed, root: Path) -> tuple[str, Path] | None:
    """What is there, "folder" or (only where that is not) "archive", and the place that holds it."""
    for kind, wanted in (("folder", packed.folder), ("archive", packed.archive.name)):
        if found := find_path(root, packed.name, wanted):
            return kind, found.parent
    return None


def provide(packed: Packed, root: Path, may_download: bool) -> None:
    """For one process a node: downloads what is not there and unpacks the archive. Raises DataError if it can't."""
    if find_packed(packed, root) is None and may_download:
        download_file(packed.archive, root, _describe_missing(packed, root), TIMEOUT)
    kind, place = find_packed(packed, root) or _refuse(packed, root, may_download)
    if kind == "archive":
        log.info("checking and unpacking %s", place / packed.archive.name)
        unpack(packed, place)


@contextmanager
def open_unpacked(packed: Packed, root: Path, may_download: bool) -> Iterator[Path]:
    """The unpacked folder; where there is only the archive (`provide` could not write beside it), for as long as needed.

    Nothing is downloaded. `may_download` is for the message of the DataError where nothing is there.
    """
    kind, place = find_packed(packed, root) or _refuse(packed, root, may_download)
    if kind == "folder":
        yield place / packed.folder
        return
    with tempfile.TemporaryDirectory(prefix="lta-") as folder:
        extract(packed, place, Path(folder))
        yield Path(folder) / packed.folder


def _describe_missing(packed: Packed, root: Path) -> str:
    return f"no {packed.name} below {root} (neither {packed.folder}/ nor {packed.archive.name}, nor in {packed.name}/)"


def _refuse(packed: Packed, root: Path, may_download: bool) -> NoReturn:
    why = "" if may_download else ", and data.download=false"
    raise DataError(f"{_describe_missing(packed, root)}{why}; {suggest_placing_files(root, packed.archive)}")


def suggest_placing_files(folder: Path, *files: OfficialFile) -> str:
    """The end of an error message: where to download the files from, and where to put them."""
    put = " and ".join(f"{file.url} at {folder / file.name}" for file in files)
    return f"put {put}, or give data.root= or LTA_DATA_ROOT the folder {'it is' if len(files) == 1 else 'they are'} in"


def download_file(file: OfficialFile, folder: Path, missing: str, timeout: float) -> None:
    """The checked `file` into `folder`. Raises DataError, which begins with `missing`, and then leaves nothing."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    log.info("%s: downloading %s", missing, file.url)
    before = socket.getdefaulttimeout()
    try:
        with _make_scratch(folder) as scratch:
            socket.setdefaulttimeout(timeout)  # torchvision's download takes none
            download_url(file.url, scratch, file.name, file.md5)
            (scratch / file.name).replace(folder / file.name)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the checksum
        for place in made:
            with suppress(OSError):
                place.rmdir()
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise DataError(
            f"{missing}, and the download failed ({type(error).__name__}: {reason}); {suggest_placing_files(folder, file)}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def unpack(packed: Packed, place: Path) -> None:
    """The folder out of the archive beside it. A place that can't be written is left as it is, with a line."""
    try:
        with _make_scratch(place) as scratch:
            extract(packed, place, scratch)
            (scratch / packed.folder).replace(place / packed.folder)
    except OSError as error:
        if not (place / packed.folder).exists():  # else another process was quicker
            log.warning(
                "%s can't be unpacked there (%s), so it is unpacked at every start", place / packed.archive.name, error
            )


def extract(packed: Packed, place: Path, folder: Path) -> None:
    """Into `folder`, in one pass over the archive in `place`. Raises DataError where its checksum is not the official."""
    archive = place / packed.archive.name
    check_file(archive, packed.archive, "archive")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, members=_select_members(tar, packed), filter="data")


def _select_members(tar: tarfile.TarFile, packed: Packed) -> Iterator[tarfile.TarInfo]:
    if packed.members is None:
        yield from tar
        return
    left = {f"{packed.folder}/{name}" for name in packed.members}
    for member in tar:
        if (name := str(PurePosixPath(member.name))) in left:
            yield member
            left.remove(name)
            if not left:  # what comes after is not even decompressed
                return


def check_file(path: Path, file: OfficialFile, what: str) -> None:
    """Raises DataError where `path`, which is a `what` ("archive", "file"), does not have the official checksum."""
    if not _is_intact(path, file.md5):
        raise DataError(
            f"{path} is damaged or not the official {what} (its MD5 is not {file.md5}); "
            f"delete it to have it downloaded again, or replace it by {file.url}"
        )


def check_members(folder: Path, sums: Mapping[str, str | None]) -> None:
    """`sums`: MD5 by name, None where any will do. Raises DataError for the first that is missing or has another."""
    for name, md5 in sums.items():
        if not _is_intact(folder / name, md5):
            problem = "does not have the official checksum" if (folder / name).is_file() else "is missing"
            raise DataError(f"{folder / name} {problem}; {suggest_fix(folder)}")


def suggest_fix(folder: Path) -> str:
    """What helps where an unpacked folder is not as it should be."""
    return f"delete {folder} to have it unpacked or downloaded again"


def _is_intact(file: Path, md5: str | None) -> bool:
    with suppress(OSError):
        return check_integrity(file, md5)
    return False


@contextmanager
def _make_scratch(root: Path) -> Iterator[Path]:
    """A hidden folder in `root` (same file system, so that a finished thing can be renamed), removed at the end."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".part-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
