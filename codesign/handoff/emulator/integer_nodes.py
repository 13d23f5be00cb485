"""The nodes of an integer circuit: whole numbers with proven bounds, and what computes each from others."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from codesign.core.fixedpoint import FixedPoint

__all__ = ("CircuitNode", "Clip", "Floor", "Input", "Linear", "Lookup", "Op", "Product", "Selected", "Sign", "Signal")


@dataclass(frozen=True)
class Input:
    """Code of one input."""

    index: int
    kind: FixedPoint


@dataclass(frozen=True)
class Linear:
    """``constant + sum(coefficient * node)``."""

    terms: tuple[tuple[CircuitNode, int], ...]
    constant: int


@dataclass(frozen=True)
class Product:
    """``left * right``."""

    left: CircuitNode
    right: CircuitNode


@dataclass(frozen=True)
class Floor:
    """``floor((x + constant + coefficient * bit) / 2**shift)``: every rounding mode, see quantiser.Rounding."""

    x: CircuitNode
    shift: int
    constant: int
    coefficient: int
    bit: Literal["none", "negative", "odd"]


@dataclass(frozen=True)
class Clip:
    """``min(max(x, low), high)``; a bound that cannot bite is None."""

    x: CircuitNode
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Sign:
    """1 where ``x >= 0``, else -1."""

    x: CircuitNode


@dataclass(frozen=True)
class Selected:
    """``chosen`` where ``bit`` is not 0, else ``other``."""

    bit: CircuitNode
    chosen: CircuitNode
    other: CircuitNode


@dataclass(frozen=True)
class Lookup:
    """``values[x - first]``."""

    x: CircuitNode
    first: int
    values: tuple[int, ...]


Op = Input | Linear | Product | Floor | Clip | Sign | Selected | Lookup


@dataclass(frozen=True, eq=False)
class CircuitNode:
    """One integer of the circuit, always in [low, high]. Numbers grow from operands to results."""

    number: int
    op: Op
    low: int
    high: int

    @property
    def operands(self) -> tuple[CircuitNode, ...]:
        """The nodes it is computed from."""
        match self.op:
            case Input():
                return ()
            case Linear(terms, _):
                return tuple(node for node, _ in terms)
            case Product(left, right):
                return left, right
            case Selected(bit, chosen, other):
                return bit, chosen, other
            case Floor(x=x) | Clip(x=x) | Lookup(x=x) | Sign(x):
                return (x,)


@dataclass(frozen=True, eq=False)
class Signal:
    """The number ``node * 2**exponent``."""

    node: CircuitNode
    exponent: int

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The least and the largest that it can be."""
        unit = Fraction(2) ** self.exponent
        return self.node.low * unit, self.node.high * unit
