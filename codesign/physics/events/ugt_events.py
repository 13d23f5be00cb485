"""Test vectors of CMS's global trigger as events: Level-1 objects in the trigger's own integers, a crossing an event.

Bits of a word as in mp7_ugt_legacy's ``gtl_pkg.vhd`` (:mod:`codesign.physics.events.ugt_vectors`): a jet has 11 bits
of energy, then 8 of eta with sign and 8 of phi; an electron, photon or tau 9, 8 and 8, and 2 of isolation; a muon 10 of
phi, 9 of pT, 4 of quality and from bit 23 on 9 of eta; a sum 12 of energy and 8 of phi. A word without energy is no
object. ``event`` is the crossing's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from codesign.core.errors import InputError
from codesign.physics.events.container import ChunkSize, Native
from codesign.physics.events.l1_scales import L1_SUMS, physical
from codesign.physics.events.ugt_vectors import UgtCrossing, crossing_of

__all__ = ("VectorText", "is_ugt_vectors")

_POINT: Final = ("pt", "eta", "phi")
#: collection -> the columns' name there, how many, and each field's lowest bit and width; eta has a sign
_OBJECTS: Mapping[str, tuple[str, int, Mapping[str, tuple[int, int]]]] = {
    "L1Jet": ("jets", 12, {"hwPt": (0, 11), "hwEta": (11, 8), "hwPhi": (19, 8)}),
    "L1EG": ("egammas", 12, {"hwPt": (0, 9), "hwEta": (9, 8), "hwPhi": (17, 8), "hwIso": (25, 2)}),
    "L1Tau": ("taus", 12, {"hwPt": (0, 9), "hwEta": (9, 8), "hwPhi": (17, 8), "hwIso": (25, 2)}),
    "L1Mu": ("muons", 8, {"hwPhi": (0, 10), "hwPt": (10, 9), "hwQual": (19, 4), "hwEta": (23, 9)}),
}
#: type of sum -> its column
_SUMS = {"ET": "et", "HT": "ht", "MET": "etmiss", "MHT": "htmiss", "FET": "ethfmiss"}
_LONGEST, _MOST_LINES = 1 << 13, 10**8
_HEAD = re.compile(rb"\s*[0-9]{1,6}( [0-9A-Fa-f]{16}){8}( [0-9A-Fa-f]{8}){12}")


def is_ugt_vectors(head: bytes) -> bool:
    """Whether a file that begins so is one of test vectors."""
    return _HEAD.match(head) is not None


class VectorText:
    """A text file, read line by line from its beginning; the number of crossings is known at its end only."""

    kind = "test vectors"
    entries: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        names = [
            *(f"{c}_{f}" for c, (_, _, bits) in _OBJECTS.items() for f in (*bits, *_POINT)),
            *(f"L1EtSum_{f}" for f in ("pt", "phi", "hwPt", "hwPhi", "etSumType")),
        ]
        self.natives: Mapping[str, Native] = {"event": Native(False)} | {name: Native(True) for name in names}

    def close(self) -> None:
        """Nothing is open between chunks."""

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk; the size is that of the text."""
        found: list[UgtCrossing] = []
        first = read = 0
        with self._path.open(encoding="ascii", errors="replace") as stream:
            for number in range(1, _MOST_LINES):
                if not (line := stream.readline(_LONGEST)):
                    break
                if not line.strip():
                    continue
                found.append(crossing_of(line.split(), f"{self._path}:{number}"))
                read += len(line)
                if len(found) >= size.events if size.events is not None else read >= (size.bytes or 0):
                    yield first, _arrays(found, names)
                    first, read, found = first + len(found), 0, []
            else:
                raise InputError(f"{self._path}: more than {_MOST_LINES} lines")
        if found:
            yield first, _arrays(found, names)


def _arrays(crossings: Sequence[UgtCrossing], names: Sequence[str]) -> dict[str, Any]:
    import awkward as ak

    arrays: dict[str, Any] = {"event": ak.from_numpy(np.array([c.crossing for c in crossings], dtype=np.int64))}
    for collection, (column, most, bits) in _OBJECTS.items():
        if not any(name.startswith(f"{collection}_") for name in names):
            continue
        # words of 64 bits, whose upper half a muon alone has
        words = np.array([[c.words.get(f"{column}_{i}", 0) for i in range(most)] for c in crossings], dtype=np.uint64)
        codes = {field: _field(words, *place, signed=field == "hwEta") for field, place in bits.items()}
        there = codes["hwPt"] > 0
        counts = there.sum(axis=1)
        for field, values in codes.items():
            arrays[f"{collection}_{field}"] = ak.unflatten(values[there], counts)
        for field in _POINT:
            own = codes[f"hw{field.capitalize()}"][there]
            arrays[f"{collection}_{field}"] = ak.unflatten(physical(collection, field, own), counts)
    words = np.array([[c.words.get(name, 0) for name in _SUMS.values()] for c in crossings], dtype=np.uint64)
    codes = {"hwPt": _field(words, 0, 12), "hwPhi": _field(words, 12, 8)}
    kinds = np.tile(np.array([L1_SUMS[kind] for kind in _SUMS], dtype=np.int32), (len(crossings), 1))
    sums = {"hwPt": codes["hwPt"], "hwPhi": codes["hwPhi"], "etSumType": kinds}
    sums |= {field: physical("L1EtSum", field, codes[f"hw{field.capitalize()}"]) for field in ("pt", "phi")}
    arrays |= {f"L1EtSum_{field}": ak.from_regular(ak.from_numpy(values)) for field, values in sums.items()}
    return {name: arrays[name] for name in names}


def _field(words: Any, low: int, width: int, signed: bool = False) -> Any:
    """Codes, int32, of so many bits of words from ``low`` on."""
    codes = ((words >> np.uint64(low)) & np.uint64((1 << width) - 1)).astype(np.int64)
    return (codes - (1 << width) * ((codes >> (width - 1)) & 1) if signed else codes).astype(np.int32)
