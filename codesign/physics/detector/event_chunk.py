"""One piece of a sample of trigger events: collisions from Pythia, and the three tiers' view of each event.

Every event has a random generator of its own, from the card's seed, the piece and the event's place, and the collisions
come from Pythia in a fixed order: a shorter piece is the beginning of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.chunk import seed_of_name, started_pythia
from codesign.physics.detector import detector_record as record
from codesign.physics.detector import level1, particle_flow
from codesign.physics.detector.antikt import cluster
from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.particles import (
    Collision,
    collisions_of,
    flavours,
    stable,
    true_leptons,
    true_muons,
)
from codesign.physics.detector.smearing import Grid, fill, new_grid, wipe
from codesign.physics.detector.soft_pool import (
    BEAMS,
    HARD_SCALE,
    HARD_SHARE,
    UNDER,
    SoftPool,
    bare_scatterings,
    drawn_muons,
    fresh_collisions,
    fresh_objects,
    overlay,
)
from codesign.physics.detector.towers import PHIS

__all__ = ("CHUNK_EVENTS", "POOL_IDS", "Crossing", "crossings", "make_events", "see_level1", "see_truth")

#: Events per piece: starting Pythia costs about as much as 200 events.
CHUNK_EVENTS = 2000
#: Events whose collisions are generated together.
_BATCH = 50
_RADIUS = 0.4
#: Groups of pools are numbered so, seed by seed of the pool.
POOL_IDS = 100
#: Jets are kept from these pT on, GeV: generated; and at HLT before calibration, after the density times the area.
GEN_LEAST = 10.0
_HLT_RAW, _HLT_LESS, _OFFLINE_RAW = 12.0, 9.0, 8.0


@dataclass
class _Plan:
    """What an event is made of."""

    random: np.random.Generator
    true_mean: float
    soft: int
    fresh: int
    fires: int
    hard: int

    @property
    def collisions(self) -> int:
        """All of them."""
        return self.soft + self.fresh + self.fires + self.hard


@dataclass
class Event:
    """What is found in one event, before calibration: arrays (objects, columns), see ``record``."""

    weight: float
    true_mean: float
    pile_up: int
    vertices: int
    #: the group of the pool, soft collisions taken from it (under fresh ones too), collisions generated anew
    pool: int = -1
    taken: int = 0
    anew: int = 0
    values: dict[str, float] = field(default_factory=dict)
    objects: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass
class Crossing:
    """One crossing before any tier looks at it: the detector's towers of the ``primary`` collision (None in some of
    zero bias, whose towers are a pool's) and of pile-up, both overwritten by the next, all muons, and its generator."""

    event: Event
    primary: Collision | None
    hard: NDArray[np.float32]
    soft: NDArray[np.float32]
    muons: NDArray[np.float64]
    random: np.random.Generator
    #: collisions that are not the pool's, the primary one of zero bias among them
    hard_collisions: int = 0


def make_events(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Callable[[int], None] | None = None
) -> Any:
    """Simulate the first ``events`` events of piece ``number``.

    Returns awkward records in NanoAOD's names (``record``). InputError if the card's settings do not work, ToolError if
    Pythia is missing or fails.
    """
    found = []
    for c in crossings(card, number, events, pool, done):
        see_truth(c)
        see_level1(c)
        _high_level(c.event, c.hard, c.soft, c.random)
        _offline(c.event, c.hard, c.soft, c.random)
        found.append(c.event)
    return record.assemble(found, number * CHUNK_EVENTS, number)


