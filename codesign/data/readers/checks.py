"""What every reader checks: columns, types, units, classes. Errors name the file, the column and the row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, nearest
from codesign.core.layout import BlockValues
from codesign.data.sample import Sample
from codesign.physics.events.event_record import IMPLAUSIBLE_GEV
from codesign.physics.substructure import CONSTITUENTS, FEATURE_NAMES, FEATURE_UNITS, constituents_block

__all__ = (
    "CLASS_NAMES",
    "build",
    "check_constituents",
    "class_names_of",
    "digest",
    "labels_of",
    "matrix",
    "one_hot",
    "require",
)

#: The classes of the published sample, in the order of the labels.
CLASS_NAMES: tuple[str, ...] = ("g", "q", "w", "z", "t")

#: A median groomed mass below this, in jets that do have structure, is TeV.
_IMPLAUSIBLE_LOW_GEV = 0.5


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require(path: Path, wanted: Iterable[str], present: Iterable[str], what: str = "column") -> None:
    """Check that all names are there; InputError names the first that is missing, and the nearest present one."""
    present = list(present)
    for name in wanted:
        if name not in present:
            raise InputError(f"{path}: {what} '{name}' is missing{nearest(name, present)}")


def matrix(path: Path, columns: Mapping[str, Any], names: Iterable[str] = FEATURE_NAMES) -> NDArray[np.float32]:
    """Stack columns to (rows, columns) float32; InputError for one that is not numeric or not finite."""
    stacked = []
    for name in names:
        values = np.asarray(columns[name])
        if values.dtype.kind not in "fiu" or values.ndim != 1:
            raise InputError(f"{path}: column '{name}' holds {values.dtype} of {values.ndim} dimensions, not numbers")
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        if not np.isfinite(single).all():
            row = int(np.argmin(np.isfinite(single)))
            raise InputError(f"{path}: column '{name}', row {row}: {values[row]} is not a finite number")
        stacked.append(single)
    if len({len(c) for c in stacked}) != 1:
        raise InputError(f"{path}: the columns have different lengths")
    return np.stack(stacked, axis=1)


def one_hot(path: Path, columns: Mapping[str, Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Turn one column per class, 0 or 1, into labels; InputError for a row that is not in exactly one class."""
    values = matrix(path, columns, names)
    bad = ~np.isin(values, (0, 1)).all(axis=1) | (values.sum(axis=1) != 1)
    if bad.any():
        raise InputError(f"{path}: columns {', '.join(names)}, row {int(np.argmax(bad))}: not in exactly one class")
    labels: NDArray[np.int64] = values.argmax(axis=1).astype(np.int64)
    return labels


def class_names_of(path: Path, found: Any, declared: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Names of the classes, in the order of their numbers: the file's (``found``) or the study's (``declared``).

    None where neither says any. InputError where the file's are not names, or are others than the study's.
    """
    if found is None:
        return declared
    names = tuple(found) if isinstance(found, list | tuple) else ()
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise InputError(f"{path}: its 'class_names' are not a list of different names: {str(found)[:60]}")
    if declared is not None and declared != names:
        raise InputError(
            f"{path}: its 'class_names' are {', '.join(names)}, but the study says {', '.join(declared)}: "
            "leave them out of the study, or mend one of the two"
        )
    return names


def labels_of(
    path: Path, column: str, values: Any, names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Turn a column of names or numbers of classes, (rows,), into labels, and say which classes they index.

    ``names``: of the classes, in the order of their numbers. Where nobody declared any, text may name those of the
    published sample; numbers may mean anything, and are refused.
    """
    array = np.asarray(values)
    if array.ndim == 1 and array.dtype.kind in "OUS":
        known = names or CLASS_NAMES
        return _labels_of_text(path, column, array, known), known
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: column '{column}' holds {array.dtype} of {array.ndim} dimensions, neither names of classes nor "
            "whole numbers"
        )
    whole = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**31)
    if not whole.all():
        row = int(np.argmin(whole))
        raise InputError(f"{path}: column '{column}', row {row}: {array[row]} is no number of a class")
    labels = array.astype(np.int64)
    if names is None:
        numbers = np.unique(labels)
        shown = ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")
        raise InputError(
            f"{path}: column '{column}' holds the numbers {shown}, and nothing says which classes they are: write "
            f"names into it (such as {', '.join(CLASS_NAMES)}), or 'class_names' into the file, or beside 'file' in "
            f"the study, e.g. class_names: [{', '.join(CLASS_NAMES)}]"
        )
    bad = (labels < 0) | (labels >= len(names))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{path}: column '{column}', row {row}: {labels[row]} is no class; there are {len(names)}: "
            f"{', '.join(names)}"
        )
    return labels, names


