"""Events for an imported model: a table with a column for each input, or arrays, with labels where they have any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.fixedpoint import Port
from codesign.core.layout import Layout
from codesign.core.reading.detection import head_of, kind_of
from codesign.core.reading.npz import npz_arrays
from codesign.data.input_tables import columns_of, table_chunks

__all__ = ("LabelledEvents", "read_events_of")

_LABEL = "label"
_MOST_CLASSES = 1000
_ROWS = 100_000


@dataclass(frozen=True)
class LabelledEvents:
    """``x`` (events, inputs) in physical units; ``labels`` (events,) from 0, None where there are none."""

    name: str
    sha256: str
    x: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]


def read_events_of(path: Path, port: Port) -> LabelledEvents:
    """Read the events of a design's inputs: Parquet or ROOT with a column for each (and ``label``); or ``.npz`` with
    ``x`` or ``features`` (events, inputs) and ``y`` or ``labels``. InputError says what is missing."""
    with Path(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if kind_of(head_of(path)) == "NPZ":
        x, labels = _of_arrays(path, port)
    else:
        columns = columns_of(path)
        if not columns:
            raise InputError(f"{path}: no table of events: Parquet or ROOT with a column for each input, or .npz")
        names = [*port.labels, *([_LABEL] if _LABEL in columns and _LABEL not in port.labels else [])]
        row = Layout(name="features", shape=(len(names),), fields=tuple(names))
        rows = np.concatenate([piece.features for piece in table_chunks(path, [row], _ROWS)]).astype(np.float64)
        x, labels = rows[:, : port.size], rows[:, port.size] if len(names) > port.size else None
    if not len(x):
        raise InputError(f"{path}: holds no events")
    whole = None
    classes: tuple[str, ...] = ()
    if labels is not None:
        whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels) or whole.min() < 0 or whole.max() >= _MOST_CLASSES:
            raise InputError(f"{path}: the labels are no whole numbers from 0 to {_MOST_CLASSES - 1}")
        classes = tuple(map(str, range(int(whole.max()) + 1)))
    return LabelledEvents(Path(path).name, digest, x, whole, classes)


def _of_arrays(path: Path, port: Port) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    arrays = npz_arrays(path, ("x", "features", "y", "labels"))
    found = arrays.get("x", arrays.get("features"))
    if found is None:
        raise InputError(f"{path}: has neither an array 'x' nor 'features', (events, {port.size})")
    if not found.size:
        raise InputError(f"{path}: holds no events")
    flat = found.reshape(len(found), -1) if found.ndim > 1 else found
    if flat.ndim != 2 or flat.shape[1] != port.size or flat.dtype.kind not in "fiub":
        raise InputError(f"{path}: events of shape {found.shape} and type {found.dtype}, not (events, {port.size})")
    x = flat.astype(np.float64)
    if not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        raise InputError(f"{path}: row {row}: a value is not a finite number")
    labels = arrays.get("y", arrays.get("labels"))
    if labels is not None:
        if labels.ndim == 2 and labels.shape[1] > 1:  # one-hot
            labels = labels.argmax(axis=1)
        labels = labels.reshape(-1)
        if labels.dtype.kind not in "fiub" or len(labels) != len(x):
            raise InputError(f"{path}: {len(labels)} labels of type {labels.dtype} for {len(x)} events")
        labels = labels.astype(np.float64)
    return x, labels
