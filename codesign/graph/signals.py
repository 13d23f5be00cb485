"""What a source's tensor is while its graph is lowered: a signal of the new graph, and what is to be done to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array
from codesign.graph.expressions import Expression, Variable, size
from codesign.graph.interval import Interval, Intervals
from codesign.graph.nodes import Call, Node, Operand, result_of
from codesign.graph.reals import Reals

__all__ = ("GraphSignal", "Writer", "forms_of", "is_short", "least")

#: bits of a constant's mantissa up to which it is arithmetic of the hardware, and above which it is a factor
_SHORT = 11
#: steps of one function between two quantisers, far more than any network has
_MOST_STEPS = 512


def is_short(values: Array) -> bool:
    """Whether every number is an integer of a few bits times a power of two."""
    mantissas = np.frexp(np.abs(np.asarray(values, dtype=np.float64)))[0] * 2.0**_SHORT
    return bool((mantissas == np.rint(mantissas)).all())


@dataclass(frozen=True)
class GraphSignal:
    """A tensor of the new graph within ``interval``, (1, ...), and what it stands for: a function of each element.

    ``forms`` is an array of Expression of the same shape, or None where it stands for itself. ``origin`` is the node
    from which on it does not.
    """

    name: str
    interval: Interval
    forms: Reals | None = None
    origin: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, ...)."""
        return self.interval.shape

    @property
    def plain(self) -> bool:
        """Whether it stands for itself."""
        return self.forms is None

    def functions(self) -> Reals:
        """The functions, of a plain one too."""
        if self.forms is not None:
            return self.forms
        out = np.empty(self.shape, dtype=object)
        out[...] = Variable()
        return out

    def stands_for(self, forms: Reals, origin: str) -> GraphSignal:
        """The same tensor, standing for functions of it."""
        if all(isinstance(f, Variable) for f in forms.ravel()):
            return replace(self, forms=None, origin="")
        if max(map(size, {id(f): f for f in forms.ravel()}.values())) > _MOST_STEPS:
            raise UnsupportedError(
                f"a function of more than {_MOST_STEPS} steps; put quantisers between them, from {origin} backwards"
            )
        return replace(self, forms=forms, origin=self.origin or origin)


@dataclass
class Writer:
    """Writes nodes of the new graph, and knows the interval of each of its signals."""

    taken: set[str]
    batch: int | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    _stored: dict[bytes, str] = field(default_factory=dict)

    def _name(self, kind: str) -> str:
        number = len(self.nodes) if kind == "lowered" else len(self.constants)
        while (name := f"{kind}_{number}") in self.taken:
            number += 1
        self.taken.add(name)
        return name

    def constant(self, values: Any) -> str:
        """Write a constant: whole numbers as int64, others as float32; UnsupportedError where that does not hold it."""
        array = np.asarray(values)
        stored = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        if not np.array_equal(stored, array):
            wrong = array[stored != array].ravel()[0]
            raise UnsupportedError(f"the constant {wrong:.12g} needs more than 24 bits, the most that float32 holds")
        key = repr((stored.dtype, stored.shape)).encode() + stored.tobytes()
        if key not in self._stored:
            self._stored[key] = self._name("constant")
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(stored), self._stored[key]))
        return self._stored[key]

    def emit(self, op: str, *operands: GraphSignal | Any, domain: str = "", **attributes: Any) -> GraphSignal:
        """Write a node of plain signals and constants. UnsupportedError where its interval is refused."""
        given = tuple(
            Operand(o.name, o.interval, False)
            if isinstance(o, GraphSignal)
            else Operand("", np.asarray(o, np.float64), True)
            for o in operands
        )
        node = Node(op, domain, op, tuple(o.name or f"constant {i}" for i, o in enumerate(given)), ("",), attributes)
        interval = result_of(Call(node, given, Intervals(), batch=self.batch))[0]
        names = [o.name if isinstance(o, GraphSignal) else self.constant(o) for o in operands]
        output = self._name("lowered")
        self.nodes.append(helper.make_node(op, names, [output], name=f"{op}_{output}", domain=domain, **attributes))
        return GraphSignal(output, interval)

    def copy(self, node: Node, operands: tuple[Operand[Any] | None, ...]) -> tuple[GraphSignal, ...]:
        """Write a node of the source as it is, of plain signals and constants."""
        seen = tuple(
            Operand(o.name, o.value.interval, False) if o is not None and isinstance(o.value, GraphSignal) else o
            for o in operands
        )
        found = result_of(Call(node, seen, Intervals(), batch=self.batch))
        names = ["" if o is None else o.value.name if isinstance(o.value, GraphSignal) else o.name for o in operands]
        self.nodes.append(
            helper.make_node(node.op, names, list(node.outputs), name=node.name, domain=node.domain, **node.attributes)
        )
        return tuple(
            v if not isinstance(v, Interval) else GraphSignal(name, v)
            for name, v in zip(node.outputs, found, strict=False)
        )


def forms_of(function: Any, *arrays: Any) -> Reals:
    """Apply a function of expressions and numbers elementwise, by broadcasting; equal operands are computed once."""
    whole = np.broadcast_arrays(*(np.asarray(a, dtype=object) for a in arrays))
    out = np.empty(whole[0].shape, dtype=object)
    known: dict[tuple[int, ...], Expression] = {}
    for place in np.ndindex(*out.shape):
        operands = tuple(a[place] for a in whole)
        key = tuple(map(id, operands))
        if key not in known:
            known[key] = function(*operands)
        out[place] = known[key]
    return out


def least(values: Array) -> Array:
    """One number where all are the same."""
    array = np.asarray(values, dtype=np.float64)
    return array.ravel()[0] * np.ones(()) if array.size and (array == array.ravel()[0]).all() else array
