"""One piece of a sample of what the Level-1 trigger sees, and nothing else: integers of its objects, zero padded.

They are those of the events that :func:`codesign.physics.detector.simulated_events` makes: same card, same place, same
numbers, without the time of the other tiers. ``make_level1_hard``: every crossing has one more hard collision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.detector_record import assemble_level1
from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.event_chunk import crossings, see_level1, see_truth
from codesign.physics.detector.soft_pool import SoftPool
from codesign.physics.events.l1_scales import L1_SUMS

__all__ = ("COLLECTIONS", "LEVEL1", "make_level1", "make_level1_hard")

#: kind of object -> its collection in the common record, and how many the trigger hands on
COLLECTIONS: dict[str, tuple[str, int]] = {"eg": ("L1EG", 12), "muon": ("L1Mu", 8), "jet": ("L1Jet", 12)}
#: names of the arrays: ``met`` (events, 1, 2) pT and azimuth; of each kind (events, number, 3) pT, eta, azimuth, int16
#: codes of the trigger's scales by falling pT; ``pile_up`` the mean number of collisions; ``hard`` of hard ones
LEVEL1 = ("met", *COLLECTIONS, "pile_up", "hard")

Arrays = dict[str, NDArray[Any]]
Done = Callable[[int], None]


def make_level1(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None, harder: int = 0
) -> Arrays:
    """``LEVEL1`` of the first ``events`` events of piece ``number``; errors as of
    :func:`codesign.physics.detector.event_chunk.make_events`."""
    import awkward as ak

    found, hard = [], []
    for crossing in crossings(card, number, events, pool, done, harder=harder):
        see_truth(crossing)
        see_level1(crossing)
        found.append(crossing.event)
        hard.append(crossing.hard_collisions)
    record = assemble_level1(found)
    sums = ak.Array(record["L1EtSum"])
    missing = sums[sums.etSumType == L1_SUMS["MET"]]
    codes = [np.asarray(ak.flatten(missing[name])) for name in ("hwPt", "hwPhi")]
    arrays: Arrays = {"met": np.stack(codes, axis=-1).astype(np.int16)[:, None]}
    for kind, (name, most) in COLLECTIONS.items():
        objects = ak.Array(record[name])
        padded = [ak.fill_none(ak.pad_none(objects[f], most, clip=True), 0) for f in ("hwPt", "hwEta", "hwPhi")]
        arrays[kind] = np.stack([ak.to_numpy(p).reshape(-1, most) for p in padded], axis=-1).astype(np.int16)
    arrays["pile_up"] = np.array([event.true_mean for event in found], np.float32)
    arrays["hard"] = np.minimum(hard, 255).astype(np.uint8)
    return arrays


def make_level1_hard(card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None) -> Arrays:
    """The same of crossings with one hard collision more."""
    return make_level1(card, number, events, pool, done, harder=1)
