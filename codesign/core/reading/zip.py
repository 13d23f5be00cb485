"""Zip archives in bounds: their table of contents is measured before it is read, and so is what they inflate to."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from codesign.core.errors import InputError
from codesign.core.reading.limits import ENTRIES, PACKED_BYTES

__all__ = ("opened_zip", "zip_entry", "zip_files")

#: of an entry in the table of contents: its fixed part, and a long name
_ENTRY_BYTES = 46 + 512
_END = b"PK\x05\x06"
_FAR_END = b"PK\x06\x07"
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    zlib.error,
    OSError,
    ValueError,
    struct.error,
)


@contextmanager
def opened_zip(
    stream: BinaryIO, source: str, *, most: int = PACKED_BYTES, entries: int = ENTRIES
) -> Iterator[zipfile.ZipFile]:
    """Open an archive of at most so many entries, which say that they inflate to at most ``most`` bytes in all.

    InputError: no zip, damaged, more of either, a name twice, encrypted. ``ZipFile.read`` then gives no more than an
    entry says; reading it in pieces, count (:func:`zip_entry`).
    """
    try:
        if _contents_bytes(stream) > entries * _ENTRY_BYTES:
            raise InputError(f"{source}: a zip with more than {entries} files: refused")
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            found = archive.infolist()
            if len(found) > entries:
                raise InputError(f"{source}: a zip of {len(found)} files, at most {entries} are read")
            if sum(e.file_size for e in found) > most:
                raise InputError(f"{source}: inflates to more than {most >> 20} MiB: refused")
            if len({e.filename for e in found}) != len(found):
                raise InputError(f"{source}: a zip that holds one name twice: refused")
            if any(e.flag_bits & 1 for e in found):
                raise InputError(f"{source}: an encrypted zip: give it without a password")
            yield archive
    except _DAMAGE as error:
        raise InputError(f"{source}: cannot be unpacked, no whole zip ({' '.join(str(error).split())[:200]})") from None


def zip_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: str) -> bytes:
    """The content of an entry; InputError where it inflates to another size than it says."""
    with archive.open(entry) as packed:
        content = packed.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise InputError(f"{source}: '{entry.filename}' inflates to another size than it says: refused")
    return content


def zip_files(content: bytes | Path, source: str, *, most: int = PACKED_BYTES) -> dict[str, bytes]:
    """The files of a zip by name; names are as they stand, and may lead out of a folder."""
    with (
        content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream,
        opened_zip(stream, source, most=most) as archive,
    ):
        return {entry.filename: zip_entry(archive, entry, source) for entry in archive.infolist()}


def _contents_bytes(stream: BinaryIO) -> int:
    """Bytes of the table of contents, as the archive's last record says: reading it takes time for each entry."""
    size = stream.seek(0, os.SEEK_END)
    length = min(size, 22 + (1 << 16) + 20)
    stream.seek(size - length)
    tail = stream.read(length)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no table of contents: truncated?")
    table = int(struct.unpack("<L", tail[at + 12 : at + 16])[0])
    if at >= 20 and tail[at - 20 : at - 16] == _FAR_END:  # of an archive above 2 GiB
        (where,) = struct.unpack("<Q", tail[at - 12 : at - 4])
        stream.seek(min(where, size))
        far = stream.read(56)
        table = struct.unpack("<Q", far[40:48])[0] if len(far) == 56 else table
    return int(table)
