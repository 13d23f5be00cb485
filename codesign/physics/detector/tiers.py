"""Samples of what one tier sees, arrays by name, made of the same crossings as trigger events, or from the cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, ToolError
from codesign.core.reading.npz import npz_arrays
from codesign.physics.cache import cache_folder, hold_folder
from codesign.physics.detector.cone_pieces import make_cones
from codesign.physics.detector.event_card import EventCard, PoolChoice, load_event_card
from codesign.physics.detector.event_chunk import CHUNK_EVENTS
from codesign.physics.detector.level1_codes import LEVEL1, make_level1, make_level1_hard
from codesign.physics.detector.regions import SEEN_REGIONS, make_regions
from codesign.physics.detector.seed_rates import SEEN, make_seeds, make_seeds_hard
from codesign.physics.detector.simulate import GENERATION_VERSION, pool_of
from codesign.physics.detector.soft_pool import SoftPool
from codesign.physics.processes import Piece, Progress, make_pieces

__all__ = ("TIERS", "Arrays", "SeenTier", "joined", "read_tier", "tier_files", "tier_pieces")

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
_Make: TypeAlias = Callable[[EventCard, int, int, SoftPool, Callable[[int], None] | None], Arrays]


@dataclass(frozen=True)
class SeenTier:
    """What sees events: how a piece is made, the names of its arrays, and a number that is raised by hand whenever what
    is made of the same crossings changes."""

    make: _Make
    arrays: tuple[str, ...]
    version: int = 1


TIERS: Mapping[str, SeenTier] = {
    "regions": SeenTier(make_regions, SEEN_REGIONS, 2),
    "cones": SeenTier(make_cones, ("items", "class", "raw_pt", "reference_pt", "eta", "phi", "number", "event")),
    "level1": SeenTier(make_level1, LEVEL1),
    "level1-hard": SeenTier(make_level1_hard, LEVEL1),
    "seeds": SeenTier(make_seeds, SEEN),
    "seeds-hard": SeenTier(make_seeds_hard, SEEN),
}


def tier_pieces(
    tier: str,
    card: str,
    events: int,
    pile_up: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    pool: PoolChoice | None = None,
) -> list[Arrays]:
    """What a tier sees of so many events, piece by piece, simulated once and then from the cache.

    ``pile_up``, ``seed``, ``pool``: instead of the card's mean number of collisions, its seed, and its soft
    collisions. InputError and ToolError as of :func:`codesign.physics.detector.simulated_events`.
    """
    return [read_tier(tier, path) for path in tier_files(tier, card, events, pile_up, seed, progress, workers, pool)]


def tier_files(
    tier: str,
    card: str,
    events: int,
    pile_up: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    pool: PoolChoice | None = None,
) -> list[Path]:
    """Files of the pieces, in order, for :func:`read_tier`: of a sample too large for memory. What was made when a
    process was ended is not made again. The rest as :func:`tier_pieces`."""
    resolved = load_event_card(card, pile_up=pile_up, seed=seed, pool=pool)
    if events < 1:
        raise InputError(f"the number of events must be at least 1, not {events}")
    processes = workers or len(os.sched_getaffinity(0))
    made = TIERS[tier]
    folder = cache_folder(resolved, GENERATION_VERSION, f"{tier}-{made.version}")
    sizes = [min(CHUNK_EVENTS, events - start) for start in range(0, events, CHUNK_EVENTS)]
    paths = [folder / f"{resolved.name}-{number:05d}-{size}.npz" for number, size in enumerate(sizes)]
    if any(_read(path, made) is None for path in paths):
        with hold_folder(folder):
            missing = [k for k, path in enumerate(paths) if _read(path, made) is None]
            soft = [str(p) for p in pool_of(resolved, processes)] if missing else []
            request = {"make": "tier", "tier": tier, "card": resolved.model_dump(mode="json"), "pool": soft}
            make_pieces(
                [Piece(paths[k], sizes[k], request | {"number": k, "events": sizes[k]}) for k in missing],
                processes,
                events,
                progress,
            )
    if progress is not None:
        progress(events, events)
    return paths


def read_tier(tier: str, path: Path) -> Arrays:
    """A piece that was just made; ToolError where it cannot be read."""
    if (piece := _read(path, TIERS[tier])) is None:
        raise ToolError(f"{path}: a piece that was just made cannot be read; is the disk full?")
    return piece


def _read(path: Path, tier: SeenTier) -> Arrays | None:
    """A piece; None where it is missing or damaged, to be made again."""
    try:
        data = npz_arrays(path)
        return {name: data[name] for name in tier.arrays}
    except (InputError, ValueError, KeyError, TypeError):
        return None


def joined(pieces: list[Arrays], name: str) -> NDArray[Any]:
    """One array of all pieces."""
    return np.concatenate([piece[name] for piece in pieces])
