"""Verilog of bits: elements out of vectors, from one fixed-point type to another, and vectors of elements."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.core.fixedpoint import FixedPoint

__all__ = ("concatenate", "convert", "element", "offsets_of", "total_width")


def offsets_of(kinds: Sequence[FixedPoint]) -> list[int]:
    """Lowest bit of each element of a vector that packs them from bit 0 upwards."""
    found = [0]
    for kind in kinds:
        found.append(found[-1] + kind.width)
    return found[:-1]


def total_width(kinds: Sequence[FixedPoint]) -> int:
    """Bits of a vector."""
    return sum(k.width for k in kinds)


def element(vector: str, low: int, width: int) -> str:
    """Some bits of a vector; nothing where there are none."""
    return f"{vector}[{low + width - 1}:{low}]" if width else ""


def convert(vector: str, low: int, inner: FixedPoint, outer: FixedPoint) -> list[str]:
    """Parts, lowest first, of the element of type ``inner`` at bit ``low`` as one of type ``outer``.

    The value must fit: bits above are dropped, and none is dropped below.
    """
    if outer.width == 0:
        return []
    if inner.width == 0:
        return [f"{outer.width}'b0"]
    zeros = outer.fraction_bits - inner.fraction_bits
    dropped, zeros = max(0, -zeros), min(max(0, zeros), outer.width)
    parts = [f"{zeros}'b0"] if zeros else []
    kept = min(inner.width - dropped, outer.width - zeros)
    if kept > 0:
        parts.append(element(vector, low + dropped, kept))
    missing = outer.width - zeros - max(kept, 0)
    if missing:
        top = f"{vector}[{low + inner.width - 1}]" if inner.signed else "1'b0"
        parts.append(f"{{{missing}{{{top}}}}}")
    return parts


def concatenate(parts: Sequence[str]) -> str:
    """A vector of parts, lowest first."""
    kept = [p for p in parts if p]
    lines, line = [], ""
    for part in reversed(kept):
        if len(line) + len(part) > 100:
            lines.append(line)
            line = ""
        line += ("" if not line else " ") + part + ","
    lines.append(line.rstrip(","))
    return "{" + "\n        ".join(lines) + "}"
