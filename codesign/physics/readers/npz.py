"""NumPy archives: features and labels, or constituents and label. Never unpickled."""

from __future__ import annotations

from pathlib import Path

from codesign.errors import InputError
from codesign.physics.readers.checks import build, check_constituents, matrix, require
from codesign.physics.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES, features_of
from codesign.reading.npz import npz_arrays

__all__ = ("read",)


def read(path: Path) -> Sample:
    """Read ``features`` (jets, 16) and ``labels``, or ``constituents`` (jets, k, 3) and ``label``.

    Where there are constituents only, the features are computed from them.
    """
    arrays = npz_arrays(path, ("features", "constituents", "labels", "label"))
    require(path, ["labels" if "labels" in arrays or "label" not in arrays else "label"], arrays, "array")
    labels = arrays["labels"] if "labels" in arrays else arrays["label"]
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise InputError(f"{path}: array 'labels' holds {labels.dtype} of {labels.ndim} dimensions, not whole numbers")
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
    return build(path, features, labels, constituents, {"provenance": provenance})
