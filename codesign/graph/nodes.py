"""A node of a graph, its operands, and what an operator sees of both; the operators that there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array, Domain, Shaped
from codesign.graph.interval import grid

__all__ = (
    "ALIASES",
    "CHANNELS_LAST",
    "CODESIGN",
    "OPERATORS",
    "QONNX",
    "STANDARD",
    "Call",
    "Known",
    "Node",
    "Operand",
    "operator",
    "places",
    "result_of",
)

S = TypeVar("S", bound=Shaped)

#: domains of operators: ONNX' own, QONNX', ours
STANDARD, QONNX, CODESIGN = "", "qonnx.custom_op.general", "codesign"
CHANNELS_LAST = "qonnx.custom_op.channels_last"
#: what older exporters call QONNX' domains, with the same operators
ALIASES = {"ai.onnx": STANDARD, "onnx.brevitas": QONNX, "finn.custom_op.general": QONNX}


@dataclass(frozen=True)
class Node:
    """One node; ``domain`` and the graph's opset are part of what ``op`` means."""

    name: str
    domain: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 0


@dataclass(frozen=True)
class Known:
    """What an operator gives where that does not depend on the events, though its operand does: a signal's shape."""

    values: Array


@dataclass(frozen=True)
class Operand(Generic[S]):
    """What enters a node: a signal, or a constant and the type in which the file holds it (None where folded)."""

    name: str
    value: S | Array
    constant: bool
    stored: np.dtype[Any] | None = None


@dataclass(frozen=True)
class Call(Generic[S]):
    """One node with its operands (None where an optional one is left out) over a domain.

    ``folding``: every operand is constant, and the first axis is an axis like any other.
    """

    node: Node
    operands: tuple[Operand[S] | None, ...]
    domain: Domain[S]
    folding: bool = False
    #: number of events with which the graph was exported, where it is a fixed one
    batch: int | None = None

    def refuse(self, why: str) -> UnsupportedError:
        """The error that names this node."""
        return UnsupportedError(f"{self.node.name}: {why}")

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.node.attributes.get(name, default)

    def given(self, index: int) -> bool:
        """Whether there is an operand at a place."""
        return index < len(self.operands) and self.operands[index] is not None

    def operand(self, index: int) -> Operand[S]:
        """The operand at a place; UnsupportedError where there is none."""
        if not self.given(index):
            raise self.refuse(f"{self.node.op} without its input number {index + 1}")
        found = self.operands[index]
        assert found is not None
        return found

    def is_constant(self, index: int) -> bool:
        """Whether the operand at a place does not depend on the events."""
        return self.operand(index).constant

    def signal(self, index: int = 0) -> S:
        """The operand at a place as a signal; UnsupportedError where it is constant though others are not."""
        operand = self.operand(index)
        if operand.constant and not self.folding:
            raise self.refuse(f"'{operand.name}' is constant where {self.node.op} takes a signal")
        return operand.value  # type: ignore[return-value]

    def value(self, index: int) -> S | Array:
        """The operand at a place, signal or constant."""
        return self.operand(index).value

    def constant(self, index: int, what: str) -> Array:
        """The operand at a place, which must be constant."""
        if not self.given(index) or not self.is_constant(index):
            raise self.refuse(f"{what} must be constant")
        return np.asarray(self.operand(index).value, dtype=np.float64)

    def stored(self, index: int) -> np.dtype[Any] | None:
        """The type in which the file holds a constant."""
        return self.operand(index).stored if self.given(index) else None

    def whole(self, index: int, what: str) -> list[int]:
        """A constant operand as a list of whole numbers."""
        values = self.constant(index, what)
        if values.ndim > 1 or not np.array_equal(values, np.rint(values)):
            raise self.refuse(f"{what} must be whole numbers in a row")
        return [int(v) for v in np.atleast_1d(values)]

    def axes(self, given: Sequence[int], rank: int) -> list[int]:
        """Axes counted from the front, sorted; UnsupportedError where there is no such axis, or it is the events'."""
        found = []
        for axis in given:
            if not -rank <= axis < rank:
                raise self.refuse(f"axis {axis} of a signal with {rank} axes")
            found.append(int(axis) % rank)
        if len(set(found)) != len(found):
            raise self.refuse(f"axes {list(given)} name one axis twice")
        if 0 in found and not self.folding:
            raise self.refuse(f"{self.node.op} over axis 0 would mix events")
        return sorted(found)

    def axis(self, given: int, rank: int) -> int:
        """One axis, counted from the front."""
        return self.axes([given], rank)[0]

    def matched(self, *indices: int) -> list[S | Array]:
        """Operands that broadcast to one shape without moving or stretching the axis of the events."""
        values = [self.value(i) for i in indices]
        if self.folding:
            return values
        signals = [v for v, i in zip(values, indices, strict=True) if not self.is_constant(i)]
        rank = len(signals[0].shape)
        for value, index in zip(values, indices, strict=True):
            shape = tuple(value.shape)
            if not self.is_constant(index):
                if len(shape) != rank:
                    raise self.refuse(
                        f"signals of {rank} and {len(shape)} axes: {self.node.op} would match axes of one with events "
                        "of the other; reshape them to as many axes"
                    )
            elif len(shape) > rank or (len(shape) == rank and shape[0] != 1):
                raise self.refuse(
                    f"constant '{self.operand(index).name}' of shape {shape} with a signal of {rank} axes would mix "
                    "events, which are along the signal's first axis"
                )
        try:
            np.broadcast_shapes(*((1, *v.shape[1:]) if len(v.shape) == rank else tuple(v.shape) for v in values))
        except ValueError:
            raise self.refuse(f"shapes {[tuple(v.shape) for v in values]} do not fit together") from None
        return values


