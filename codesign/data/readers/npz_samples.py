"""NumPy archives: features and labels, or constituents and label. Never unpickled."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.reading.npz import npz_arrays
from codesign.data.readers.checks import build, check_constituents, class_names_of, labels_of, matrix, require
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES, features_of

__all__ = ("read",)


_ARRAYS = ("features", "constituents", "labels", "label", "class_names")


def read(path: Path, declared: tuple[str, ...] | None = None) -> Sample:
    """Read ``features`` (jets, 16) and ``labels``, or ``constituents`` (jets, k, 3) and ``label``.

    Labels are text, or numbers from 0 of ``class_names``, an array of text, or else of ``declared``. Where there are
    constituents only, the features are computed from them.
    """
    arrays = npz_arrays(path, _ARRAYS)
    column = "labels" if "labels" in arrays or "label" not in arrays else "label"
    require(path, [column], arrays, "array")
    names = arrays["class_names"].tolist() if "class_names" in arrays else None
    labels, classes = labels_of(path, column, arrays[column], class_names_of(path, names, declared))
    constituents = check_constituents(path, arrays["constituents"]) if "constituents" in arrays else None
    provenance = {}
    if "features" in arrays:
        table = arrays["features"]
        if table.ndim != 2 or table.shape[1] != len(FEATURE_NAMES):
            raise InputError(f"{path}: array 'features' has the shape {table.shape}, not (jets, {len(FEATURE_NAMES)})")
        features = matrix(path, dict(zip(FEATURE_NAMES, table.T, strict=True)))
    elif constituents is not None:
        features = features_of(arrays["constituents"])
        provenance["features_from"] = f"{arrays['constituents'].shape[1]} leading constituents"
    else:
        raise InputError(f"{path}: array 'features' is missing, and so is 'constituents'")
    return build(path, features, labels, classes, constituents, {"provenance": provenance})
