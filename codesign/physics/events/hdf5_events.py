"""Data sets of an HDF5 file whose first axis is the event, read in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError
from codesign.core.reading.hdf5 import checked_datasets
from codesign.physics.events.container import ChunkSize, Native, limit_inflation

__all__ = ("Datasets",)


class Datasets:
    """The data sets of a file."""

    kind = "HDF5"

    def __init__(self, path: Path) -> None:
        import h5py

        self._path = path
        self._file = h5py.File(path, "r")
        try:
            sets = checked_datasets(path, self._file)
        except BaseException:
            self._file.close()
            raise
        self._sets = {name: data for name, data in sets.items() if data.ndim}
        self.natives: Mapping[str, Native] = {
            name: Native(False, "" if data.dtype.kind in "fiu" else f"holds {data.dtype}, not numbers")
            for name, data in self._sets.items()
        }
        particles = self._sets.get("Particles")
        self.entries: int | None = None if particles is None else int(particles.shape[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk."""
        import awkward as ak

        sets = {name: self._sets[name] for name in names}
        events = {len(data) for data in sets.values()}
        if len(events) != 1:
            raise InputError(f"{self._path}: the data sets {', '.join(names)} have different lengths")
        for name, data in sets.items():
            if data.chunks is not None:  # what HDF5 inflates at once
                limit_inflation(self._path, name, "a chunk", math.prod(data.chunks) * data.dtype.itemsize)
            row = math.prod(data.shape[1:]) * data.dtype.itemsize
            limit_inflation(self._path, name, "an event", row)
        step = size.step(float(sum(math.prod(d.shape[1:]) * d.dtype.itemsize for d in sets.values())))
        for start in range(0, max(events.pop(), 1), step):
            yield start, {name: ak.from_numpy(np.asarray(d[start : start + step])) for name, d in sets.items()}
