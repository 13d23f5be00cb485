"""Functions of codes written: as thresholds of each element, or as tables, whichever is the smaller circuit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any, TypeAlias

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.domain import Array
from codesign.graph.expressions import Expression, direction
from codesign.graph.interval import tightest_type
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.signals import GraphSignal, Writer, least
from codesign.graph.steps import Steps, steps_of
from codesign.graph.tables import MOST_ENTRIES

__all__ = ("Codes", "Discretiser")

#: of an element's place and its function: a key for what is done with it, and the whole number for a value
Codes: TypeAlias = Callable[[tuple[int, ...], Expression], tuple[Any, Callable[[Fraction], int]]]
#: values of one node's tables or thresholds
_MOST_VALUES = 1 << 22


class Discretiser:
    """Writes them, and says what it wrote for which node."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        #: the node that is being lowered, and a line for each that became thresholds or tables
        self.node = ""
        self.done: list[str] = []

    def written(self, x: GraphSignal, codes: Codes, lsb: Any, wraps: bool = False) -> GraphSignal:
        """``lsb`` times whole numbers: of a place and its function, ``codes`` gives a key, and a number for a value."""
        known: dict[Any, Steps] = {}
        steps = np.empty(x.shape, dtype=object)
        forms: Any = x.functions()
        interval = x.interval
        for place in np.ndindex(*x.shape):
            step = Fraction(float(interval.step[place]) or 1.0)
            low, high = -(-Fraction(float(interval.low[place])) // step), Fraction(float(interval.high[place])) // step
            form = forms[place]
            key, number = codes(place, form)
            whole = (form, key, low, high, step)
            if whole not in known:

                def of_code(c: int, number: Callable[[Fraction], int] = number, step: Fraction = step) -> int:
                    return number(c * step)

                way = None if wraps else direction(form, low * step, high * step)
                known[whole] = steps_of(of_code, low, high, step, way)
            steps[place] = known[whole]
        found = list(known.values())
        weights = {id(s): 0 for s in found}
        for s in steps.ravel():
            weights[id(s)] += 1
        by_thresholds = sum(s.threshold_cost * weights[id(s)] for s in found)
        by_table = sum(s.table_cost * weights[id(s)] * 3 for s in found)
        bare = GraphSignal(x.name, x.interval)
        kind = _table_type(bare)
        if by_thresholds <= by_table or kind is None:
            if by_thresholds == float("inf"):
                raise UnsupportedError(
                    f"functions of a signal whose values span more than {MOST_ENTRIES} codes on one grid; quantise it "
                    "first"
                )
            return self._thresholds(bare, steps, lsb)
        return self._tables(bare, kind, steps, lsb)

    def _thresholds(self, x: GraphSignal, steps: Any, lsb: Any) -> GraphSignal:
        self.done.append(f"{self.node}: thresholds, at most {max(len(s.thresholds) for s in steps.ravel())} an element")
        shape = x.shape
        turned = np.array([s.turned for s in steps.ravel()]).reshape(shape)
        grid = np.where(x.interval.step == 0, 1.0, x.interval.step)
        if turned.any():
            x = self._writer.emit("Mul", x, least(np.where(turned, -1.0, 1.0)))
        first = min(s.first for s in steps.ravel())
        number = max(1, *(len(s.thresholds) + s.first - first for s in steps.ravel()))
        if number * steps.size > _MOST_VALUES:
            raise UnsupportedError(f"{number * steps.size} thresholds, more than {_MOST_VALUES}; use fewer bits")
        values = np.empty((*shape, number))
        for place in np.ndindex(*shape):
            own: Steps = steps[place]
            low, high = (-own.high, -own.low) if own.turned else (own.low, own.high)
            row = [low] * (own.first - first) + list(own.thresholds or ())
            # what is always reached, and what never is
            values[place] = np.array(row + [high + 1] * (number - len(row))) * grid[place]
        lsbs = np.asarray(lsb, dtype=np.float64)
        counted = self._counted(x, values)
        scaled = self._writer.emit("Mul", counted, least(lsbs)) if (lsbs != 1).any() else counted
        return self._writer.emit("Add", scaled, least(lsbs * first)) if first else scaled

    def _counted(self, x: GraphSignal, values: Array) -> GraphSignal:
        shape, number = x.shape, values.shape[-1]
        # the same for every element of a channel
        rows = np.moveaxis(values, 1, 0).reshape(shape[1], -1, number) if len(shape) > 1 else None
        if rows is not None and (rows == rows[:, :1]).all():
            rows = rows[:, 0]
            return self._writer.emit("MultiThreshold", x, rows[:1] if (rows == rows[:1]).all() else rows, domain=QONNX)
        flat = self._writer.emit("Reshape", x, np.array([0, prod(shape[1:])], dtype=np.int64))
        counted = self._writer.emit("MultiThreshold", flat, values.reshape(-1, number), domain=QONNX)
        return self._writer.emit("Reshape", counted, np.array([0, *shape[1:]], dtype=np.int64))

    def _tables(self, x: GraphSignal, kind: FixedPoint, steps: Any, lsb: Any) -> GraphSignal:
        distinct = {id(s): s for s in steps.ravel()}
        lsbs = np.broadcast_to(np.asarray(lsb, dtype=np.float64), x.shape)
        self.done.append(f"{self.node}: {len(distinct)} tables of {1 << kind.width} entries")
        shared = len(distinct) == 1 and (lsbs == lsbs.ravel()[0]).all() and len(np.unique(x.interval.step)) == 1
        places = [(0,) * len(x.shape)] if shared else list(np.ndindex(*x.shape))
        if len(places) << kind.width > _MOST_VALUES:
            raise UnsupportedError(
                f"tables of {len(places) << kind.width} entries, more than {_MOST_VALUES}; quantise it first"
            )
        made = {key: s.table().astype(np.float64) for key, s in distinct.items()}
        values = np.empty((len(places), 1 << kind.width))
        codes = np.arange(kind.minimum, kind.maximum + 1)
        for row, place in enumerate(places):
            own: Steps = steps[place]
            stride = float(x.interval.step[place] or kind.lsb) / kind.lsb
            # what no code of the element reads is as its neighbour
            which = np.clip(np.floor(codes / stride), own.low, own.high).astype(np.int64) - own.low
            values[row] = made[id(own)][which] * lsbs[place]
        whole = values[0] if shared else values.reshape(*x.shape, -1)
        attributes = {"k": int(kind.signed), "i": kind.integer_bits, "f": kind.fraction_bits}
        return self._writer.emit("Table", x, whole, domain=CODESIGN, **attributes)


def _table_type(x: GraphSignal) -> FixedPoint | None:
    """The type of the signal's codes on one grid; None where it has too many."""
    interval = x.interval
    steps = interval.step[interval.step > 0]
    kind = tightest_type(
        float(interval.low.min()), float(interval.high.max()), float(steps.min()) if len(steps) else 0.0
    )
    return kind if 1 << min(60, kind.width) <= MOST_ENTRIES and kind.integer_bits + kind.fraction_bits >= 0 else None
