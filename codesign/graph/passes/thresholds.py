"""Thresholds that nothing reaches, or all, left out; equal rows once; and lines of them as one multiplication."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.interval import Interval
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.passes.base import GraphPass
from codesign.graph.passes.lines import Line, line_of
from codesign.graph.passes.open_graph import OpenGraph, domain_of

__all__ = ("Lines", "ThresholdRows")


@dataclass(frozen=True)
class _Rows:
    """A node's thresholds, (channels or 1, number), in steps of the signal's grid; the ends of each row's channel."""

    steps: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    #: of each row
    grid: Array
    channel: int

    def kept(self, row: int) -> tuple[int, NDArray[np.int64]]:
        """How many are always reached, and those that some values reach."""
        steps = self.steps[row]
        return int((steps <= self.low[row]).sum()), steps[(steps > self.low[row]) & (steps <= self.high[row])]


def _rows(graph: OpenGraph, node: onnx.NodeProto) -> _Rows | None:
    """Of MultiThreshold; None where it is of other shapes."""
    if node.op_type != "MultiThreshold" or domain_of(node) != QONNX or node.input[1] not in graph.constants:
        return None
    x, values = graph.signals[node.input[0]], graph.constants[node.input[1]]
    rank = len(x.shape)
    layout = str(graph.read(node).attributes.get("data_layout", "NCHW"))
    channel = rank - 1 if layout in ("NHWC", "NWC", "NC") or rank == 2 else 1
    if values.ndim != 2 or values.shape[0] not in (1, x.shape[channel]):
        return None
    axes = tuple(a for a in range(rank) if a != channel or values.shape[0] == 1)
    least = np.where(x.step > 0, x.step, np.inf).min(axis=axes)
    grid = np.where(np.isfinite(least), least, 1.0).reshape(-1)
    low, high = (v.reshape(-1) / grid for v in (x.low.min(axis=axes), x.high.max(axis=axes)))
    limit = 2.0**52
    steps = np.sort(np.clip(np.ceil(values / grid[:, None]), -limit, limit), axis=1)
    return _Rows(steps.astype(np.int64), _whole(low), _whole(high), grid, channel)


def _whole(values: Array) -> NDArray[np.int64]:
    return np.rint(values).astype(np.int64)


class ThresholdRows(GraphPass):
    """Thresholds that nothing that can come reaches, or all that can, are no comparisons; equal rows are one."""

    name: ClassVar[str] = "thresholds"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Leave out."""
        for node in graph.working():
            rows = _rows(graph, node)
            if rows is None:
                continue
            found = [rows.kept(row) for row in range(len(rows.steps))]
            base = min(always for always, _ in found)
            number = max(max(always - base + len(steps) for always, steps in found), 1)
            values = np.empty((len(found), number))
            for row, (always, steps) in enumerate(found):
                never = rows.high[row] + 1
                whole = [int(rows.low[row])] * (always - base) + steps.tolist()
                values[row] = np.array(whole + [int(never)] * (number - len(whole))) * rows.grid[row]
            shared = len(values) > 1 and bool((values == values[:1]).all())
            before = graph.constants[node.input[1]].shape
            if number >= before[1] and not shared:
                continue
            attributes = dict(graph.read(node).attributes)
            scale, bias = float(attributes.get("out_scale", 1.0)), float(attributes.get("out_bias", 0.0))
            attributes |= {"out_scale": scale, "out_bias": bias + scale * base}
            if attributes["out_bias"] != np.float32(attributes["out_bias"]):
                continue
            try:
                made = graph.insert(
                    node, "MultiThreshold", [node.input[0], values[:1] if shared else values], QONNX, **attributes
                )
            except UnsupportedError:
                continue
            graph.give(node, made)
            rows_now = "one row for all" if shared else f"{len(values)} rows"
            yield (
                f"{node.name}: {before[0]} rows of {before[1]} thresholds are {rows_now} of {number}: the others are "
                "reached by nothing that can come, or by all, or stand in another row"
            )


class Lines(GraphPass):
    """Thresholds, and tables that rise or fall as they do, that lie on a line are one multiplication and a bound."""

    name: ClassVar[str] = "lines"

    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Multiply in place of comparing."""
        for node in graph.working():
            found = _of_thresholds(graph, node) or _of_table(graph, node)
            if found is None or not _gains(found):
                continue
            try:
                last = _write(graph, node, found)
            except UnsupportedError:
                continue
            graph.give(node, last)
            most = max(line.adders for line in found.lines if line is not None)
            yield f"{node.name}: {found.what} are a multiplication, with at most {most} adders an element"


@dataclass(frozen=True)
class _Found:
    """A line for each element of ``shape`` (None: always ``base``), of a signal in steps of ``grid``; what comes out is
    ``base + lsb * line``."""

    what: str
    lines: list[Line | None]
    shape: tuple[int, ...]
    grid: Array
    turned: NDArray[np.bool_]
    base: Array
    lsb: Array
    #: look-up tables of an element, about, as it stands and as lines
    costs: tuple[float, float]


def _gains(found: _Found) -> bool:
    return any(line is not None for line in found.lines) and found.costs[1] < found.costs[0]


