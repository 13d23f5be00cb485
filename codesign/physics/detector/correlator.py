"""What a Level-1 correlator makes of a crossing: tracks, neutral candidates, and seeded-cone jets of them.

After CMS' upgrade for the HL-LHC (CMS-TDR-021): tracks above 2 GeV that are known where they come from, particle flow,
weights of neutrals after PUPPI, and jets around the hardest candidate that is left, of all within 0.4 of it.

- Tracks are those of the primary collision's charged particles: 95 % of muons and hadrons, 90 % of electrons, less in
  the core of hard jets. Their pT is measured to 1 % and 0.02 % per GeV; z0 to 0.05 cm at |eta| = 0, 0.34 cm at 2.4;
  dxy to 0.01 cm and 0.04 cm GeV / pT: assumed, not tuned.
- Neutral candidates are the offline simulation's, one photon and one hadron a tower, above 1 GeV
  (:mod:`codesign.physics.detector.particle_flow`); what charged particles below 2 GeV carry is lost.
- Of pile-up's tracks a part passes for the primary vertex': one of a tower, at any z0 within 0.3 cm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector import particle_flow
from codesign.physics.detector.event_chunk import Crossing
from codesign.physics.detector.particles import Collision
from codesign.physics.detector.smearing import CH_OFF, N_OFF, charge_of
from codesign.physics.detector.towers import PHI_STEP, PHIS, RING_CENTRE, TRACKER_RINGS

__all__ = ("CONE", "KINDS", "Candidates", "SeededJet", "candidates_of", "seeded_jets")

Floats = NDArray[np.float64]

#: kinds of candidates: photon, electrons and muons of either charge, hadrons without and of either charge
KINDS = ("photon", "positron", "electron", "antimuon", "muon", "neutral_hadron", "antipion", "pion")
#: radius of the cone of a jet, and the least pT of a jet, GeV
CONE, _LEAST_JET = 0.4, 15.0
_LEAST_TRACK, _MOST_ETA, _LEAST_NEUTRAL = 2.0, 2.4, 1.0
_MOST_JETS = 12
#: chance that a track of pile-up is taken for one of the primary vertex, and how far off it then is, cm
_CONFUSED, _WINDOW = 0.03, 0.3
_MM = 0.1


@dataclass(frozen=True)
class Candidates:
    """Particle-flow candidates, (n,) each: pT [GeV], eta, phi, the place of their kind in ``KINDS``, z0 and dxy [cm] of
    the track (0 of a neutral), and the share of a neutral that is kept (1 of a track)."""

    pt: Floats
    eta: Floats
    phi: Floats
    kind: NDArray[np.int64]
    z0: Floats
    dxy: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.pt)


@dataclass(frozen=True)
class SeededJet:
    """A jet: its axis and pT [GeV], and the places of its candidates, the hardest first."""

    pt: float
    eta: float
    phi: float
    members: NDArray[np.intp]


def candidates_of(crossing: Crossing) -> Candidates:
    """All candidates of a crossing whose primary collision knows where its particles come from."""
    random = crossing.random
    pieces = [_neutrals(crossing), _confused(crossing)]
    if crossing.primary is not None:
        pieces.append(_tracks(crossing.primary, random))
    columns = np.concatenate(pieces)
    pt, eta, phi, kind, z0, dxy, weight = columns.T
    return Candidates(pt, eta, phi, kind.astype(np.int64), z0, dxy, weight)


def _tracks(c: Collision, random: np.random.Generator) -> Floats:
    assert c.origin is not None
    pt = np.hypot(c.px, c.py)
    charged = np.flatnonzero((c.status > 0) & (pt > _LEAST_TRACK) & (np.abs(c.pz) < math.sinh(_MOST_ETA) * pt))
    charge = np.array([charge_of(int(kind)) for kind in c.kind[charged]])
    charged, charge = charged[charge != 0], charge[charge != 0]
    pt, code = pt[charged], np.abs(c.kind[charged])
    chance = np.where(code == 11, 0.90, 0.95) - np.where(code == 13, 0, 0.10 * np.clip((pt - 20) / 100, 0, 1))
    found = random.random(len(charged)) < chance
    charged, charge, pt, code = charged[found], charge[found], pt[found], code[found]
    px, py, pz = c.px[charged], c.py[charged], c.pz[charged]
    x, y, z = c.origin[:, charged] * _MM
    eta, phi = np.arcsinh(pz / pt), np.arctan2(py, px)
    z0 = z - (x * px + y * py) / pt * pz / pt + 0.05 * (1 + eta**2) * random.normal(size=len(pt))
    dxy = (x * py - y * px) / pt + np.hypot(0.01, 0.04 / pt) * random.normal(size=len(pt))
    kind = np.where(code == 11, 1, np.where(code == 13, 3, 6)) + (charge < 0)
    measured = pt * np.maximum(1 + (0.01 + 2e-4 * pt) * random.normal(size=len(pt)), 0.1)
    return np.column_stack([measured, eta, phi, kind, z0, dxy, np.ones(len(pt))])


def _neutrals(crossing: Crossing) -> Floats:
    event = crossing.event
    whole, kept = particle_flow.offline_inputs(crossing.hard, crossing.soft, float(event.pile_up), crossing.random)
    found = []
    for column, kind in ((particle_flow.GAMMA, 0), (particle_flow.NH, 5)):
        towers = np.flatnonzero(kept[:, column] > _LEAST_NEUTRAL)
        ring, k = towers // PHIS, towers % PHIS
        pt = kept[towers, column]
        eta = RING_CENTRE[ring] + kept[towers, particle_flow.D_ETA]
        phi = _turned((k + 0.5) * PHI_STEP + kept[towers, particle_flow.D_PHI])
        weight = np.clip(pt / np.maximum(whole[towers, column], 1e-9), 0, 1)
        nothing = np.zeros(len(pt))
        rows = np.column_stack([pt, eta, phi, np.full(len(pt), kind), nothing, nothing, weight])
        found.append(rows[np.abs(eta) < _MOST_ETA])
    return np.concatenate(found)


def _confused(crossing: Crossing) -> Floats:
    random, soft = crossing.random, crossing.soft
    central = np.arange(TRACKER_RINGS[0] * PHIS, TRACKER_RINGS[1] * PHIS)
    number = soft[central, N_OFF].astype(np.float64)
    pt = soft[central, CH_OFF] / np.maximum(number, 1)
    taken = (random.random(len(central)) < _CONFUSED * number) & (pt > _LEAST_TRACK)
    towers, pt = central[taken], pt[taken].astype(np.float64)
    eta, phi = RING_CENTRE[towers // PHIS], _turned((towers % PHIS + 0.5) * PHI_STEP)
    z0, dxy = random.uniform(-_WINDOW, _WINDOW, len(pt)), np.hypot(0.01, 0.04 / pt) * random.normal(size=len(pt))
    kind = 6 + random.integers(0, 2, len(pt))
    rows = np.column_stack([pt, eta, phi, kind, z0, dxy, np.ones(len(pt))])
    return np.asarray(rows[np.abs(eta) < _MOST_ETA])


def seeded_jets(found: Candidates) -> list[SeededJet]:
    """Jets above 15 GeV, at most 12: each of all candidates within 0.4 of the hardest that is in no jet before, its
    axis that of their pT."""
    left, jets = np.argsort(-found.pt, kind="stable"), list[SeededJet]()
    while len(left) and len(jets) < _MOST_JETS:
        seed = left[0]
        d_eta, d_phi = found.eta[left] - found.eta[seed], _turned(found.phi[left] - found.phi[seed])
        inside = d_eta**2 + d_phi**2 < CONE**2
        members, pt = left[inside], found.pt[left[inside]]
        total = float(pt.sum())
        if total >= _LEAST_JET:
            eta = found.eta[seed] + float((pt * d_eta[inside]).sum()) / total
            phi = found.phi[seed] + float((pt * d_phi[inside]).sum()) / total
            jets.append(SeededJet(total, float(eta), float(_turned(np.asarray(phi))), members))
        elif found.pt[seed] < _LEAST_JET / 5:
            break  # what is left is softer still
        left = left[~inside]
    return jets


def _turned(phi: Floats) -> Floats:
    """Angles brought to [-pi, pi)."""
    return np.asarray((phi + math.pi) % (2 * math.pi) - math.pi)
