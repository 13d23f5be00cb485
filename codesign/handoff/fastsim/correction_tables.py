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

__all__ = ("IN_RANGE", "write_tables")

#: the correction beside the tables that says whether they are read within their bins
IN_RANGE = "in_range"


def write_tables(
    path: Path, axes: Mapping[str, Axis], tables: Mapping[str, tuple[str, NDArray[np.float64]]], description: str
) -> None:
    """Write ``tables``, name -> (meaning, values of the shape of the grid), as one correction each.

    Outside of an axis' edges the first or last bin counts, and the correction ``in_range`` of the same inputs is 0, not
    1. An ``absolute`` axis takes a signed number.
    """
    import correctionlib.schemav2 as cs

    inputs = [
        cs.Variable(name=name, type="string" if axis.names else "real", description=axis.meaning)
        for name, axis in axes.items()
    ]
    named = list(axes.items())
    nodes = {name: (meaning, _node(named, np.round(values, 6))) for name, (meaning, values) in tables.items()}
    nodes[IN_RANGE] = (
        "1 where every input is within its bins, 0 where a first or last bin stands for it",
        _inside(named),
    )
    corrections = [
        cs.Correction(
            name=name,
            version=1,
            inputs=inputs,
            output=cs.Variable(name="value", type="real", description=meaning),
            data=node,
        )
        for name, (meaning, node) in nodes.items()
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
    return _binned(name, axis, contents, list(axis.edges), "clamp")


def _inside(axes: list[tuple[str, Axis]]) -> Any:
    """1 within all bins, 0 elsewhere. A name that is none is refused by correctionlib itself."""
    import correctionlib.schemav2 as cs

    (name, axis), *inner = axes
    content = _inside(inner) if inner else 1.0
    if axis.names:
        items = [cs.CategoryItem(key=key, value=content) for key in axis.names]
        return cs.Category(nodetype="category", input=name, content=items)
    return _binned(name, axis, [content], [axis.edges[0], axis.edges[-1]], 0.0)


def _binned(name: str, axis: Axis, contents: list[Any], edges: list[float], flow: float | str) -> Any:
    import correctionlib.schemav2 as cs

    bins = cs.Binning(nodetype="binning", input=name, edges=edges, content=contents, flow=flow)
    if not axis.absolute:
        return bins
    size = cs.Formula(nodetype="formula", expression="abs(x)", parser="TFormula", variables=[name])
    return cs.Transform(nodetype="transform", input=name, rule=size, content=bins)
