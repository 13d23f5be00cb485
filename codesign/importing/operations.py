"""How much there is to multiply in a design, of one event."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.graph.cost import graph_cost
from codesign.graph.domain import Array
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph

__all__ = ("Operations", "count_operations")


@dataclass(frozen=True)
class Operations:
    """Multiplications with weights that are not 0, and effective bit operations (None where they are not counted)."""

    operations: int
    ebops: float | None


def count_operations(design: Design) -> Operations:
    """Count a design's operations."""
    domain = _Counting()
    read_graph(design.onnx).run(design.inputs.values(np.zeros((1, design.inputs.size), dtype=np.int64)), domain)
    try:
        ebops = graph_cost(design).bit_operations
    except UnsupportedError:  # an operator that intervals do not know
        ebops = None
    return Operations(domain.done, ebops)


class _Counting(Exact):
    """Exact arithmetic that counts products with weights."""

    def __init__(self) -> None:
        self.done = 0

    def matmul(self, a: Array, b: Array) -> Array:
        """Matrix product."""
        found = super().matmul(a, b)
        each = np.count_nonzero(b, axis=(-2, -1))
        if np.ndim(b) > 2:  # a matrix for each place of some axes
            self.done += int(np.broadcast_to(each, found.shape[1:-2]).sum()) * found.shape[-2]
        else:
            self.done += int(each) * prod(found.shape[1:-1])
        return found

    def total(self, x: Array) -> Array:
        """A sum multiplies nothing."""
        return np.asarray(x.sum(axis=-1, keepdims=True))