def _labels_of_text(path: Path, column: str, values: Iterable[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    index = {name.lower(): i for i, name in enumerate(names)}
    labels = []
    for row, value in enumerate(values):
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        label = index.get(text.strip(" '\"").lower())
        if label is None:
            raise InputError(f"{path}: column '{column}', row {row}: unknown class '{text}'; known: {', '.join(names)}")
        labels.append(label)
    return np.array(labels, dtype=np.int64)


def check_constituents(path: Path, constituents: Any) -> NDArray[np.float32]:
    """Check (jets, k, 3) pT, delta-eta, delta-phi and bring them to (jets, 32, 3) by falling pT, zero padded."""
    array = np.asarray(constituents)
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(
            f"{path}: constituents have type {array.dtype} and shape {array.shape}, not float (jets, k, 3)"
        )
    array = array.astype(np.float32)
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        raise InputError(f"{path}: constituents, row {int(np.argmin(finite))}: a value is not a finite number")
    positive = (array[..., 0] >= 0).all(axis=1)
    if not positive.all():
        raise InputError(f"{path}: constituents, row {int(np.argmin(positive))}: a pT is negative")
    if len(array) and np.median(array[..., 0].max(axis=1)) > IMPLAUSIBLE_GEV:
        raise InputError(f"{path}: constituents: pT is too large for GeV; is it in MeV?")
    return constituents_block(array).values


def build(
    path: Path,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_names: tuple[str, ...],
    constituents: NDArray[np.float32] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Sample:
    """Check units and lengths, and return the sample; ``metadata`` is that of our files."""
    metadata = metadata or {}
    units = tuple(metadata.get("units", FEATURE_UNITS))
    if units != FEATURE_UNITS:
        wrong = next((i for i, u in enumerate(FEATURE_UNITS) if units[i : i + 1] != (u,)), 0)
        given = units[wrong] if wrong < len(units) else "none"
        raise InputError(
            f"{path}: column '{FEATURE_NAMES[wrong]}' has the unit '{given}', not '{FEATURE_UNITS[wrong]}'"
        )
    if not len(features):
        raise InputError(f"{path}: the file has no rows")
    if len(labels) != len(features) or (constituents is not None and len(constituents) != len(features)):
        raise InputError(f"{path}: {len(features)} rows of features, but {len(labels)} labels")
    mass = features[:, FEATURE_NAMES.index("mass_mmdt")]
    median = float(np.median(mass))
    if median > IMPLAUSIBLE_GEV:
        raise InputError(f"{path}: column 'mass_mmdt': a median of {median:.3g} is too large for GeV; is it in MeV?")
    if 0 < median < _IMPLAUSIBLE_LOW_GEV:
        raise InputError(f"{path}: column 'mass_mmdt': a median of {median:.3g} is too small for GeV; is it in TeV?")
    return Sample(
        features,
        labels,
        FEATURE_NAMES,
        FEATURE_UNITS,
        class_names,
        () if constituents is None else (BlockValues(CONSTITUENTS, constituents),),
        dict(metadata.get("provenance", {})),
    )
