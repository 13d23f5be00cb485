"""Tables as JSON for correctionlib."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import write_atomically
from codesign.tasks.outcome import Axis

__all__ = ("write_tables",)


def write_tables(
    path: Path, axes: Mapping[str, Axis], tables: Mapping[str, tuple[str, NDArray[np.float64]]], description: str
) -> None:
    """Write ``tables``, name -> (meaning, values of the shape of the grid), as one correction each.

    Outside of an axis' edges the first or last bin counts.
    """
    import correctionlib.schemav2 as cs

    inputs = [
        cs.Variable(name=name, type="string" if axis.names else "real", description=axis.meaning)
        for name, axis in axes.items()
    ]
    corrections = [
        cs.Correction(
            name=name,
            version=1,
            inputs=inputs,
            output=cs.Variable(name="value", type="real", description=meaning),
            data=_node(list(axes.items()), np.round(values, 6)),
        )
        for name, (meaning, values) in tables.items()
    ]
    made = cs.CorrectionSet(schema_version=2, description=description, corrections=corrections)
    text = json.dumps(made.model_dump(exclude_unset=True), indent=1, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def _node(axes: list[tuple[str, Axis]], values: NDArray[np.float64]) -> Any:
    import correctionlib.schemav2 as cs

    (name, axis), *inner = axes
    contents = [_node(inner, v) if inner else float(v) for v in values]
    if axis.names:
        items = [cs.CategoryItem(key=key, value=content) for key, content in zip(axis.names, contents, strict=True)]
        return cs.Category(nodetype="category", input=name, content=items)
    return cs.Binning(nodetype="binning", input=name, edges=list(axis.edges), content=contents, flow="clamp")
