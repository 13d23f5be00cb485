"""Structure of the signals of a graph that is lowered: elements move, and their functions with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.discrete import Discretiser
from codesign.graph.domain import Array, Domain, Taken
from codesign.graph.expressions import Expression, Variable
from codesign.graph.signals import GraphSignal, Writer, forms_of

__all__ = ("Structure",)


class Structure(Domain[GraphSignal]):
    """What moves elements of :class:`GraphSignal`, and keeps functions of them."""

    rational: ClassVar[bool] = True

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.discretiser = Discretiser(writer)

    def emit(self, op: str, *operands: GraphSignal | Any, domain: str = "", **attributes: Any) -> GraphSignal:
        """Write a node of plain signals and constants."""
        return self._writer.emit(op, *operands, domain=domain, **attributes)

    def kept(self, x: GraphSignal, function: Callable[..., Expression], *arrays: Any) -> GraphSignal:
        """One more function of each element; its parameters may stretch the signal."""
        shape = np.broadcast_shapes(x.shape, *(np.shape(a) for a in arrays))
        x = self.stretched(x, shape)
        return x.stands_for(forms_of(function, x.functions(), *arrays), self.discretiser.node)

    def stretched(self, x: GraphSignal, shape: tuple[int, ...]) -> GraphSignal:
        """The signal with its elements repeated along axes of length 1."""
        if len(x.shape) != len(shape):
            raise UnsupportedError(f"signals of {len(x.shape)} and {len(shape)} axes")
        for axis, length in enumerate(shape):
            if axis and x.shape[axis] != length:
                x = self.take(x, np.zeros(length, dtype=np.int64), axis)
        return x

    def concat(self, parts: Sequence[GraphSignal | Array], axis: int) -> GraphSignal:
        """Join along an axis."""
        joined = self.emit(
            "Concat", *(GraphSignal(p.name, p.interval) if isinstance(p, GraphSignal) else p for p in parts), axis=axis
        )
        origins = [p.origin for p in parts if isinstance(p, GraphSignal) and p.origin]
        if not origins:
            return joined
        forms = []
        for part in parts:
            if isinstance(part, GraphSignal):
                forms.append(part.functions())
            else:
                forms.append(np.full(np.shape(part), Variable(), dtype=object))
        return joined.stands_for(np.concatenate(forms, axis=axis), origins[0])

    def _arrange(self, x: GraphSignal, written: GraphSignal, function: Callable[[Any], Any]) -> GraphSignal:
        return written if x.forms is None else written.stands_for(function(x.forms), x.origin)

    def reshape(self, x: GraphSignal, shape: tuple[int, ...]) -> GraphSignal:
        """Reshape all but the first axis."""
        if shape == x.shape[1:]:
            return x
        written = self.emit("Reshape", GraphSignal(x.name, x.interval), np.array([0, *shape], dtype=np.int64))
        return self._arrange(x, written, lambda f: f.reshape(1, *shape))

    def transpose(self, x: GraphSignal, order: tuple[int, ...]) -> GraphSignal:
        """Permute the axes."""
        written = self.emit("Transpose", GraphSignal(x.name, x.interval), perm=list(order))
        return self._arrange(x, written, lambda f: f.transpose(order))

    def take(self, x: GraphSignal, places: Taken, axis: int) -> GraphSignal:
        """Elements of an axis."""
        written = self.emit("Gather", GraphSignal(x.name, x.interval), np.asarray(places, dtype=np.int64), axis=axis)
        return self._arrange(x, written, lambda f: np.take(f, places, axis=axis))
