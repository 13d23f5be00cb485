"""Parts of a vector, lowest first, and how Verilog and VHDL write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ("Bits", "Part", "Replicated", "Zeros", "verilog_of", "vhdl_assignments")


@dataclass(frozen=True)
class Bits:
    """Bits ``high`` to ``low`` of the vector ``bus``."""

    bus: str
    high: int
    low: int

    @property
    def width(self) -> int:
        """How many."""
        return self.high - self.low + 1


@dataclass(frozen=True)
class Zeros:
    """So many zeros."""

    width: int


@dataclass(frozen=True)
class Replicated:
    """One bit of the vector ``bus``, ``width`` times: a sign; a zero where ``bus`` is None."""

    bus: str | None
    bit: int
    width: int


Part: TypeAlias = Bits | Zeros | Replicated


def verilog_of(part: Part) -> str:
    """A part as an operand of a concatenation."""
    match part:
        case Bits(bus, high, low):
            return f"{bus}[{high}:{low}]"
        case Zeros(width):
            return f"{width}'b0"
        case Replicated(bus, bit, width):
            taken = "1'b0" if bus is None else f"{bus}[{bit}]"
            return f"{{{width}{{{taken}}}}}"


def vhdl_assignments(target: str, parts: Sequence[Part]) -> Iterator[str]:
    """Concurrent assignments of the parts, lowest first, to the vector ``target``."""
    low = 0
    for part in parts:
        high = low + part.width - 1
        match part:
            case Bits(bus, top, bottom):
                value = f"{bus}({top} downto {bottom})"
            case Replicated(str() as bus, bit, _):
                value = f"(others => {bus}({bit}))"
            case _:
                value = "(others => '0')"
        yield f"{target}({high} downto {low}) <= {value};"
        low = high + 1
