"""A bundle as one file: packed so that equal bundles are equal files, and unpacked without trusting a byte of it."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.printing import visible
from codesign.core.reading.plain import open_given
from codesign.core.reading.zip import opened_zip
from codesign.handoff.check import MOST_BYTES, MOST_FILES, inside

__all__ = ("open_bundle", "pack")

_CHUNK = 1 << 20


def pack(folder: Path, archive: Path, name: str) -> None:
    """Pack a folder under ``name/``: sorted, with one fixed date, so that equal bundles are equal files."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


@contextmanager
def open_bundle(bundle: Path, most: int = MOST_BYTES) -> Iterator[Path]:
    """Give a bundle's folder: ``bundle`` itself, or what a ``.zip`` holds, unpacked for as long as it is needed.

    InputError names what is wrong with an archive: no zip, damaged, a path that leaves the folder, a link, several top
    folders, too many entries, or more than ``most`` bytes in all -- also where its own table of contents claims fewer.
    """
    bundle = Path(bundle)
    if bundle.is_dir():
        yield bundle
        return
    if not bundle.is_file():
        raise InputError(f"{bundle}: there is no bundle: give its folder or its .zip, as 'codesign handoff' writes it")
    if not zipfile.is_zipfile(bundle):
        raise InputError(f"{bundle} is neither a bundle's folder nor a .zip archive")
    folder = Path(tempfile.mkdtemp(prefix="codesign-bundle-"))
    try:
        yield _unpack(bundle, folder, most)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(archive: Path, folder: Path, most: int) -> Path:
    with open_given(archive) as stream, opened_zip(stream, str(archive), most=most, entries=MOST_FILES) as packed:
        entries = packed.infolist()
        tops = {e.filename.split("/")[0] for e in entries}
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(
                    f"{archive}: {visible(entry.filename)}: is a link or a device, and a bundle holds files only"
                )
            if not inside(entry.filename.rstrip("/")):
                raise InputError(f"{archive}: {visible(entry.filename)}: leads out of the bundle")
        if len(tops) != 1:
            raise InputError(f"{archive}: expected one folder at the top, found {len(tops)}")
        left = most
        for entry in entries:
            if not entry.is_dir():
                left -= _write(packed, entry, folder / entry.filename, left, archive)
    return folder / tops.pop()


def _write(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int, archive: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with packed.open(entry) as source, path.open("xb") as sink:
        while piece := source.read(_CHUNK):
            size += len(piece)
            if size > min(left, entry.file_size):
                raise InputError(f"{archive}: {visible(entry.filename)}: inflates to more than it says: refused")
            sink.write(piece)
    return size
