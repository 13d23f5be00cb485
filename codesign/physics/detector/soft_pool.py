"""Pile-up: a pool of soft collisions as the detector sees each, turned in azimuth, mirrored and summed.

Soft are inelastic collisions whose hardest scattering is below ``HARD_SCALE``: each is used again and again, in one of
72 azimuths and 2 reflections. What is rare and hard must not repeat: harder collisions are drawn with their own rate,
and each is generated anew (``chunk``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, ToolError
from codesign.core.reading.npz import npz_arrays
from codesign.core.runfolder import written_atomically
from codesign.physics.chunk import seed_of_name, started_pythia
from codesign.physics.detector.event_card import ENERGY, EventCard
from codesign.physics.detector.particles import collisions_of, true_muons
from codesign.physics.detector.smearing import CE, N_HLT, PH, USED, fill, new_grid, wipe
from codesign.physics.detector.towers import PHI_STEP, PHIS, RINGS, turn

__all__ = (
    "BEAMS",
    "HARD_SCALE",
    "HARD_SHARE",
    "SoftPool",
    "make_collisions",
    "overlay",
    "read_pool",
    "readable",
    "turned_muons",
    "write_collisions",
)

#: pT of the hardest scattering, GeV, from which on a collision is not taken from the pool.
HARD_SCALE = 30.0
#: Share of such collisions: Pythia 8.317, HardQCD above HARD_SCALE 0.1736 mb, all inelastic collisions 78.6 mb.
HARD_SHARE = 0.00221
#: Settings of all collisions; what lives longer than 10 mm is left to the detector, as in CMS's simulation.
BEAMS = (
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    f"Beams:eCM = {ENERGY}",
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10",
)
#: Columns of a pool: those of a grid up to the number of tracks.
_COLUMNS = N_HLT + 1
#: What is left out of a pool: towers that see less than this, GeV.
_LEAST = 0.01


@dataclass(frozen=True)
class SoftPool:
    """Soft collisions.

    ``first``: (collisions + 1,) offsets into ``towers``, (n,), and ``cells``, (n, 9) float32; ``muon_first`` likewise
    into ``muons``, (m, 4) pT, eta, phi, charge.
    """

    first: NDArray[np.int64]
    towers: NDArray[np.uint16]
    cells: NDArray[np.float32]
    muon_first: NDArray[np.int64]
    muons: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first) - 1


def make_collisions(
    card: EventCard, number: int, collisions: int, done: Callable[[int], None] | None = None
) -> SoftPool:
    """Generate the soft collisions of one piece of a pool, and what the detector sees of each."""
    seed = seed_of_name(card.seed, "soft", number)
    pythia = started_pythia("pile-up", seed, (*BEAMS, "SoftQCD:inelastic = on"))
    random = np.random.default_rng(seed)
    cells, used, count = new_grid()
    towers, values, muons = [], [], []
    first, muon_first = [0], [0]
    for collision in collisions_of(pythia, "pile-up", 100):
        if collision.pt_hat >= HARD_SCALE:
            continue
        c = collision
        fill(cells, used, count, 0, len(c.kind), c.kind, c.status, c.px, c.py, c.pz, c.e, random)
        muons.append(true_muons(c.kind, c.status, c.px, c.py, c.pz, random))
        index = np.sort(used[: count[0]])
        seen = cells[index]
        seen[:, PH] += seen[:, CE]
        keep = seen[:, : _COLUMNS - 2].max(axis=1) > _LEAST
        towers.append(index[keep].astype(np.uint16))
        values.append(seen[keep, :_COLUMNS])
        first.append(first[-1] + len(towers[-1]))
        muon_first.append(muon_first[-1] + len(muons[-1]))
        wipe(cells, used, count)
        if done is not None and len(towers) % 100 == 0:
            done(len(towers))
        if len(towers) == collisions:
            break
    return SoftPool(
        np.array(first), np.concatenate(towers), np.concatenate(values), np.array(muon_first), np.concatenate(muons)
    )


def write_collisions(path: Path, pool: SoftPool) -> None:
    """Write a piece of a pool, whole or not at all."""
    with written_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            first=pool.first,
            towers=pool.towers,
            cells=pool.cells,
            muon_first=pool.muon_first,
            muons=pool.muons,
        )


def readable(path: Path, collisions: int) -> bool:
    """Whether a piece of a pool is there, whole, with so many collisions."""
    try:
        data = npz_arrays(path)
        first = data["first"]
        return bool(len(first) == collisions + 1 and len(data["towers"]) == first[-1] and "muons" in data)
    except (InputError, ValueError, KeyError, TypeError):
        return False


def read_pool(paths: list[Path]) -> SoftPool:
    """Read and join the pieces of a pool; ToolError where one cannot be read."""
    return _read_pool(tuple(paths))


@functools.lru_cache(maxsize=1)
def _read_pool(paths: tuple[Path, ...]) -> SoftPool:
    pieces = []
    for path in paths:
        try:
            data = npz_arrays(path)
            pieces.append({name: data[name] for name in ("first", "towers", "cells", "muon_first", "muons")})
        except (InputError, KeyError):
            raise ToolError(f"{path}: soft collisions that were just made cannot be read; is the disk full?") from None

    def offsets(name: str) -> NDArray[np.int64]:
        sizes = np.concatenate([np.diff(p[name]) for p in pieces])
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def join_all(name: str) -> Any:
        return np.concatenate([p[name] for p in pieces])

    return SoftPool(offsets("first"), join_all("towers"), join_all("cells"), offsets("muon_first"), join_all("muons"))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def overlay(
    cells: Any, used: Any, count: Any, first: Any, towers: Any, values: Any, chosen: Any, turns: Any, mirrored: Any
) -> None:
    """Add the chosen collisions of a pool to a grid, each turned by ``turns`` towers and mirrored in eta or not."""
    for c in range(len(chosen)):
        for i in range(first[chosen[c]], first[chosen[c] + 1]):
            ring, k = divmod(np.int64(towers[i]), PHIS)
            if mirrored[c]:
                ring = RINGS - 1 - ring
            k += turns[c]
            if k >= PHIS:
                k -= PHIS
            tower = ring * PHIS + k
            row = cells[tower]
            if row[USED] == 0:
                row[USED] = 1
                used[count[0]] = tower
                count[0] += 1
            for column in range(_COLUMNS):
                row[column] += values[i, column]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def turned_muons(muon_first: Any, muons: Any, chosen: Any, turns: Any, mirrored: Any) -> Any:
    """(n, 4) pT, eta, phi, charge of the muons of the chosen collisions, turned and mirrored as they are."""
    n = 0
    for c in chosen:
        n += muon_first[c + 1] - muon_first[c]
    out = np.empty((n, 4))
    count = 0
    for c in range(len(chosen)):
        for i in range(muon_first[chosen[c]], muon_first[chosen[c] + 1]):
            out[count] = muons[i]
            out[count, 2] = turn(muons[i, 2] + turns[c] * PHI_STEP)
            if mirrored[c]:
                out[count, 1] = -muons[i, 1]
            count += 1
    return out
