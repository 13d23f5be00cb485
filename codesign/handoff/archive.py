"""A bundle as one file: packed so that equal bundles are equal files, and unpacked without trusting a byte of it."""

from __future__ import annotations

import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codesign.errors import InputError
from codesign.handoff.check import MOST_BYTES, MOST_FILES, inside, shown

__all__ = ("opened", "pack")

_CHUNK = 1 << 20
#: the record at an archive's end (PKWARE's APPNOTE 4.3.16): its signature, its size, and the longest comment behind it
_END, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65535
#: of the record that only archives beyond 65,535 entries or 4 GiB need, and its size
_END_64, _END_64_SIZE = b"PK\x06\x07", 20
#: bytes of a table of contents, for each entry that is allowed
_ENTRY = 256


def pack(folder: Path, archive: Path, name: str) -> None:
    """Pack a folder under ``name/``: sorted, with one fixed date, so that equal bundles are equal files."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


@contextmanager
def opened(bundle: Path, most: int = MOST_BYTES) -> Iterator[Path]:
    """Give a bundle's folder: ``bundle`` itself, or what a ``.zip`` holds, unpacked for as long as it is needed.

    InputError names what is wrong with an archive: no zip, damaged, a path that leaves the folder, a link, several top
    folders, too many entries, or more than ``most`` bytes in all -- also where its own table of contents claims fewer.
    """
    bundle = Path(bundle)
    if bundle.is_dir():
        yield bundle
        return
    if not bundle.is_file():
        raise InputError(f"{bundle} does not exist")
    if not zipfile.is_zipfile(bundle):
        raise InputError(f"{bundle} is neither a bundle's folder nor a .zip archive")
    folder = Path(tempfile.mkdtemp(prefix="codesign-bundle-"))
    try:
        yield _unpacked(bundle, folder, most)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpacked(archive: Path, folder: Path, most: int) -> Path:
    try:
        if not _short_table(archive):
            raise InputError(f"{archive}: holds more than {MOST_FILES:,} entries: refused")
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) > MOST_FILES:
                raise InputError(f"{archive}: holds more than {MOST_FILES:,} entries: refused")
            tops = {e.filename.split("/")[0] for e in entries}
            for entry in entries:
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise InputError(
                        f"{archive}: {shown(entry.filename)}: is a link or a device, and a bundle holds files only"
                    )
                if not inside(entry.filename.rstrip("/")):
                    raise InputError(f"{archive}: {shown(entry.filename)}: leads out of the bundle")
            if len(tops) != 1:
                raise InputError(f"{archive}: expected one folder at the top, found {len(tops)}")
            if sum(e.file_size for e in entries) > most:
                raise InputError(f"{archive}: unpacks to more than {most >> 20} MiB: refused")
            left = most
            for entry in entries:
                if not entry.is_dir():
                    left -= _write(packed, entry, folder / entry.filename, left, archive)
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({shown(str(error))})") from None
    return folder / tops.pop()


def _short_table(archive: Path) -> bool:
    """Whether an archive's table of contents is short enough to be read at all: what is said at its end, where
    :mod:`zipfile` looks first. It reads as many bytes as are said there, whatever the number of entries."""
    size = archive.stat().st_size
    with archive.open("rb") as stream:
        start = max(0, size - _END_SIZE - _LONGEST_COMMENT - _END_64_SIZE)
        stream.seek(start)
        tail = stream.read()
    end = len(tail) - _END_SIZE
    if not (tail[end:].startswith(_END) and tail.endswith(b"\0\0")):
        end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_SIZE:
        return True  # no archive: zipfile says so
    entries, table = struct.unpack_from("<HI", tail, end + 10)
    large = tail[max(0, end - _END_64_SIZE) : end].startswith(_END_64)
    return not large and entries <= MOST_FILES and table <= MOST_FILES * _ENTRY


def _write(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int, archive: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with packed.open(entry) as source, path.open("xb") as sink:
        while piece := source.read(_CHUNK):
            size += len(piece)
            if size > min(left, entry.file_size):
                raise InputError(f"{archive}: {shown(entry.filename)}: inflates to more than it says: refused")
            sink.write(piece)
    return size
