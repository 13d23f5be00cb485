"""Arrays too large for memory: in a file without a name, of which the system keeps what is in use."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ("LARGE", "chunks", "every", "forget", "mapped", "taken")

#: bytes from which on an array is better kept in a file
LARGE = 256 << 20
_CHUNK = 32 << 20

N = TypeVar("N", bound=np.generic)


def mapped(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros, in memory, or where it is large in a file that goes when it goes."""
    if prod(shape) * np.dtype(dtype).itemsize < LARGE:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(prefix="codesign-") as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def chunks(array: NDArray[Any]) -> Iterator[slice]:
    """Slices of an array's first axis, of some megabytes each; of a mapped one, the last slice is forgotten again."""
    row = max(1, array.nbytes // max(1, len(array)))
    step = max(1, _CHUNK // row)
    for begin in range(0, len(array), step):
        yield slice(begin, min(begin + step, len(array)))
        forget(array)


def forget(array: NDArray[Any]) -> None:
    """Let the system take the memory of a mapped array back; what is in it stays in its file."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode == "c":
            return  # what was written into it is nowhere else
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def every(array: NDArray[N], step: int) -> NDArray[N]:
    """``array[::step]`` in memory, of a mapped one without keeping what lies between: a page that is read brings its
    neighbours along."""
    if step < 2:
        return array
    found = np.empty((-(-len(array) // step), *array.shape[1:]), array.dtype)
    rows = max(1, _CHUNK // max(1, step * found[:1].nbytes))
    for begin in range(0, len(found), rows):
        found[begin : begin + rows] = array[begin * step : (begin + rows) * step : step]
        forget(array)
    return found


def taken(array: NDArray[N], index: NDArray[np.intp]) -> NDArray[N]:
    """``array[index]``, in a file where it is large and in order, so that little of either is in memory at a time."""
    if not isinstance(array, np.memmap):
        return np.asarray(array[index])
    found = mapped((len(index), *array.shape[1:]), array.dtype)
    for part in chunks(found):
        found[part] = array[index[part]]
        forget(array)
    return found
