"""HDF5 files whose data lie in them: no link, no raw data beside the file, no virtual ones, no plug-in."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from codesign.core.errors import InputError
from codesign.core.reading.limits import ARRAY_BYTES, ENTRIES, RATIO
from codesign.core.reading.plain import open_given

__all__ = ("checked_datasets", "opened_hdf5", "texts_of")

#: filters that h5py brings along; any other is a plug-in, which HDF5 would load from wherever the environment says
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
#: read although nothing is stored: fill values
_UNSTORED = 1 << 20
#: where a text of variable length lies: its length, the address of a heap, and its number there
_REFERENCE = struct.Struct("<IQI")
#: of a heap: signature, version, bytes; of an object in it: number (0: free space), references, bytes
_HEAP, _OBJECT = struct.Struct("<4sB3xQ"), struct.Struct("<HH4xQ")


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Mapping[str, Any]]:
    """Open a file that the user named; gives its data sets by name, those of :func:`checked_datasets`."""
    import h5py

    with open_given(path):  # a plain file
        pass
    with h5py.File(path, "r") as file:
        yield checked_datasets(path, file)


def checked_datasets(path: Path, file: Any) -> dict[str, Any]:
    """The data sets at the top of an open file, by name.

    InputError names the first that is a link, lies outside of the file, is put together from other files, needs a
    plug-in, or announces more than the file can hold. Nothing is read before.
    """
    import h5py

    if len(file) > ENTRIES:
        raise InputError(f"{path}: {len(file)} objects, at most {ENTRIES} are read")
    found = {}
    for name in file:
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise InputError(f"{path}: '{name}' is {kind}, and links are not followed: store the data set itself")
        if file.get(name, getclass=True) is h5py.Dataset:
            found[name] = _check(path, name, file[name])
    return found


def _check(path: Path, name: str, data: Any) -> Any:
    plist = data.id.get_create_plist()
    if plist.get_external_count():
        raise InputError(
            f"{path}: '{name}' keeps its data in another file, which is not opened: store them in this one"
        )
    if data.is_virtual:
        raise InputError(
            f"{path}: '{name}' is put together from other files, which are not opened: store it as a whole"
        )
    for place in range(plist.get_nfilters()):
        number = int(plist.get_filter(place)[0])
        if number not in _FILTERS:
            raise InputError(
                f"{path}: '{name}' is stored with filter {number}, which is a plug-in, and none is loaded: "
                "store it with gzip or lzf"
            )
    size = math.prod(data.shape or ()) * int(data.dtype.itemsize)
    here = min(int(data.id.get_storage_size()), os.stat(path).st_size)
    if size > ARRAY_BYTES or size > RATIO * here + _UNSTORED:
        raise InputError(f"{path}: '{name}' announces {size} bytes, and the file holds {here} of it: refused")
    return data


def texts_of(path: Path, name: str, data: Any) -> list[str]:
    """The texts of a data set of an open file, read at once.

    InputError where they are of variable length and lie in a damaged heap, in which HDF5 would search for ever.
    """
    if data.dtype.kind == "O":
        _check_heaps(path, name, data)
    return [text.decode() if isinstance(text, bytes) else str(text) for text in np.asarray(data).reshape(-1).tolist()]


def _check_heaps(path: Path, name: str, data: Any) -> None:
    offset, count = data.id.get_offset(), math.prod(data.shape or ())
    whole = offset is not None and data.id.get_storage_size() == count * _REFERENCE.size
    if not whole or data.file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: '{name}' holds texts of variable length, in pieces: store them with a fixed length")
    with path.open("rb") as stream:
        stream.seek(offset)
        raw = stream.read(count * _REFERENCE.size)
        addresses = {address for _, address, _ in _REFERENCE.iter_unpack(raw[: len(raw) // 16 * 16]) if address}
        if not all(_is_heap(stream, data.file.userblock_size + address) for address in addresses):
            raise InputError(f"{path}: the texts of '{name}' are damaged: write the file anew")


def _is_heap(stream: BinaryIO, start: int) -> bool:
    """Whether the objects of a heap follow each other up to its end."""
    if start > os.fstat(stream.fileno()).st_size:
        return False
    stream.seek(start)
    head = stream.read(_HEAP.size)
    if len(head) < _HEAP.size:
        return False
    signature, version, size = _HEAP.unpack(head)
    if (signature, version) != (b"GCOL", 1) or start + size > os.fstat(stream.fileno()).st_size:
        return False
    content, at = stream.read(max(0, size - _HEAP.size)), 0
    while at + _OBJECT.size <= len(content):
        number, _, length = _OBJECT.unpack_from(content, at)
        step = length if number == 0 else _OBJECT.size + -(-length // 8) * 8
        if not _OBJECT.size <= step <= len(content) - at:
            return False
        at += step
    return True