def crossings(
    card: EventCard,
    number: int,
    events: int,
    pool: SoftPool,
    done: Callable[[int], None] | None = None,
    origins: bool = False,
    harder: int = 0,
) -> Iterator[Crossing]:
    """The first ``events`` crossings of piece ``number``, each of which is looked at before the next is asked for.

    ``origins``: whether primary collisions know where their particles come from; ``harder``: hard collisions that every
    crossing has more than chance gives it. Errors as of :func:`make_events`.
    """
    what = f"card '{card.name}'"
    seed = seed_of_name(card.seed, "events", number)
    signal: Iterator[Collision] | None = None
    if card.settings:
        signal = collisions_of(started_pythia(what, seed, (*BEAMS, *card.settings)), what, _BATCH, origins)
    hard: Iterator[Collision] = iter(())
    if card.pile_up.mean:
        settings = (*BEAMS, "HardQCD:all = on", f"PhaseSpace:pTHatMin = {HARD_SCALE}")
        other = seed_of_name(card.seed, "hard pile-up", number)
        hard = collisions_of(started_pythia("pile-up", other, settings), "pile-up", 20)
    fresh: Iterator[Collision] = iter(())
    fires: Iterator[Collision] = iter(())
    if card.pile_up.mean and pool.seen[1:].any():
        bare = bare_scatterings(card, number)
        fresh = fresh_collisions(bare, np.random.default_rng(seed_of_name(card.seed, "fresh collisions", number)))
        random = np.random.default_rng(seed_of_name(card.seed, "fresh objects", number))
        fires = fresh_objects(bare, card.pile_up.fresh_from, random)
    grids = new_grid(), new_grid()
    for i in range(events):
        plan = _plan(card, [seed, i], pool)
        plan.hard += harder
        primary = next(signal) if signal is not None else None
        alone = [*islice(fresh, plan.fresh), *islice(fires, plan.fires)]
        crossing = _crossing(
            plan, primary, list(islice(hard, plan.hard)), alone, pool, number * CHUNK_EVENTS + i, grids
        )
        if card.pile_up.mean:
            crossing.event.pool = card.pile_up.seed * POOL_IDS + pool.group(number * CHUNK_EVENTS + i)[0]
        yield crossing
        if done is not None and (i + 1) % _BATCH == 0:
            done(i + 1)


def _plan(card: EventCard, seed: list[int], pool: SoftPool) -> _Plan:
    random = np.random.default_rng(seed)
    mean = max(0.0, random.normal(card.pile_up.mean, card.pile_up.spread)) if card.pile_up.mean else 0.0
    return _Plan(random, mean, *(int(random.poisson(mean * share)) for share in (*pool.shares, HARD_SHARE)))


def _crossing(
    plan: _Plan,
    primary: Collision | None,
    others: list[Collision],
    bare: list[Collision],
    pool: SoftPool,
    place: int,
    grids: tuple[Grid, Grid],
) -> Crossing:
    """One crossing, at its ``place`` in the sample. Without a primary collision, the hardest of the others and of the
    ``bare`` ones, under which soft ones lie, is it; else one of the pool's."""
    random = plan.random
    (hard, hard_used, hard_count), (soft, soft_used, soft_count) = grids
    wipe(hard, hard_used, hard_count)
    wipe(soft, soft_used, soft_count)
    taken = plan.soft + int(UNDER) * len(bare) + int(random.binomial(len(bare), UNDER - int(UNDER)))
    turns = random.integers(0, PHIS, taken)
    mirrored = random.random(taken) < 0.5
    _, low, high = pool.group(place)
    chosen = random.integers(low, high, taken)
    signal = primary is not None
    others = [*others, *bare]
    if primary is None and others:
        others = sorted(others, key=lambda c: -c.pt_hat)
        primary, others = others[0], others[1:]
    split = 1 if primary is None and taken else 0
    overlay(
        soft,
        soft_used,
        soft_count,
        pool.first,
        pool.towers,
        pool.cells,
        chosen[split:],
        turns[split:],
        mirrored[split:],
    )
    if primary is None:
        overlay(hard, hard_used, hard_count, pool.first, pool.towers, pool.cells, chosen[:1], turns[:1], mirrored[:1])
    muons = [drawn_muons(pool.muon_first, pool.muons, chosen, turns, mirrored, random)]
    for c in others:
        fill(soft, soft_used, soft_count, 0, len(c.kind), c.kind, c.status, c.px, c.py, c.pz, c.e, random)
        muons.append(true_muons(c.kind, c.status, c.px, c.py, c.pz, random))
    pile_up = plan.collisions if signal else max(plan.collisions - 1, 0)
    if primary is not None:
        c = primary
        fill(hard, hard_used, hard_count, 0, len(c.kind), c.kind, c.status, c.px, c.py, c.pz, c.e, random)
        muons.append(true_muons(c.kind, c.status, c.px, c.py, c.pz, random))
    # vertices: some are too soft to be found, and the more there are the more merge
    chance = max(0.8 - 0.0011 * pile_up, 0.2)
    event = Event(
        primary.weight if primary is not None else 1.0,
        plan.true_mean,
        pile_up,
        1 + int(random.binomial(pile_up, chance)),
        taken=taken,
        anew=plan.collisions - plan.soft,
    )
    return Crossing(event, primary, hard, soft, np.concatenate(muons), random, plan.hard)


