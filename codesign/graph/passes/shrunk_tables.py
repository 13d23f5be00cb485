"""Tables with the entries alone that something reads, equal ones once, and what follows a table read from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.domain import Array
from codesign.graph.interval import Interval, tightest_type
from codesign.graph.nodes import CODESIGN, QONNX, STANDARD
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("LongerTables", "ShrunkTables")

#: of one signal each: a table may give what they give of its entries
_AFTER = {
    STANDARD: ("Relu", "Add", "Sub", "Mul", "Max", "Min", "Clip", "Floor", "Ceil", "Round", "Abs", "Neg", "Sign"),
    QONNX: ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold"),
    CODESIGN: ("FixedPoint", "Table"),
}


def _is_table(node: onnx.NodeProto | None) -> bool:
    return node is not None and node.op_type == "Table" and domain_of(node) == CODESIGN


class LongerTables(GraphPass):
    """What follows a table, of its value alone, is read from the table in its stead."""

    name: ClassVar[str] = "tables joined"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Join, one node to each table at a time."""
        for node in graph.working():
            x = graph.signal_of(node)
            maker = graph.maker(x) if x is not None else None
            if x is None or maker is None or not _is_table(maker) or x in graph.outputs or len(graph.users(x)) != 1:
                continue
            if node.op_type not in _AFTER.get(domain_of(node), ()) or len(node.output) != 1:
                continue
            shape = graph.signals[x].shape
            if graph.signals[node.output[0]].shape != shape or maker.input[0] not in graph.signals:
                continue
            values = graph.constants[maker.input[1]]
            rows = np.broadcast_to(values, (*([1] * (len(shape) - values.ndim + 1)), *values.shape))
            try:
                found = graph.values(node, np.moveaxis(np.broadcast_to(rows, (*shape, rows.shape[-1])), -1, 0)[:, 0])
                joined = _share(np.moveaxis(found, 0, -1)[None])
                read = graph.read(maker).attributes
                made = graph.insert(
                    maker, "Table", [maker.input[0], joined], CODESIGN, **{name: read[name] for name in "kif"}
                )
            except UnsupportedError:  # of entries that nothing reads
                continue
            graph.give(maker, made)
            maker_now = graph.maker(x)
            assert maker_now is not None
            if node.output[0] in graph.outputs:
                maker_now.output[0] = node.output[0]
                graph.drop(node)
            else:
                graph.bypass(node, x)
            yield f"{node.name}: read from the table in front of it"
            return  # what is known of the graph is no longer so


class ShrunkTables(GraphPass):
    """Entries that nothing reads are no entries, and tables that agree on what is read are one."""

    name: ClassVar[str] = "tables"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Shrink."""
        for node in graph.working():
            if not _is_table(node):
                continue
            read = graph.read(node).attributes
            kind = FixedPoint(signed=bool(read["k"]), integer_bits=int(read["i"]), fraction_bits=int(read["f"]))
            x, values = graph.signals[node.input[0]], graph.constants[node.input[1]]
            alive = x.step[x.step > 0]
            least = tightest_type(
                float(x.low.min()), float(x.high.max()), max(float(alive.min()), kind.lsb) if alive.size else 0.0
            )
            if least.width >= kind.width or not least.width:
                least = kind
            chosen = _entries(kind, least)
            whole, read_by = _read(x, values, chosen, least)
            apart = _join(whole, read_by)
            if apart.shape == values.shape:
                continue
            named = {"k": int(least.signed), "i": least.integer_bits, "f": least.fraction_bits}
            try:
                made = graph.insert(node, "Table", [node.input[0], apart], CODESIGN, **named)
            except UnsupportedError:
                continue
            before = values.size
            graph.give(node, made)
            yield f"{node.name}: {apart.size:,} entries in place of {before:,}"


def _entries(kind: FixedPoint, least: FixedPoint) -> NDArray[np.int64]:
    """For each code of the narrower type its place in a table of the wider one."""
    codes = np.arange(least.minimum, least.maximum + 1) << max(0, kind.fraction_bits - least.fraction_bits)
    return np.asarray(np.clip(codes - kind.minimum, 0, (1 << kind.width) - 1), dtype=np.int64)


def _read(x: Interval, values: Array, chosen: NDArray[np.int64], least: FixedPoint) -> tuple[Array, NDArray[np.bool_]]:
    """The tables (..., entries) over the narrower codes, and of each which entries something reads."""
    lead = values.shape[:-1]
    whole = values[..., chosen]
    codes = np.arange(least.minimum, least.maximum + 1) * least.lsb
    step = np.where(x.step > 0, x.step, least.lsb)[..., None]
    grid = codes / step
    reads = (codes >= x.low[..., None]) & (codes <= x.high[..., None]) & (grid == np.rint(grid))
    padded = (1,) * (len(x.shape) - len(lead)) + lead
    axes = tuple(a for a, n in enumerate(padded) if n == 1)
    found = (
        reads.any(axis=axes, keepdims=True).reshape(*lead, len(codes)) if lead else reads.reshape(-1, len(codes)).any(0)
    )
    return whole, found


def _join(whole: Array, reads: NDArray[np.bool_]) -> Array:
    """One table where all agree on what is read; else each, with what nothing reads as its neighbour has it."""
    rows, asked = whole.reshape(-1, whole.shape[-1]), reads.reshape(-1, whole.shape[-1])
    highest = np.where(asked, rows, -np.inf).max(axis=0)
    lowest = np.where(asked, rows, np.inf).min(axis=0)
    some = asked.any(axis=0)
    if (highest[some] == lowest[some]).all():
        one = np.where(some, highest, rows[0])
        return np.asarray(one)
    return _share(whole)


def _share(values: Array) -> Array:
    """(entries,) where all rows are equal."""
    rows = values.reshape(-1, values.shape[-1])
    return np.asarray(rows[0] if (rows == rows[:1]).all() else values)