#: an operator: what a call gives, one value, or several where the node has several outputs
Operator: TypeAlias = Callable[[Call[Any]], Any]
OPERATORS: dict[tuple[str, str], Operator] = {}


def operator(*names: str, domain: str = STANDARD) -> Callable[[Operator], Operator]:
    """Register a function as the operator of these names in a domain."""

    def register(function: Operator) -> Operator:
        for name in names:
            assert (domain, name) not in OPERATORS, f"{name} stands twice"
            OPERATORS[domain, name] = function
        return function

    return register


def result_of(call: Call[Any]) -> tuple[Any, ...]:
    """Apply a call's operator; one value for each output. UnsupportedError names the node."""
    try:
        found = OPERATORS[call.node.domain, call.node.op](call)
    except UnsupportedError as error:
        text = str(error).removeprefix(f"{call.node.name}: ")
        # where any factor is taken, it is a constant's bits that a sum is too wide for, and nothing else is its fault
        told = not call.domain.rational or "float32" in text
        raise call.refuse((_refuse_unquantised(call) if told else None) or text) from None
    return found if isinstance(found, tuple) else (found,)


#: bits of a constant's numbers, above which it was hardly meant as a number of fixed point
_MOST_CONSTANT_BITS = 20


def _refuse_unquantised(call: Call[Any]) -> str | None:
    """Of a node that fails: that a constant of it is no number of fixed point, where that is why."""
    if call.node.domain != STANDARD or call.node.op not in ("Add", "Sub", "Mul", "MatMul", "Gemm", "Conv", "Sum"):
        return None
    for operand in call.operands:
        if operand is None or not operand.constant or call.folding:
            continue
        values = np.abs(np.asarray(operand.value, dtype=np.float64).ravel())
        values = values[values > 0]
        if values.size and np.log2(values.max() / grid(values).min()) > _MOST_CONSTANT_BITS:
            what = "bias_quant=Int16Bias" if call.node.op in ("Add", "Gemm", "Conv") else "weight_quant"
            name = operand.name or call.node.name
            return (
                f"constant '{name}' is not quantised (a value such as {values[0]:.6g} needs more than "
                f"{_MOST_CONSTANT_BITS} bits): give it a fixed-point quantiser, in Brevitas for instance {what}"
            )
    return None


def places(indices: Sequence[int]) -> NDArray[np.int64]:
    """Places along an axis."""
    return np.asarray(indices, dtype=np.int64)