def see_truth(crossing: Crossing) -> None:
    """Generated jets with their flavours, invisible momentum, and leptons as the offline reconstruction finds them."""
    event, primary, random = crossing.event, crossing.primary, crossing.random
    if primary is None:
        event.objects["gen"] = np.zeros((0, 7))
        event.objects["leptons"] = np.zeros((0, 6))
        event.values |= {"gen_x": 0.0, "gen_y": 0.0}
        return
    c = primary
    momenta, lost = stable(c.kind, c.status, c.px, c.py, c.pz, c.e)
    axes, _ = cluster(momenta[0], momenta[1], momenta[2], momenta[3], _RADIUS, GEN_LEAST)
    jets = record.kinematics(axes)
    hadron, parton = flavours(c.kind, c.status, c.px, c.py, c.pz, jets[:, 1], jets[:, 2])
    event.objects["gen"] = np.column_stack([jets, hadron, parton, random.normal(size=len(jets))])
    leptons = true_leptons(c.kind, c.status, c.px, c.py, c.pz, 3.0)
    event.objects["leptons"] = record.measured_leptons(leptons, random)
    event.values |= {"gen_x": float(lost[0]), "gen_y": float(lost[1])}


def see_level1(crossing: Crossing) -> Any:
    """What the Level-1 trigger finds in its towers, (2, rings, phis), which are given back; behind the truth."""
    event, random = crossing.event, crossing.random
    towers = level1.trigger_towers(crossing.hard, crossing.soft, random)
    jets = level1.jets(towers)
    event.objects["l1_jets"] = np.column_stack([jets, random.normal(size=len(jets))])
    event.objects["l1_eg"] = level1.candidates(towers)
    event.objects["l1_muons"] = level1.measured_muons(crossing.muons, random)
    event.objects["l1_sums"] = level1.sums(towers, level1.PILE_UP_SLOPE)[None]
    return towers


def _high_level(event: Event, hard: Any, soft: Any, random: np.random.Generator) -> None:
    inputs = particle_flow.hlt_inputs(hard, soft)
    rho = particle_flow.density(inputs, 5.2)
    event.values["rho_hlt"] = rho
    wanted = particle_flow.near_seeds(inputs, rho, _HLT_LESS)
    event.objects["hlt_jets"] = _jets(inputs, wanted, _HLT_RAW, random)


def _offline(event: Event, hard: Any, soft: Any, random: np.random.Generator) -> None:
    whole, kept = particle_flow.offline_inputs(hard, soft, float(event.pile_up), random)
    event.values["rho"] = particle_flow.density(whole, 5.2)
    event.objects["jets"] = _jets(kept, particle_flow.near_seeds(kept, 0.0, _OFFLINE_RAW), _OFFLINE_RAW, random)
    x, y, total = particle_flow.vector_sum(kept)
    event.values |= {"met_x": -x, "met_y": -y, "sum_et": total}


def _jets(inputs: Any, wanted: Any, least: float, random: np.random.Generator) -> NDArray[np.float64]:
    """(jets, 15): pT, eta, phi, mass, area, energies by kind of constituent and their numbers, a normal number."""
    index, momenta = particle_flow.four_momenta(inputs, wanted)
    axes, jet_of = cluster(momenta[0], momenta[1], momenta[2], momenta[3], _RADIUS, least)
    jets = record.kinematics(axes)
    area = particle_flow.areas(jets[:, 0], jets[:, 1], jets[:, 2], _RADIUS)
    parts = particle_flow.jet_parts(inputs, index, jet_of, len(axes))
    return np.column_stack([jets, area, parts, random.normal(size=len(axes))])
