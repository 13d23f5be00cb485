"""NumPy arrays in bounds: a header is believed only where the bytes that it announces are there. Never unpickled."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.reading.limits import ARRAY_BYTES, PACKED_BYTES
from codesign.core.reading.plain import open_given, opened_member
from codesign.core.reading.zip import opened_zip

__all__ = ("arrays_of", "member_arrays", "npy_array", "npz_arrays")

#: numbers and text: whatever else a header can name is refused
_KINDS = "biufcUSM?m"
_LONGEST_HEADER = 10_000


def npz_arrays(path: Path, names: Iterable[str] | None = None, most: int = ARRAY_BYTES) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` that the user named, or that we wrote, by name.

    ``names``: of those that are wanted, which are there; None for all. InputError: not a whole archive of arrays,
    one of objects, one that announces more than it holds, more than ``most`` bytes.
    """
    with open_given(path) as stream:
        return arrays_of(stream, str(path), names, most)


def member_arrays(
    folder: Path, name: str, names: Iterable[str] | None = None, most: int = ARRAY_BYTES
) -> dict[str, NDArray[Any]]:
    """The same of a plain file of a folder, following no link."""
    with opened_member(folder, name) as stream:
        return arrays_of(stream, str(Path(folder) / name), names, most)


def arrays_of(
    stream: BinaryIO,
    source: str,
    names: Iterable[str] | None = None,
    most: int = PACKED_BYTES,
    *,
    records: bool = False,
    other: tuple[str, ...] = (),
) -> dict[str, NDArray[Any]]:
    """The same of an open stream, ``source`` being named in errors. ``records``: arrays of rows of numbers, too;
    ``other``: entries that are no arrays, and left out."""
    wanted = None if names is None else set(names)
    found = {}
    with opened_zip(stream, source, most=most) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if entry.filename not in other and (wanted is None or name in wanted):
                with archive.open(entry) as packed:
                    found[name] = _array(packed, entry.file_size, f"{source}: array '{name}'", records)
    return found


def npy_array(path: Path, most: int = PACKED_BYTES) -> NDArray[Any]:
    """The array of an ``.npy`` file; InputError as above."""
    with open_given(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            raise InputError(f"{path}: has {size} bytes, at most {most} are read")
        return _array(stream, size, str(path))


def _is_record(kind: np.dtype[Any]) -> bool:
    """Whether it is a row of numbers, each with its name."""
    columns = [column[0] for column in (kind.fields or {}).values()]
    return bool(columns) and all(c.kind in "biuf" and c.subdtype is None for c in columns)


def _array(stream: Any, size: int, source: str, records: bool = False) -> NDArray[Any]:
    try:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):  # the third is for names of fields, which no array here has
            raise InputError(f"{source}: an array of version {version}, and 1.0 and 2.0 are read")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, turned, kind = header(stream, max_header_size=_LONGEST_HEADER)
    except InputError:
        raise
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # NumPy evaluates the header as a literal: its errors are of many types
        raise InputError(f"{source}: not a NumPy array ({' '.join(str(error).split())[:120]})") from None
    known = kind.kind in _KINDS or (records and _is_record(kind))
    if kind.hasobject or not known or kind.subdtype is not None:
        what = "pickled objects" if kind.hasobject else str(kind)
        raise InputError(f"{source}: holds {what}, and only numbers and text are read")
    elements = math.prod(shape)
    announced = elements * kind.itemsize
    here = size - int(stream.tell())
    if min(shape, default=0) < 0 or announced != here:
        raise InputError(f"{source}: announces {shape} of {kind}, {announced} bytes, and holds {here}")
    content = bytearray(announced)
    view, filled = memoryview(content), 0
    while filled < announced:
        piece = stream.read(min(announced - filled, 1 << 24))
        if not piece:
            raise InputError(f"{source}: is truncated at {filled} of {announced} bytes")
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
    if stream.read(1):  # an archive's entry checks its checksum at its end
        raise InputError(f"{source}: holds more than it announces")
    array = np.frombuffer(content, dtype=kind) if announced else np.zeros(elements, dtype=kind)
    return array.reshape(shape[::-1]).T if turned else array.reshape(shape)
