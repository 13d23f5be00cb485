"""OpenML's ARFF file of hls4ml_lhc_jets_hlf: sixteen numeric columns and a nominal class."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from codesign.core.errors import InputError
from codesign.data.readers.checks import build, labels_of, matrix, require
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES

__all__ = ("read",)

_ATTRIBUTE = re.compile(r"@attribute\s+('[^']+'|\"[^\"]+\"|\S+)\s+(.+)", re.IGNORECASE)


def read(path: Path, declared: tuple[str, ...] | None = None) -> Sample:
    """Read dense ARFF: the header's attributes, then comma-separated rows; ``declared``: names of classes."""
    names: list[str] = []
    with path.open(encoding="utf-8", newline="") as stream:
        for line in stream:
            if line.strip().lower() == "@data":
                break
            match = _ATTRIBUTE.match(line.strip())
            if match:
                names.append(match[1].strip("'\"").removeprefix("j_"))
        else:
            raise InputError(f"{path}: truncated ARFF file: it has no @DATA")
        require(path, (*FEATURE_NAMES, "class"), names, "attribute")
        rows = [row for row in csv.reader(stream, quotechar="'") if row and not row[0].startswith("%")]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise InputError(f"{path}: row {number}: {len(row)} values, not {len(names)}; is the file truncated?")
    columns = {}
    for name in FEATURE_NAMES:
        values = [row[names.index(name)] for row in rows]
        try:
            columns[name] = np.array(values, dtype=np.float64)
        except ValueError:
            number = next(i for i, value in enumerate(values) if not _numeric(value))
            raise InputError(f"{path}: column '{name}', row {number}: '{values[number]}' is not a number") from None
    labels, classes = labels_of(path, "class", [row[names.index("class")] for row in rows], declared)
    return build(path, matrix(path, columns), labels, classes)


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