def _cost(lines: list[Line | None], low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[float, float]:
    """Mean look-up tables of an element: comparisons and their sum, or adders and a bound."""
    before = after = 0.0
    for line, a, b in zip(lines, low.tolist(), high.tolist(), strict=True):
        if line is not None:
            width = log2(b - a + 2)
            before += line.top * (width / 2 + 1)
            after += line.adders * (width + 2) + 2 * log2(line.top + 1)
    return before / len(lines), after / len(lines)


def _of_thresholds(graph: OpenGraph, node: onnx.NodeProto) -> _Found | None:
    rows = _rows(graph, node)
    if rows is None:
        return None
    lines: list[Line | None] = []
    always = np.zeros(len(rows.steps))
    for row in range(len(rows.steps)):
        reached, steps = rows.kept(row)
        always[row] = reached
        line = line_of(steps.tolist(), int(rows.low[row]), int(rows.high[row])) if len(steps) else None
        if line is None and len(steps):
            return None
        lines.append(line)
    rank = len(graph.signals[node.input[0]].shape)
    shape = [1] * rank
    shape[rows.channel] = len(lines)
    attributes = graph.read(node).attributes
    scale, bias = float(attributes.get("out_scale", 1.0)), float(attributes.get("out_bias", 0.0))
    number = graph.constants[node.input[1]].shape[1]
    return _Found(
        f"{number} thresholds of each element", lines, tuple(shape), rows.grid.reshape(shape),
        np.zeros(shape, dtype=bool), (bias + scale * always).reshape(shape), np.full(shape, scale),
        _cost(lines, rows.low, rows.high),
    )  # fmt: skip


def _of_table(graph: OpenGraph, node: onnx.NodeProto) -> _Found | None:
    """Of a table whose reachable values rise or fall in steps of one size."""
    if node.op_type != "Table" or domain_of(node) != CODESIGN:
        return None
    x: Interval = graph.signals[node.input[0]]
    values, attributes = graph.constants[node.input[1]], graph.read(node).attributes
    k, i, f = (int(attributes[name]) for name in "kif")
    lowest, lsb = (-(1 << (i + f)) if k else 0), 2.0**-f
    one = values.ndim == 1 or all(n == 1 for n in values.shape[:-1])
    places = [(0,) * len(x.shape)] if one else list(np.ndindex(*x.shape))
    if one:
        x = Interval(*(np.full((1,) * len(x.shape), v) for v in (x.low.min(), x.high.max(), _finest(x.step) or lsb)))
    whole = np.broadcast_to(values, (*x.shape, values.shape[-1]))
    lines: list[Line | None] = []
    grid, turned, base, steps_of = (np.zeros(x.shape) for _ in range(4))
    low, high = (np.zeros(len(places), dtype=np.int64) for _ in range(2))
    for number, place in enumerate(places):
        step = float(x.step[place]) or lsb
        a, b = round(float(x.low[place]) / step), round(float(x.high[place]) / step)
        codes = np.arange(a, b + 1)
        entries = np.rint(codes * step / lsb).astype(np.int64) - lowest
        if entries.min() < 0 or entries.max() >= whole.shape[-1]:
            return None
        row = whole[place][entries]
        falls = bool(row[-1] < row[0])
        if falls:
            row, codes = row[::-1], -codes[::-1]
        rises = np.diff(row)
        if (rises < 0).any():
            return None
        size = float(rises[rises > 0].min()) if rises.any() else 1.0
        counts = np.rint(rises / size)
        if not np.array_equal(counts * size, rises):
            return None
        thresholds = np.repeat(codes[1:], counts.astype(np.int64))
        line = line_of(thresholds.tolist(), int(codes[0]), int(codes[-1])) if len(thresholds) else None
        if line is None and len(thresholds):
            return None
        lines.append(line)
        grid[place], turned[place], base[place], steps_of[place] = step, falls, row[0], size
        low[number], high[number] = codes[0], codes[-1]
    before, after = _cost(lines, low, high)
    bits = np.array([log2((line.top if line else 0) + 2) for line in lines])
    tables = float(((high - low + 1) / 64 * bits).mean())
    what = f"the {values.shape[-1]} entries of each table"
    return _Found(what, lines, x.shape, grid, turned.astype(bool), base, steps_of, (min(before, tables), after))


def _finest(steps: Array) -> float:
    alive = steps[steps > 0]
    return float(alive.min()) if alive.size else 0.0


def _write(graph: OpenGraph, node: onnx.NodeProto, found: _Found) -> str:
    """The nodes of the lines; the name of what comes out."""
    flat = list(found.lines)
    slope, offset, top = (
        np.array([of(line) if line is not None else 0.0 for line in flat]).reshape(found.shape)
        for of in (_slope, _offset, lambda line: float(line.top))
    )
    factor = np.where(found.turned, -slope, slope) / found.grid
    bits = np.frexp(np.maximum(top, 1.0))[1].astype(np.int64)
    x: Any = graph.insert(node, "Mul", [node.input[0], factor])
    x = graph.insert(node, "Add", [x, offset]) if offset.any() else x
    zero = np.zeros(found.shape, dtype=np.int64)
    x = graph.insert(
        node, "FixedPoint", [x, _same(zero), _same(bits), _same(zero)], CODESIGN,
        overflow="SAT", rounding_mode="FLOOR",
    )  # fmt: skip
    if (top < np.exp2(bits) - 1).any():
        x = graph.insert(node, "Min", [x, np.where(top > 0, top, np.exp2(bits) - 1)])
    x = graph.insert(node, "Mul", [x, found.lsb]) if (found.lsb != 1).any() else x
    return str(graph.insert(node, "Add", [x, found.base]) if found.base.any() else x)


def _slope(line: Line) -> float:
    return float(np.ldexp(float(line.slope), -line.bits))


def _offset(line: Line) -> float:
    return float(np.ldexp(float(line.offset), -line.bits))


def _same(values: NDArray[np.int64]) -> Array:
    """As numbers, one where all are equal."""
    array = values.astype(np.float64)
    return array.ravel()[:1].reshape((1,) * array.ndim) if (array == array.ravel()[0]).all() else array
