"""Parquet: OpenML's hls4ml_lhc_jets_hlf, and our own with constituents and metadata."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.reading.json import json_of
from codesign.core.reading.parquet import whole_parquet
from codesign.data.readers.checks import build, check_constituents, class_names_of, labels_of, matrix, require
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES

__all__ = ("METADATA_KEY", "read")

#: Under which our metadata lies in a Parquet file's schema.
METADATA_KEY = b"codesign"


def read(path: Path, declared: tuple[str, ...] | None = None) -> Sample:
    """Read the sixteen columns and ``label`` or ``class``: names of classes, or numbers from 0.

    What numbers stand for is said by ``class_names`` in the schema's metadata, in ours (``codesign``) or in those of
    pandas (``DataFrame.attrs``), or else by ``declared``.
    """
    table = whole_parquet(path)
    columns = {name.removeprefix("j_"): name for name in table.column_names}
    require(path, FEATURE_NAMES, columns)
    features = matrix(path, {name: table[columns[name]].to_numpy() for name in FEATURE_NAMES})
    kept = table.schema.metadata or {}
    metadata: dict[str, Any] = json_of(kept.get(METADATA_KEY, b"{}"), f"{path}: metadata")
    found = json_of(kept.get(b"class_names", b"null"), f"{path}: class_names")
    found = found or json_of(kept.get(b"PANDAS_ATTRS", b"{}"), f"{path}: PANDAS_ATTRS").get("class_names")
    names = class_names_of(path, metadata.get("class_names", found), declared)
    column = "class" if "label" not in columns or ("class" in columns and names is None) else "label"
    require(path, [column], columns)
    labels, classes = labels_of(path, column, _values(table[columns[column]]), names)
    constituents = None
    if "constituents" in columns:
        column = table["constituents"].combine_chunks()
        constituents = check_constituents(path, column.flatten().to_numpy().reshape(len(column), -1, 3))
    sample = build(path, features, labels, classes, constituents, metadata)
    if "collision" in columns:
        return replace(sample, collisions=table["collision"].to_numpy().astype(np.int64))
    return sample


def _values(column: Any) -> Any:
    """A column as numpy, (rows,): numbers or text; a dictionary's entries are its texts."""
    from pyarrow import types

    return column.to_numpy() if not types.is_dictionary(column.type) else np.array(column.to_pylist(), dtype=object)
