"""Text of the DarkMachines data (https://doi.org/10.5281/zenodo.3961917, arXiv 2105.14027).

One event a line: ``id;process;weight;MET;METphi;obj,E,pt,eta,phi;...``, MeV; objects are ``j``, ``b`` (a tagged jet),
``e-``, ``e+``, ``m-``, ``m+`` and ``g`` (a photon). Here in GeV; the number of an event is not unique in these files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError
from codesign.physics.events.container import ChunkSize, Native

__all__ = ("Text", "is_darkmachines")

#: Object -> collection, and charge or b tag.
_OBJECTS: dict[str, tuple[str, int]] = {
    "j": ("Jet", 0),
    "b": ("Jet", 1),
    "e-": ("Electron", -1),
    "e+": ("Electron", 1),
    "m-": ("Muon", -1),
    "m+": ("Muon", 1),
    "g": ("Photon", 0),
}
_POINT = ("pt", "eta", "phi", "mass")
_EXTRA = {"Jet": "btag", "Electron": "charge", "Muon": "charge"}
_EVENT = ("event", "process", "genWeight", "MET_pt", "MET_phi")
#: No line of a real event comes near this.
_LONGEST = 1 << 20
_GEV = 1e-3
_NUMBER = rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_HEAD = re.compile(rb"\s*\d+;[^;,\n]*;" + _NUMBER + rb";" + _NUMBER + rb";" + _NUMBER + rb"\s*(;|$)", re.MULTILINE)


def is_darkmachines(head: bytes) -> bool:
    """Whether a file that begins so has this format."""
    return _HEAD.match(head) is not None


class Text:
    """A text file, read from its beginning; the number of events is known at its end only."""

    kind = "DarkMachines text"
    entries: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        jagged = [f"{c}_{f}" for c in ("Jet", "Electron", "Muon", "Photon") for f in _POINT]
        jagged += [f"{c}_{f}" for c, f in _EXTRA.items()]
        self.natives: Mapping[str, Native] = {name: Native(False) for name in _EVENT} | {
            name: Native(True) for name in jagged
        }

    def close(self) -> None:
        """Nothing is open between chunks."""

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk; the size is that of the text."""
        rows: list[tuple[Any, ...]] = []
        first = read = 0
        with self._path.open(encoding="utf-8", errors="replace") as stream:
            number = 0
            while line := stream.readline(_LONGEST):
                number += 1
                if not line.strip():
                    continue
                rows.append(self._event(number, line))
                read += len(line)
                if len(rows) >= size.events if size.events is not None else read >= (size.bytes or 0):
                    yield first, _arrays(rows, names)
                    first, read, rows = first + len(rows), 0, []
        if rows:
            yield first, _arrays(rows, names)

    def _event(self, number: int, line: str) -> tuple[Any, ...]:
        """Values of the event, and its objects: (collection, pt, eta, phi, mass, charge or tag)."""
        parts = line.strip().rstrip(";").split(";")
        if len(parts) < len(_EVENT):
            raise self._error(number, f"{len(parts)} values, not at least {len(_EVENT)}; is the file truncated?")
        if not line.endswith("\n") and len(line) >= _LONGEST - 1:
            raise self._error(number, f"longer than {_LONGEST} characters")
        objects = []
        try:
            head = (int(parts[0]), parts[1], float(parts[2]), float(parts[3]) * _GEV, float(parts[4]))
            for part in parts[len(_EVENT) :]:
                name, energy, pt, eta, phi = part.split(",")
                if name not in _OBJECTS:
                    raise self._error(number, f"unknown object '{name[:20]}'; known: {', '.join(_OBJECTS)}")
                collection, extra = _OBJECTS[name]
                e, p = float(energy) * _GEV, float(pt) * _GEV
                mass = np.sqrt(max(e * e - (p * np.cosh(float(eta))) ** 2, 0.0))
                objects.append((collection, p, float(eta), float(phi), mass, extra))
        except ValueError as error:
            reason = " ".join(str(error).split())[:120]
            raise self._error(number, f"not 'id;process;weight;MET;METphi;obj,E,pt,eta,phi;...' ({reason})") from None
        return head, objects

    def _error(self, number: int, reason: str) -> InputError:
        return InputError(f"{self._path}: line {number}: {reason}")


def _arrays(rows: list[tuple[Any, ...]], names: Sequence[str]) -> dict[str, Any]:
    import awkward as ak

    types = {"event": np.int64, "genWeight": np.float64, "MET_pt": np.float32, "MET_phi": np.float32}
    arrays: dict[str, Any] = {}
    for place, name in enumerate(_EVENT):
        if name in names:
            values = [head[place] for head, _ in rows]
            arrays[name] = ak.from_iter(values) if name == "process" else np.array(values, dtype=types[name])
    for collection in ("Jet", "Electron", "Muon", "Photon"):
        fields = [n for n in names if n.startswith(f"{collection}_")]
        if not fields:
            continue
        objects = [[o for o in found if o[0] == collection] for _, found in rows]
        counts = [len(o) for o in objects]
        flat = [o for found in objects for o in found]
        for name in fields:
            field = name.removeprefix(f"{collection}_")
            place = _POINT.index(field) + 1 if field in _POINT else 5
            kind = np.float32 if field in _POINT else np.int8
            arrays[name] = ak.unflatten(np.array([o[place] for o in flat], dtype=kind), counts)
    return {name: value if isinstance(value, ak.Array) else ak.from_numpy(value) for name, value in arrays.items()}
