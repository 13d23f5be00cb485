"""Test-vector files of the global trigger: a line a crossing, hexadecimal words in the order of its own simulation.

Crossing, 8 muons of 64 bits, 12 electrons or photons, 12 taus, 12 jets of 32 bits, ett, htt, etm, htm, etmhf, htmhf,
six words of CICADA, 256 external conditions, 512 algorithms, and finor. After cms-l1-globaltrigger/mp7_ugt_legacy at
6892efd3829a: firmware/sim/testbench/lhc_data_debug_util_pkg.vhd (``string_to_lhc_data_t``), and the files themselves,
such as firmware/sim/adt_test/l1menu_adt_v6/TestVector_L1Menu_adt_v6_01.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.reading.plain import given_text

__all__ = ("UGT_ALGORITHMS", "UgtCrossing", "crossing_of", "read_ugt_vectors", "ugt_vectors")

UGT_ALGORITHMS = 512
#: name of each column, or of each of several, and its hexadecimal digits
_COLUMNS: tuple[tuple[str, int], ...] = (
    *((f"muons_{i}", 16) for i in range(8)),
    *((f"egammas_{i}", 8) for i in range(12)),
    *((f"taus_{i}", 8) for i in range(12)),
    *((f"jets_{i}", 8) for i in range(12)),
    *((name, 8) for name in ("et", "ht", "etmiss", "htmiss", "ethfmiss", "hthfmiss")),
    *((f"cicada_{i}", 8) for i in range(6)),
)
_CONDITIONS = 64
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class UgtCrossing:
    """One line. ``words`` by the names of the block's pins, and ``cicada_0`` to ``cicada_5``; 0 where not given."""

    crossing: int
    words: dict[str, int] = field(default_factory=dict)
    conditions: int = 0
    algorithms: int = 0
    finor: int = 0

    def decided(self, algorithm: int, fires: bool) -> UgtCrossing:
        """The same crossing with the bit of an algorithm set or not, and finor that of all bits."""
        bit = 1 << algorithm
        found = self.algorithms | bit if fires else self.algorithms & ~bit
        return replace(self, algorithms=found, finor=int(found != 0))

    def line(self) -> str:
        """As it stands in a file."""
        words = [f"{self.words.get(name, 0):0{digits}x}" for name, digits in _COLUMNS]
        if any(len(text) > digits for text, (_, digits) in zip(words, _COLUMNS, strict=True)):
            raise InputError(f"crossing {self.crossing}: a word does not fit its column")
        ends = [f"{self.conditions:0{_CONDITIONS}x}", f"{self.algorithms:0{UGT_ALGORITHMS // 4}x}", str(self.finor)]
        return " ".join([f"{self.crossing:04d}", *words, *ends])


def ugt_vectors(crossings: Iterable[UgtCrossing]) -> str:
    """The text of a file."""
    return "".join(f"{crossing.line()}\n" for crossing in crossings)


def read_ugt_vectors(path: Path) -> list[UgtCrossing]:
    """The crossings of a file; InputError with the line that is none."""
    found = []
    for number, line in enumerate(given_text(path, _MOST_BYTES).splitlines(), 1):
        if line.strip():
            found.append(crossing_of(line.split(), f"{path}:{number}"))
    if not found:
        raise InputError(f"{path}: no crossing in it")
    return found


def crossing_of(parts: Sequence[str], where: str) -> UgtCrossing:
    """A line's crossing; InputError, with ``where``, for one that is none."""
    expected = len(_COLUMNS) + 4
    if len(parts) != expected:
        raise InputError(f"{where}: {len(parts)} columns, a crossing of the global trigger has {expected}")
    number, *words, conditions, algorithms, finor = parts
    if not re.fullmatch(r"[0-9]{1,6}", number) or finor not in ("0", "1"):
        raise InputError(f"{where}: expected a crossing's number first and finor, 0 or 1, last")
    columns = [*_COLUMNS, ("external conditions", _CONDITIONS), ("algorithms", UGT_ALGORITHMS // 4)]
    values = []
    for text, (name, digits) in zip([*words, conditions, algorithms], columns, strict=True):
        if not re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", text):
            raise InputError(f"{where}: {name} is '{text[:40]}', expected {digits} hexadecimal digits")
        values.append(int(text, 16))
    held = {name: value for (name, _), value in zip(_COLUMNS, values[:-2], strict=True) if value}
    return UgtCrossing(int(number), held, values[-2], values[-1], int(finor))
