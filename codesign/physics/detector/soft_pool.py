"""Pile-up: a pool of soft collisions as the detector sees each, turned in azimuth, mirrored and summed.

Each collision of the pool is used again and again, in one of 72 azimuths and 2 reflections. What can fire a trigger
must not repeat, so that it is no part of the pool, and is generated anew for each event with its own rate:

- collisions whose hardest scattering is above ``HARD_SCALE``, and those between the card's ``fresh_from`` and it;
- softer ones in which the Level-1 trigger finds an object above ``fresh_from`` (jet, electron or photon), or with a
  muon above 2 GeV of a heavy quark: for these stand harder ones whose hardest object is as soft (``fresh_objects``);
- decays of pions and kaons to muons: drawn anew at every use of the collision.

A pool is made of ``GROUPS`` groups. An event takes its soft collisions from one group, and events of one group are
never in two splits of a sample, so that training, validation and test have pools of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
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
from codesign.physics.detector import level1
from codesign.physics.detector.event_card import ENERGY, EventCard
from codesign.physics.detector.particles import Collision, collisions_of, decayed, muon_parents
from codesign.physics.detector.smearing import CE, N_HLT, PH, USED, Grid, fill, new_grid, wipe
from codesign.physics.detector.towers import PHI_STEP, PHIS, RINGS, turn

__all__ = (
    "BEAMS",
    "GROUPS",
    "HARD_SCALE",
    "HARD_SHARE",
    "SECOND",
    "TAMED",
    "UNDER",
    "SoftPool",
    "bare_scatterings",
    "drawn_muons",
    "fresh_collisions",
    "fresh_objects",
    "hardest_object",
    "make_collisions",
    "overlay",
    "read_pool",
    "readable",
    "write_collisions",
)

#: pT of the hardest scattering, GeV, from which on a collision is generated whole, with all that lies under it.
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
#: Of collisions between ``fresh_from`` and HARD_SCALE the scattering alone is generated, eleven times as fast.
_BARE = ("HardQCD:all = on", "PartonLevel:MPI = off", f"PhaseSpace:pTHatMax = {HARD_SCALE}")
#: The hardest scattering of a collision is at p with 1 - TAMED (10 GeV / p)^2 of what the cross-section of scatterings
#: says, which is damped at small p, and of which a harder one may be beside (Pythia 8.317: 0.66 +- 0.03 of it from 10
#: to 12 GeV, 0.81 +- 0.05 to 14, 0.76 +- 0.06 to 17, 1.06 +- 0.07 above). So many of bare scatterings are kept.
TAMED = 0.38
#: Share of such collisions with another bare scattering beside: whole ones have so many more Level-1 jets above 10 GeV.
SECOND = 0.36
#: Soft collisions that are laid over such a scattering, on average, for what else lies under it: whole collisions from
#: 10 to 30 GeV have so much more transverse energy (Pythia 8.317).
UNDER = 2.24
#: Groups of a pool: a split of a sample has whole ones.
GROUPS = 20
#: The hardest object of what stands for a soft collision that fires: up to so many times ``fresh_from``.
_AS_SOFT = 1.4
#: Columns of a pool: those of a grid up to the number of tracks.
_COLUMNS = N_HLT + 1
#: What is left out of a pool: towers that see less than this, GeV.
_LEAST = 0.01
_MUON = 13
_NAMES = ("first", "towers", "cells", "muon_first", "muons", "seen")


@dataclass(frozen=True)
class SoftPool:
    """Soft collisions.

    ``first``: (collisions + 1,) offsets into ``towers``, (n,), and ``cells``, (n, 9) float32; ``muon_first`` likewise
    into ``muons``, (m, 5) pT, eta, phi, charge, PDG code of what is or may become a muon. ``seen``: (3,) of the
    collisions below ``HARD_SCALE`` that were generated for it: those taken, those above ``fresh_from``, and those that
    are softer and fire.
    """

    first: NDArray[np.int64]
    towers: NDArray[np.uint16]
    cells: NDArray[np.float32]
    muon_first: NDArray[np.int64]
    muons: NDArray[np.float64]
    seen: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of all collisions: those of the pool's kind, those generated anew, and those that stand for soft ones."""
        return np.asarray(self.seen / self.seen.sum() * (1 - HARD_SHARE))

    def group(self, event: int) -> tuple[int, int, int]:
        """The group of an event by its place in the sample, and the places of its collisions: first, and behind the
        last."""
        group = event % GROUPS
        return group, len(self) * group // GROUPS, len(self) * (group + 1) // GROUPS


