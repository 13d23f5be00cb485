"""From stable particles to what the detector's towers and its tracker see of them.

Each particle is swept through the solenoid to the calorimeter's face, deposits what its kind deposits there, and leaves
a track or not. Everything is transverse: energies times sin(theta), in GeV. Sources:

- field 3.8 T, ECAL at r = 1.29 m and |z| = 3.17 m; ECAL 2.8 %/sqrt(E) + 0.3 %, noise 0.12 GeV; HCAL with ECAL
  110 %/sqrt(E) + 9 %; HF 198 %/sqrt(E) + 9 %: CMS, JINST 3 (2008) S08004, sections 1, 4 and 5;
- response of a non-compensating calorimeter to hadrons, pi/e = (1 + (e/h - 1) f0) / (e/h), f0 = 1 - E^(k - 1):
  Wigmans, Groom, NIM A 338 (1994) 336, with k = 0.82 and e/h = 1.6 (CMS combined test beam, EPJ C 60 (2009) 359);
- efficiency of tracks: CMS, JINST 9 (2014) P10009 (offline: 75 % at 0.4 GeV, 90 % at 1 to 20 GeV in jets); at HLT,
  tracks come from few iterations, and mostly above 0.7 GeV: CMS, JINST 12 (2017) P01020, section 3.1.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.towers import PHI_STEP, PHIS, RING_CENTRE, TOWERS, ring_of, turn

__all__ = (
    "CE",
    "CH_HLT",
    "CH_OFF",
    "COLUMNS",
    "EM",
    "HAD",
    "MU",
    "NH_HLT",
    "NH_OFF",
    "N_HLT",
    "N_OFF",
    "PH",
    "SHIFT_ETA",
    "SHIFT_PHI",
    "USED",
    "Grid",
    "charge_of",
    "fill",
    "new_grid",
    "wipe",
)

Floats = NDArray[np.float64]
Grid = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]

#: Columns of a grid. EM, HAD: calorimeter as the L1 trigger sees it. CH: tracks; NH: neutral hadrons, and charged ones
#: that left no track, each as offline and HLT see it; N: number of tracks; PH: photons; CE, MU: electrons and muons.
EM, HAD, CH_OFF, CH_HLT, PH, NH_OFF, NH_HLT, N_OFF, N_HLT, CE, MU = range(11)
#: Sums of pT times the distance from the tower's centre (where in a tower the particles are), and 1 for a tower in use.
SHIFT_ETA, SHIFT_PHI, USED = 11, 12, 13
COLUMNS = 14

_RADIUS = 1.29  # m
_LENGTH = 3.17  # m
_BEND = 0.3 * 3.8  # GeV per m
_E_OVER_H = 1.6


def new_grid() -> Grid:
    """An empty grid: (towers, columns) float32, list of the towers in use, and (1,) their number."""
    return np.zeros((TOWERS, COLUMNS), np.float32), np.zeros(TOWERS, np.int32), np.zeros(1, np.int64)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def wipe(cells: Any, used: Any, count: Any) -> None:
    """Empty a grid again."""
    for k in range(count[0]):
        cells[used[k], :] = 0
    count[0] = 0


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _touch(cells: Any, used: Any, count: Any, ring: int, phi: float) -> int:
    """Tower of a direction, from now on in use."""
    tower = ring * PHIS + int((phi % (2 * math.pi)) / PHI_STEP) % PHIS
    if cells[tower, USED] == 0:
        cells[tower, USED] = 1
        used[count[0]] = tower
        count[0] += 1
    return tower


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _shift(row: Any, tower: int, pt: float, eta: float, phi: float) -> None:
    row[SHIFT_ETA] += np.float32(pt * (eta - RING_CENTRE[tower // PHIS]))
    row[SHIFT_PHI] += np.float32(pt * turn(phi - (tower % PHIS + 0.5) * PHI_STEP))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _at_calorimeter(pt: float, eta: float, phi: float, charge: int) -> tuple[float, float]:
    """Direction (eta, phi) at which a charged particle meets the calorimeter."""
    radius = pt / _BEND
    slope = abs(math.sinh(eta))
    turned = _LENGTH / max(slope, 1e-6) / radius  # angle on the helix when it reaches the endcap
    if 2 * radius > _RADIUS:
        turned = min(turned, 2 * math.asin(_RADIUS / (2 * radius)))
    turned = min(turned, math.pi)  # a looper: it ends somewhere on its way
    r = max(2 * radius * math.sin(turned / 2), 1e-3)
    z = radius * turned * slope
    return math.copysign(math.asinh(min(z, _LENGTH) / r), eta), turn(phi - charge * turned / 2)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _pi_over_e(energy: float) -> float:
    f0 = 1 - max(energy, 1.0) ** (0.82 - 1)
    return float((1 + (_E_OVER_H - 1) * f0) / _E_OVER_H)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def charge_of(code: int) -> int:
    """Electric charge of a stable particle, by its PDG code."""
    size = abs(code)
    if size in (211, 321, 2212, 3222):
        return 1 if code > 0 else -1
    if size in (11, 13, 3112, 3312, 3334):
        return -1 if code > 0 else 1
    return 0


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def fill(
    cells: Any,
    used: Any,
    count: Any,
    begin: int,
    end: int,
    kind: Any,
    status: Any,
    px: Floats,
    py: Floats,
    pz: Floats,
    e: Floats,
    random: Any,
) -> None:
    """Add the stable particles ``begin`` to ``end`` of an event to a grid.

    ``kind``: PDG codes; ``status``: positive for stable particles; momenta in GeV; ``random``: numpy's Generator.
    """
    for i in range(begin, end):
        code = abs(kind[i])
        if status[i] <= 0 or code == 12 or code == 14 or code == 16 or code > 1_000_000:
            continue
        pt = math.hypot(px[i], py[i])
        if pt < 0.05:
            continue
        eta = math.asinh(pz[i] / pt)
        phi = math.atan2(py[i], px[i])
        energy = e[i]
        charge = charge_of(kind[i])
        eta_calo, phi_calo = (eta, phi) if charge == 0 else _at_calorimeter(pt, eta, phi, charge)
        ring = ring_of(eta_calo)
        forward = abs(eta_calo) > 3.0
        # what the calorimeter measures: fractions of the particle's energy
        em = had = calibrated = 0.0
        if code == 22 or code == 11:
            width = 1.98 / math.sqrt(energy) + 0.09 if forward else 0.03 / math.sqrt(energy) + 0.005 + 0.12 / energy
            em = max(0.0, 1 + width * random.normal())
        elif code != 13:
            width = math.hypot((1.98 if forward else 1.1) / math.sqrt(energy), 0.09)
            calibrated = max(0.0, 1 + width * random.normal())
            raw = calibrated * _pi_over_e(energy) / _pi_over_e(50.0)
            share = 0.0 if random.random() < 0.4 else 0.7 * random.random()  # of it in ECAL
            em, had = raw * share, raw * (1 - share)
        # the track: as a fraction of the particle's pT, 0 where there is none
        best = quick = 0.0
        if charge != 0 and abs(eta) < 2.5 and pt > 0.3:
            chance = random.random()
            lost = 0.1 if abs(eta) > 2.0 else 0.0
            dense = 0.10 * min(1.0, max(0.0, (pt - 20) / 100))  # merged hits in the core of hard jets
            if code == 13 or chance < (0.80 if pt < 0.7 else 0.95) - dense - lost:
                best = max(0.0, 1 + (0.01 + 2e-4 * pt) * random.normal())
            if code == 13 or (pt > 0.7 and chance < 0.78 - 1.5 * dense - 1.5 * lost):
                quick = max(0.0, 1 + (0.015 + 3e-4 * pt) * random.normal())
        if ring >= 0 and code != 13:
            tower = _touch(cells, used, count, ring, phi_calo)
            row = cells[tower]
            et = energy / math.cosh(eta_calo)
            row[EM] += np.float32(em * et)
            row[HAD] += np.float32(had * et)
            if code == 22 or code == 11:
                column = NH_OFF if forward else (CE if code == 11 and best > 0 else PH)
                row[column] += np.float32(em * et)
                if forward:
                    row[NH_HLT] += np.float32(em * et)
                _shift(row, tower, em * et, eta_calo, phi_calo)
            else:
                if best == 0:
                    row[NH_OFF] += np.float32(calibrated * et)
                    _shift(row, tower, calibrated * et, eta_calo, phi_calo)
                if quick == 0:
                    row[NH_HLT] += np.float32((em + had) * et)
        if code != 11 and (best > 0 or quick > 0):
            # particle flow takes a track's direction at the vertex
            tower = _touch(cells, used, count, ring_of(eta), phi)
            row = cells[tower]
            _shift(row, tower, best * pt, eta, phi)
            if code == 13:
                row[MU] += np.float32(best * pt)
            else:
                row[CH_OFF] += np.float32(best * pt)
                row[CH_HLT] += np.float32(quick * pt)
                row[N_OFF] += np.float32(best > 0)
                row[N_HLT] += np.float32(quick > 0)
