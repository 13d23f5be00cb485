"""Constants of folded firmware: those of each item, a word in each clock, and what changes no sum or maximum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.domain import Array
from codesign.graph.streams import Combine

__all__ = ("neutral", "selected", "table_gates", "table_words")


def table_words(items: Array, types: Sequence[FixedPoint], lanes: int) -> list[str]:
    """Bits of each word of items (items, ...), the first element's last; zeros in slots without an item."""
    words = []
    for word in np.split(items, range(lanes, len(items), lanes)):
        codes = [
            f"{round(value / kind.lsb) % (1 << kind.width):0{kind.width}b}" if kind.width else ""
            for item in word.reshape(len(word), -1)
            for value, kind in zip(item, types, strict=True)
        ]
        words.append("".join(codes[::-1]).zfill(lanes * sum(kind.width for kind in types)))
    return words


def selected(words: Sequence[str], start: int) -> str:
    """The word of each clock from ``at[start]`` on; zeros in others, where there are several words."""
    width = len(words[0])
    if len(words) == 1:
        return f"{width}'b{words[0]}"
    return "\n        | ".join(f"({{{width}{{at[{start + n}]}}}} & {width}'b{bits})" for n, bits in enumerate(words))


def table_gates(words: Sequence[str]) -> int:
    """Look-up tables of six inputs: one for each way in which a bit changes from word to word."""
    ways = {bits for bits in zip(*words, strict=True) if "1" in bits}
    return len(ways) * -(-len(words) // 6) if len(words) > 1 else 0


def neutral(combine: Combine | None, kind: FixedPoint) -> int:
    """The bits that change no sum, maximum or minimum."""
    if combine is Combine.SUM:
        return 0
    smallest, largest = kind.minimum % (1 << kind.width), kind.maximum
    return smallest if combine is Combine.MAX else largest
