"""Text vectors of the EMP framework (version 2): a frame a line, of each link four bits of metadata and 64 of data.

``ID: x0``, ``Metadata: ...``, an empty line, ``Link`` and the links' numbers, then ``Frame 0000    1101
00000000deadbeef``, with two blanks at least between words and their metadata, as the files of p2l1pfp and cms-L1TK
have them (cms-L1TK/l1tk-for-emp at 575c27b58cc8, script/convert_emData2EMP_FT.py and dr/firmware/emData/in.txt).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.reading.plain import given_text

__all__ = ("EmpWord", "emp_vectors", "read_emp_vectors")

_METADATA = "Metadata: (strobe,) start of orbit, start of packet, end of packet, valid"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class EmpWord:
    """A word of a link in one frame."""

    data: int = 0
    valid: bool = False
    start: bool = False
    last: bool = False
    start_of_orbit: bool = False

    def __str__(self) -> str:
        flags = (self.start_of_orbit, self.start, self.last, self.valid)
        return f"{''.join(str(int(flag)) for flag in flags)} {self.data:016x}"


def emp_vectors(frames: Sequence[Mapping[int, EmpWord]], name: str = "x0") -> str:
    """The text of a file for words by link, one mapping a frame; InputError where links come and go."""
    links = sorted(frames[0]) if frames else []
    lines = [
        f"ID: {name}",
        _METADATA,
        "",
        "      Link  " + "".join(f"            {link:03d}        " for link in links),
    ]
    for number, frame in enumerate(frames):
        if sorted(frame) != links:
            raise InputError(f"frame {number} has other links than the first")
        lines.append(f"Frame {number:04d}    " + "    ".join(str(frame[link]) for link in links))
    return "\n".join(lines) + "\n"


def read_emp_vectors(path: Path) -> list[dict[int, EmpWord]]:
    """Words by link of every frame; InputError with the line that is wrong."""
    lines = [(n, line) for n, line in enumerate(given_text(path, _MOST_BYTES).splitlines(), 1) if line.strip()]
    lines = [(n, line) for n, line in lines if not line.startswith("#")]
    if len(lines) < 3 or not lines[0][1].startswith("ID: ") or not lines[1][1].startswith(_METADATA):
        raise InputError(f"{path}: expected 'ID: ' and '{_METADATA}' first: it is no text vector of EMP, version 2")
    number, heading = lines[2]
    words = heading.split()
    if words[0] != "Link" or not all(w.isdecimal() for w in words[1:]) or len(set(words)) != len(words):
        raise InputError(f"{path}:{number}: expected 'Link' and a number for each link")
    links = [int(w) for w in words[1:]]
    return [_frame(line, links, at, f"{path}:{n}") for at, (n, line) in enumerate(lines[3:])]


def _frame(line: str, links: Sequence[int], at: int, where: str) -> dict[int, EmpWord]:
    match = re.fullmatch(r"Frame (\d{4,})((?:\s\s+[01]{4,5} [0-9A-Fa-f]{16})*)\s*", line)
    if match is None:
        raise InputError(
            f"{where}: expected 'Frame 0000' and, two blanks apart, '0000 ' and 16 hexadecimal digits each"
        )
    words = match[2].split()
    if int(match[1]) != at or len(words) != 2 * len(links):
        raise InputError(
            f"{where}: frame {match[1]} of {len(words) // 2} links, expected frame {at:04d} of {len(links)}"
        )
    found = {}
    for link, flags, data in zip(links, words[::2], words[1::2], strict=True):
        orbit, start, last, valid = (flag == "1" for flag in flags[-4:])
        found[link] = EmpWord(int(data, 16), valid, start, last, orbit)
    return found
