"""One piece of a sample of seeded-cone jets: their candidates as a tagger of the correlator sees them, and the truth.

A jet's class is that of what is generated within 0.3 of its axis: a tau that decays to hadrons; an electron or muon
from the collision itself with more than half of the generated jet's pT; else the jet's flavour. Jets of no class are
left out. The pT that is wanted is the tau's without neutrinos, the lepton's, or the generated jet's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.correlator import KINDS, Candidates, SeededJet, candidates_of, seeded_jets
from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.event_chunk import CHUNK_EVENTS, Crossing, crossings, see_truth
from codesign.physics.detector.particles import Collision
from codesign.physics.detector.soft_pool import SoftPool

__all__ = ("CLASSES", "FIELDS", "ITEMS", "UNITS", "make_cones")

Floats = NDArray[np.float64]

#: classes, in the order of CMS' tagger
CLASSES = ("b", "c", "uds", "g", "taup", "taum", "muon", "electron")
#: candidates of a jet that are kept, the hardest
ITEMS = 16
#: fields of a candidate and their units; CMS' tagger has two more, the quality of an electron's cluster and of a track
FIELDS = (
    *("pt", "pt_rel", "pt_log", "deta", "dphi", "mass"),
    *(f"is_{kind}" for kind in KINDS),
    *("z0", "dxy", "is_filled", "puppi_weight"),
)
UNITS = ("GeV", "1", "ln(GeV)", "1", "rad", "GeV", *("1" for _ in KINDS), "cm", "cm", "1", "1")
_MASSES = np.array([0.0, 0.000511, 0.000511, 0.1057, 0.1057, 0.4976, 0.1396, 0.1396])
_NEAR, _LEAST_LEPTON, _LEAST_TAU, _PROMPT = 0.3, 10.0, 10.0, 1e-4


def make_cones(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Callable[[int], None] | None = None
) -> dict[str, NDArray[Any]]:
    """Jets of the first ``events`` events of piece ``number``: ``items`` (jets, 16, 18) float32 of ``FIELDS``, zeros of
    those that are not there; ``class`` (jets,) into ``CLASSES``; ``raw_pt``, ``reference_pt``, ``eta``, ``phi``;
    ``number`` of candidates; ``event``. Errors as of :func:`codesign.physics.detector.event_chunk.make_events`."""
    items: list[Floats] = []
    rows: list[tuple[float, ...]] = []
    for place, crossing in enumerate(crossings(card, number, events, pool, done, origins=True)):
        if crossing.primary is None:
            continue
        see_truth(crossing)
        found = candidates_of(crossing)
        truth = _truth_of(crossing)
        for jet in seeded_jets(found):
            if (known := _class_of(jet, truth)) is None:
                continue
            items.append(_items(found, jet))
            event = number * CHUNK_EVENTS + place
            rows.append((known[0], jet.pt, known[1], jet.eta, jet.phi, len(jet.members), event))
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    names = ("class", "raw_pt", "reference_pt", "eta", "phi", "number", "event")
    return {"items": np.array(items, dtype=np.float32).reshape(-1, ITEMS, len(FIELDS))} | {
        name: column.astype(np.int64) if name in ("class", "number", "event") else column
        for name, column in zip(names, table.T, strict=True)
    }


def _items(found: Candidates, jet: SeededJet) -> Floats:
    out = np.zeros((ITEMS, len(FIELDS)))
    used = jet.members[:ITEMS]
    pt, kind, n = found.pt[used], found.kind[used], len(used)
    out[:n, 0], out[:n, 1], out[:n, 2] = pt, pt / jet.pt, np.log(pt)
    out[:n, 3] = found.eta[used] - jet.eta
    out[:n, 4] = (found.phi[used] - jet.phi + np.pi) % (2 * np.pi) - np.pi
    out[:n, 5] = _MASSES[kind]
    out[np.arange(n), 6 + kind] = 1
    out[:n, 14], out[:n, 15], out[:n, 16], out[:n, 17] = found.z0[used], found.dxy[used], 1, found.weight[used]
    return out


def _truth_of(crossing: Crossing) -> Floats:
    """(n, 4) class, pT, eta, phi of everything that gives a jet its class, the first that fits first."""
    assert crossing.primary is not None
    gen = crossing.event.objects["gen"]
    leptons = _prompt_leptons(crossing.primary)
    flavour = np.full(len(gen), -1.0)
    hadron, parton = gen[:, 4].astype(np.int64), np.abs(gen[:, 5]).astype(np.int64)
    flavour[(parton >= 1) & (parton <= 3)] = CLASSES.index("uds")
    flavour[parton == 21] = CLASSES.index("g")
    flavour[hadron == 4], flavour[hadron == 5] = CLASSES.index("c"), CLASSES.index("b")
    jets = np.column_stack([flavour, gen[:, 0], gen[:, 1], gen[:, 2]])
    strong = [
        lepton
        for lepton in leptons
        if all(lepton[1] > 0.5 * jet[1] for jet in jets if _distance(lepton[None, 2:], *jet[2:])[0] < _NEAR)
    ]
    return np.concatenate([_hadronic_taus(crossing.primary), np.array(strong).reshape(-1, 4), jets])


def _prompt_leptons(c: Collision) -> Floats:
    assert c.origin is not None
    pt, code = np.hypot(c.px, c.py), np.abs(c.kind)
    from_collision = np.hypot(c.origin[0], c.origin[1]) < _PROMPT
    chosen = np.flatnonzero((c.status > 0) & ((code == 11) | (code == 13)) & (pt > _LEAST_LEPTON) & from_collision)
    kind = np.where(code[chosen] == 13, CLASSES.index("muon"), CLASSES.index("electron"))
    return np.column_stack([kind, pt[chosen], np.arcsinh(c.pz[chosen] / pt[chosen]), np.arctan2(c.py, c.px)[chosen]])


def _hadronic_taus(c: Collision) -> Floats:
    """What a tau decays to comes from one place, which its neutrino shares with all the rest and with nothing else."""
    assert c.origin is not None
    found = []
    for i in np.flatnonzero((np.abs(c.kind) == 16) & (c.status > 0)):
        place = c.origin[:, i : i + 1]
        if np.hypot(place[0, 0], place[1, 0]) < 1e-9:
            continue  # of a W
        same = np.flatnonzero((np.abs(c.origin - place) < 1e-9).all(axis=0) & (np.abs(c.kind) != 16))
        if np.isin(np.abs(c.kind[same]), (11, 12, 13, 14)).any():
            continue
        px, py, pz = (float(p[same].sum()) for p in (c.px, c.py, c.pz))
        if (pt := np.hypot(px, py)) > _LEAST_TAU:
            kind = CLASSES.index("taum" if c.kind[i] > 0 else "taup")
            found.append((kind, pt, np.arcsinh(pz / pt), np.arctan2(py, px)))
    return np.array(found, dtype=np.float64).reshape(-1, 4)


def _class_of(jet: SeededJet, truth: Floats) -> tuple[int, float] | None:
    near = np.flatnonzero(_distance(truth[:, 2:], jet.eta, jet.phi) < _NEAR)
    if not len(near) or truth[near[0], 0] < 0:
        return None
    return int(truth[near[0], 0]), float(truth[near[0], 1])


def _distance(directions: Floats, eta: float, phi: float) -> Floats:
    d_phi = (directions[:, 1] - phi + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(np.hypot(directions[:, 0] - eta, d_phi))
