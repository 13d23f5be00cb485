"""How much work a received design is, counted before anything is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array, Taken
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QuantSpec
from codesign.graph.reader import read_graph
from codesign.graph.tables import Table

__all__ = ("MOST_WORK", "require_little_work")

#: multiplications and elements for one event, none of which a circuit shares: far more than fit any FPGA
MOST_WORK = 1 << 21


def require_little_work(design: Design) -> None:
    """UnsupportedError where a design is so large that it would be made again for hours."""
    work = _Counted()
    read_graph(design.onnx).run(design.inputs.values(np.zeros((1, design.inputs.size), dtype=np.int64)), work)
    if work.done > MOST_WORK:
        raise UnsupportedError(
            f"the design takes {work.done:,} operations for an event, more than {MOST_WORK:,}: nothing is made of it"
        )


class _Counted(Exact):
    """Exact arithmetic that counts."""

    def __init__(self) -> None:
        self.done = 0

    def _count(self, found: Any, each: int = 1) -> Array:
        made = np.asarray(found)
        self.done += made.size * each
        return made

    def add(self, a: Array, b: Array) -> Array:
        return self._count(super().add(a, b))

    def multiply(self, a: Array, b: Array) -> Array:
        return self._count(super().multiply(a, b))

    def square(self, x: Array) -> Array:
        return self._count(super().square(x))

    def matmul(self, a: Array, b: Array) -> Array:
        return self._count(super().matmul(a, b), a.shape[-1])

    def relu(self, x: Array) -> Array:
        return self._count(super().relu(x))

    def maximum(self, a: Array, b: Array) -> Array:
        return self._count(super().maximum(a, b))

    def minimum(self, a: Array, b: Array) -> Array:
        return self._count(super().minimum(a, b))

    def at_least(self, a: Array, b: Array) -> Array:
        return self._count(super().at_least(a, b))

    def select(self, choice: Array, a: Array, b: Array) -> Array:
        return self._count(super().select(choice, a, b))

    def largest(self, x: Array) -> Array:
        return self._count(super().largest(x), x.shape[-1])

    def take(self, x: Array, places: Taken, axis: int) -> Array:
        return self._count(super().take(x, places, axis))

    def quantise(self, x: Array, spec: QuantSpec) -> Array:
        return self._count(super().quantise(x, spec))

    def sign(self, x: Array, scale: Array) -> Array:
        return self._count(super().sign(x, scale))

    def table(self, x: Array, table: Table) -> Array:
        return self._count(super().table(x, table))
