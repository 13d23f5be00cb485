"""The L1 calorimeter and muon triggers: coarse towers in integers, no tracks.

Follows CMS's stage-2 calorimeter trigger (JINST 15 (2020) P10017, sections 3 and 5): towers of ECAL and HCAL transverse
energy in steps of 0.5 GeV; jets are local maxima with the 9 x 9 towers around them, less the mean of the quiet towers
of the same rings, the choice "phi ring" of CMS's emulator (its other one, the strips at the jet's borders, fluctuates
more: twice as many jets above 20 GeV in zero bias); electrons and photons are ECAL maxima with their neighbours, a
veto on the HCAL behind and an isolation; energy sums count towers above a threshold that grows with that of central
towers in use. Muons come from true muons, and from pions and kaons that decay in flight.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from codesign.physics.detector.smearing import EM, HAD
from codesign.physics.detector.towers import PHI_STEP, PHIS, RING_CENTRE, RING_EDGES, RINGS

__all__ = (
    "CHOSEN_BY_RATES",
    "EG_BEHIND",
    "EG_LEAST",
    "EG_SCALE",
    "MOST_OBJECTS",
    "PILE_UP_SLOPE",
    "TOWER_MAX",
    "UNIT",
    "candidates",
    "jets",
    "measured_muons",
    "sums",
    "trigger_towers",
)

#: What the calorimeter trigger hands on of each kind, P10017.
MOST_OBJECTS = 12
#: Transverse energy in one unit, GeV.
UNIT = 0.5
#: A tower's field is 9 bits wide.
TOWER_MAX = 511
#: Calibration of electrons and photons, and the least pT that is kept, GeV.
EG_SCALE = 1.0
EG_LEAST = 3.0
#: HCAL in the nine towers of an electron or photon is at most this share of it: CMS has vetoes of its shape, too. With
#: it pairs fire about as often as published (``seed_rates``), without it four times as often.
EG_BEHIND = 0.35
#: Threshold of towers in the missing transverse energy: units per central tower in use. With it missing energy fires
#: about as often as published (``seed_rates``).
PILE_UP_SLOPE = 0.028
#: A muon is measured at no more than so many times its momentum: the track finders' tables take the least momentum that
#: fits. Without it single muons above 22 GeV fire four times as often as published (``seed_rates``).
_PROMOTED = 3.0
#: Resolution of 1/pT of a muon at eta 0.
_MUON_WIDTH = 0.19
#: What was chosen by published rates, by what is in the names of the seeds that depend on it.
CHOSEN_BY_RATES = {"EG": EG_BEHIND, "ETM": PILE_UP_SLOPE, "Mu": (_PROMOTED, _MUON_WIDTH)}
_SEED_JET = 8  # 4 GeV
#: Towers from this on, 8 GeV, are no pile-up: they are left out of the mean.
_QUIET = 16
_SEED_EG = 4  # 2 GeV
#: Energy sums end with the endcap, |eta| = 3; with the forward calorimeter they are other sums.
_ENDCAP = (12, 68)
#: Rings with |ieta| <= 4, whose towers in use measure the pile-up.
_CENTRAL = (36, 44)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def trigger_towers(hard: Any, pile_up: Any, random: Any) -> Any:
    """(2, rings, phis) int32: ECAL and HCAL of each tower in steps of 0.5 GeV, rounded down, noise cut."""
    out = np.zeros((2, RINGS, PHIS), np.int32)
    for ring in range(RINGS):
        stretch = math.cosh(RING_CENTRE[ring])
        # electronic noise is in energy: 25 crystals of 40 MeV, and two or three HCAL depths of 0.2 GeV
        em_noise, had_noise = 0.2 / stretch + 0.05, 0.4 / stretch
        for k in range(PHIS):
            tower = ring * PHIS + k
            em = hard[tower, EM] + pile_up[tower, EM]
            had = hard[tower, HAD] + pile_up[tower, HAD]
            if em > 0.2:
                value = int((em + em_noise * random.normal()) / UNIT)
                out[0, ring, k] = min(max(value, 0), TOWER_MAX)
            if had > 0.2:
                value = int((had + had_noise * random.normal()) / UNIT)
                out[1, ring, k] = min(max(value, 0), TOWER_MAX)
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def jets(towers: Any) -> Any:
    """Jets before calibration: (jets, 5) raw ET and pile-up's in units of 0.5 GeV, ring, phi index, saturated or not.

    Pile-up's is that of 81 towers (fewer at the end of the detector) as the rings' quiet ones have it, rounded down.
    """
    total = np.minimum(towers[0] + towers[1], TOWER_MAX)
    found = np.empty((400, 5), np.int64)
    quiet = np.zeros(RINGS)  # mean of a ring's quiet towers
    for ring in range(RINGS):
        used = 0
        for k in range(PHIS):
            if total[ring, k] < _QUIET:
                quiet[ring] += total[ring, k]
                used += 1
        quiet[ring] /= max(used, 1)
    count = 0
    for ring in range(RINGS):
        for k in range(PHIS):
            seed = total[ring, k]
            if seed < _SEED_JET:
                continue
            raw = 0
            top = True
            for a in range(-4, 5):
                if ring + a < 0 or ring + a >= RINGS:
                    continue
                for b in range(-4, 5):
                    other = total[ring + a, (k + b) % PHIS]
                    raw += other
                    # of equals the one at larger (ring, phi) wins: never both, never neither
                    if other > seed or (other == seed and (a > 0 or (a == 0 and b > 0))):
                        top = False
                        break
                if not top:
                    break
            if not top or count == len(found):
                continue
            pile_up = 9 * quiet[max(ring - 4, 0) : ring + 5].sum()
            found[count] = (raw, int(pile_up), ring, k, 1 if seed == TOWER_MAX else 0)
            count += 1
    return found[:count]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def candidates(towers: Any) -> Any:
    """Electrons and photons: (n, 6) ET in units, ring, phi index, isolation ET (6 x 9 less the cluster), eta offset,
    and HCAL behind the nine towers."""
    em, had = towers[0], towers[1]
    found = np.empty((400, 6))
    count = 0
    for ring in range(*_ENDCAP):
        for k in range(PHIS):
            seed = em[ring, k]
            if seed < _SEED_EG or 8 * had[ring, k] > seed:
                continue
            cluster, lean, behind = 0, 0.0, 0
            top = True
            for a in range(-1, 2):
                for b in range(-1, 2):
                    other = em[ring + a, (k + b) % PHIS]
                    if other > seed or (other == seed and (a > 0 or (a == 0 and b > 0))):
                        top = False
                    behind += had[ring + a, (k + b) % PHIS]
                    if other >= 2:
                        cluster += other
                        lean += a * other
            if not top or count == len(found):
                continue
            around = 0
            for a in range(-2, 4):
                for b in range(-4, 5):
                    if 0 <= ring + a < RINGS:
                        around += em[ring + a, (k + b) % PHIS] + had[ring + a, (k + b) % PHIS]
            alone = float(max(around - cluster, 0))
            found[count] = (float(cluster), float(ring), float(k), alone, lean / cluster, float(behind))
            count += 1
    return found[:count]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def sums(towers: Any, slope: float) -> Any:
    """(5,) total ET, missing ET x and y within |eta| < 3, missing ET x and y with the forward rings; in units.

    A tower counts above a threshold that grows with pile-up, as the number of central towers in use tells it, and with
    the ring's size: ``slope`` in units per tower in use.
    """
    out = np.zeros(5)
    used = 0
    for ring in range(*_CENTRAL):
        for k in range(PHIS):
            used += 1 if towers[0, ring, k] + towers[1, ring, k] > 0 else 0
    for ring in range(RINGS):
        width = (RING_EDGES[ring + 1] - RING_EDGES[ring]) / 0.087
        least = 1.0 + slope * used * math.sqrt(width) * (1.0 if abs(RING_CENTRE[ring]) < 1.5 else 1.6)
        inside = _ENDCAP[0] <= ring < _ENDCAP[1]
        for k in range(PHIS):
            et = min(towers[0, ring, k] + towers[1, ring, k], TOWER_MAX)
            if et == 0:
                continue
            if inside:
                out[0] += et
            if et > least:
                x, y = et * math.cos((k + 0.5) * PHI_STEP), et * math.sin((k + 0.5) * PHI_STEP)
                if inside:
                    out[1] -= x
                    out[2] -= y
                out[3] -= x
                out[4] -= y
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def measured_muons(true: Any, random: Any) -> Any:
    """What the muon trigger makes of true muons (n, 4) pT, eta, phi, charge: (m, 5) the same measured, and quality.

    Efficiency and resolution as in P10017, section 4: 93 % on the plateau, 20 to 25 % in 1/pT with tails, and a scale
    at which the nominal threshold is 90 % efficient.
    """
    out = np.empty((len(true), 5))
    count = 0
    for i in range(len(true)):
        pt, eta, phi, charge = true[i]
        if abs(eta) > 2.45 or pt < (3.3 if abs(eta) < 1.0 else 2.0) or random.random() > 0.93:
            continue
        width = _MUON_WIDTH + 0.03 * abs(eta)
        if random.random() < 0.08:  # showers, scattering: badly measured
            width *= 3
        curvature = abs(1 + width * random.normal())
        measured = min(1.25 * pt / max(curvature, 1 / _PROMOTED), 255.0)
        quality = 12 if random.random() < 0.9 else 8
        # the azimuth is that at the second station, the field's bend not taken back
        out[count] = (measured, eta + 0.01 * random.normal(), phi + 0.01 * random.normal(), charge, float(quality))
        count += 1
    return out[:count]
