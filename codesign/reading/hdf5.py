"""HDF5 files whose data lie in them: no link, no raw data beside the file, no virtual ones, no plug-in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codesign.errors import InputError
from codesign.reading.limits import ARRAY_BYTES, ENTRIES, RATIO
from codesign.reading.plain import opened_given

__all__ = ("checked_datasets", "opened_hdf5")

#: filters that h5py brings along; any other is a plug-in, which HDF5 would load from wherever the environment says
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
#: read although nothing is stored: fill values
_UNSTORED = 1 << 20


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Mapping[str, Any]]:
    """Open a file that the user named; gives its data sets by name, those of :func:`checked_datasets`."""
    import h5py

    with opened_given(path):  # a plain file
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
            found[name] = _checked(path, name, file[name])
    return found


def _checked(path: Path, name: str, data: Any) -> Any:
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