def make_collisions(
    card: EventCard, number: int, collisions: int, done: Callable[[int], None] | None = None
) -> SoftPool:
    """Generate the soft collisions of one piece of a pool, and what the detector sees of each."""
    seed = seed_of_name(card.seed, "soft", number)
    pythia = started_pythia("pile-up", seed, (*BEAMS, "SoftQCD:inelastic = on"))
    random, least = np.random.default_rng(seed), card.pile_up.fresh_from
    grid = cells, used, count = new_grid()
    towers, values, muons = [], [], []
    first, muon_first = [0], [0]
    seen = np.zeros(3, np.int64)
    for collision in collisions_of(pythia, "pile-up", 100):
        c = collision
        if c.pt_hat >= HARD_SCALE:
            continue
        if c.pt_hat >= least:
            seen[1] += 1
            continue
        wipe(*grid)
        fill(cells, used, count, 0, len(c.kind), c.kind, c.status, c.px, c.py, c.pz, c.e, random)
        parents = muon_parents(c.kind, c.status, c.px, c.py, c.pz)
        if least < HARD_SCALE and ((parents[:, 4] == _MUON).any() or hardest_object(cells, random) >= least):
            seen[2] += 1
            continue
        seen[0] += 1
        muons.append(parents)
        index = np.sort(used[: count[0]])
        found = cells[index]
        found[:, PH] += found[:, CE]
        keep = found[:, : _COLUMNS - 2].max(axis=1) > _LEAST
        towers.append(index[keep].astype(np.uint16))
        values.append(found[keep, :_COLUMNS])
        first.append(first[-1] + len(towers[-1]))
        muon_first.append(muon_first[-1] + len(muons[-1]))
        if done is not None and len(towers) % 100 == 0:
            done(len(towers))
        if len(towers) == collisions:
            break
    return SoftPool(
        np.array(first),
        np.concatenate(towers),
        np.concatenate(values),
        np.array(muon_first),
        np.concatenate(muons),
        seen,
    )


_EMPTY: Grid = new_grid()


def hardest_object(cells: NDArray[np.float32], random: np.random.Generator) -> float:
    """pT of the hardest Level-1 object, jet before calibration, electron or photon, of one collision alone, GeV."""
    towers = level1.trigger_towers(cells, _EMPTY[0], random)
    found = [objects[:, 0].max() for objects in (level1.jets(towers), level1.candidates(towers)) if len(objects)]
    return float(max(found, default=0)) * level1.UNIT


def bare_scatterings(card: EventCard, number: int) -> Iterator[Collision]:
    """Scatterings of piece ``number`` between ``fresh_from`` and ``HARD_SCALE``, alone, as their cross-section is."""
    seed = seed_of_name(card.seed, "fresh pile-up", number)
    settings = (*BEAMS, *_BARE, f"PhaseSpace:pTHatMin = {card.pile_up.fresh_from}")
    return collisions_of(started_pythia("pile-up", seed, settings), "pile-up", 100)


def fresh_collisions(bare: Iterator[Collision], random: np.random.Generator) -> Iterator[Collision]:
    """Of bare scatterings those that are the hardest of a collision, some with another one beside."""
    kept = (c for c in bare if random.random() >= TAMED * (10.0 / c.pt_hat) ** 2)
    for c in kept:
        other = next(kept, None) if random.random() < SECOND else None
        yield c if other is None else _together(c, other)


def _together(one: Collision, other: Collision) -> Collision:
    """The particles of both."""

    def both(name: str) -> Any:
        return np.concatenate([getattr(one, name), getattr(other, name)])

    arrays = {name: both(name) for name in ("kind", "status", "px", "py", "pz", "e")}
    return Collision(**arrays, weight=one.weight, pt_hat=max(one.pt_hat, other.pt_hat))


def fresh_objects(bare: Iterator[Collision], least: float, random: np.random.Generator) -> Iterator[Collision]:
    """Those of bare scatterings whose hardest object is above ``least``, but little: as in softer ones that fire."""
    grid = cells, used, count = new_grid()
    for c in bare:
        wipe(*grid)
        fill(cells, used, count, 0, len(c.kind), c.kind, c.status, c.px, c.py, c.pz, c.e, random)
        if least <= hardest_object(cells, random) < _AS_SOFT * least:
            yield c


def write_collisions(path: Path, pool: SoftPool) -> None:
    """Write a piece of a pool, whole or not at all."""
    with written_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{name: getattr(pool, name) for name in _NAMES})


def readable(path: Path, collisions: int) -> bool:
    """Whether a piece of a pool is there, whole, with so many collisions."""
    try:
        data = npz_arrays(path)
        first = data["first"]
        return bool(len(first) == collisions + 1 and len(data["towers"]) == first[-1] and len(data["seen"]) == 3)
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
            pieces.append({name: data[name] for name in _NAMES})
        except (InputError, KeyError):
            raise ToolError(f"{path}: soft collisions that were just made cannot be read; is the disk full?") from None

    def offsets(name: str) -> NDArray[np.int64]:
        sizes = np.concatenate([np.diff(p[name]) for p in pieces])
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def join_all(name: str) -> Any:
        return np.concatenate([p[name] for p in pieces])

    seen = np.sum([p["seen"] for p in pieces], axis=0)
    return SoftPool(
        offsets("first"), join_all("towers"), join_all("cells"), offsets("muon_first"), join_all("muons"), seen
    )


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
def drawn_muons(muon_first: Any, muons: Any, chosen: Any, turns: Any, mirrored: Any, random: Any) -> Any:
    """(n, 4) pT, eta, phi, charge of the muons of the chosen collisions, turned and mirrored as they are: which pions
    and kaons decay is drawn anew."""
    n = 0
    for c in chosen:
        n += muon_first[c + 1] - muon_first[c]
    parents = np.empty((n, 5))
    count = 0
    for c in range(len(chosen)):
        for i in range(muon_first[chosen[c]], muon_first[chosen[c] + 1]):
            parents[count] = muons[i]
            parents[count, 2] = turn(muons[i, 2] + turns[c] * PHI_STEP)
            if mirrored[c]:
                parents[count, 1] = -muons[i, 1]
            count += 1
    return decayed(parents, random)
