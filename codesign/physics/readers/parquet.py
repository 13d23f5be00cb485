"""Parquet: OpenML's hls4ml_lhc_jets_hlf, and our own with constituents and metadata."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.physics.readers.checks import build, check_constituents, labels_of_text, matrix, require
from codesign.physics.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES
from codesign.reading.json import json_of
from codesign.reading.parquet import whole_parquet

__all__ = ("METADATA_KEY", "read")

#: Under which our metadata lies in a Parquet file's schema.
METADATA_KEY = b"codesign"


def read(path: Path) -> Sample:
    """Read the sixteen columns and ``label`` (numbers) or ``class`` (names)."""
    table = whole_parquet(path)
    columns = {name.removeprefix("j_"): name for name in table.column_names}
    require(path, FEATURE_NAMES, columns)
    features = matrix(path, {name: table[columns[name]].to_numpy() for name in FEATURE_NAMES})
    metadata: dict[str, Any] = json_of((table.schema.metadata or {}).get(METADATA_KEY, b"{}"), f"{path}: metadata")
    if "label" in columns:
        labels = matrix(path, {"label": table["label"].to_numpy()}, ["label"])[:, 0].astype(np.int64)
    else:
        require(path, ["class"], columns)
        labels = labels_of_text(path, "class", table[columns["class"]].to_pylist())
    constituents = None
    if "constituents" in columns:
        column = table["constituents"].combine_chunks()
        constituents = check_constituents(path, column.flatten().to_numpy().reshape(len(column), -1, 3))
    sample = build(path, features, labels, constituents, metadata)
    if "collision" in columns:
        return replace(sample, collisions=table["collision"].to_numpy().astype(np.int64))
    return sample
