"""Pattern files of CTP7 and APx: the links' words of a crossing, 32 bits a line, the lowest first.

A line is a count and a word of each link, hexadecimal; what stands before ``#BeginData`` is a heading. After
cms-hls4ml/CICADA at 0aafbd2c82d8, CICADA_v2p2p0/algo_unpacked_tb.cpp: 4 lines for a link of 128 bits, 6 for one of 192.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.reading.plain import given_text

__all__ = ("ctp7_patterns", "read_ctp7_patterns")

_WORD = 32
_BEGIN = "#BeginData"
_MOST_BYTES = 1 << 30


def ctp7_patterns(events: Sequence[Sequence[int]], bits: int) -> str:
    """The text of a file for words of each link (events, links), of so many bits."""
    links = len(events[0]) if events else 0
    heading = ["=" * (12 + 14 * links), "WordCnt   " + "    ".join(f"LINK_{i:02d}   " for i in range(links)), _BEGIN]
    lines, count = heading, 0
    for event in events:
        if any(not 0 <= word < 1 << bits for word in event):
            raise InputError(f"a word of a link does not fit {bits} bits")
        for low in range(0, bits, _WORD):
            words = (f"0x{word >> low & (1 << _WORD) - 1:08x}" for word in event)
            lines.append(f"0x{count:04x}   {'    '.join(words)}")
            count += 1
    return "\n".join(lines) + "\n"


def read_ctp7_patterns(path: Path, bits: int) -> list[list[int]]:
    """Words of each link, of so many bits, for every crossing; InputError with the line that is wrong."""
    lines = given_text(path, _MOST_BYTES).splitlines()
    if _BEGIN not in lines:
        raise InputError(f"{path}: no line {_BEGIN}")
    rows: list[list[int]] = []
    for number, line in enumerate(lines[lines.index(_BEGIN) + 1 :], lines.index(_BEGIN) + 2):
        if not line.strip():
            continue
        parts = line.split()
        wrong = [p for p in parts if not re.fullmatch(r"0x[0-9A-Fa-f]{1,8}", p)]
        if wrong:
            raise InputError(f"{path}:{number}: '{wrong[0][:40]}' is no hexadecimal word of 32 bits")
        if len(parts) < 2 or (rows and len(parts) - 1 != len(rows[0])):
            raise InputError(
                f"{path}:{number}: {len(parts) - 1} links, the first line has {len(rows[0]) if rows else 0}"
            )
        rows.append([int(p, 16) for p in parts[1:]])
    each = bits // _WORD
    if not rows or len(rows) % each:
        raise InputError(f"{path}: {len(rows)} lines of words; a crossing of links of {bits} bits has {each}")
    return [
        [sum(rows[start + k][link] << _WORD * k for k in range(each)) for link in range(len(rows[0]))]
        for start in range(0, len(rows), each)
    ]
