"""Particle flow on towers: what the high-level trigger and the offline reconstruction cluster, and their densities.

A tower's input is the sum of the tracks that point to it, the photons and the neutral hadrons in it. The high-level
trigger clusters all of it, pile-up included. Offline, tracks of pile-up vertices are left out, and neutrals are kept
where tracks of the primary vertex are near: the idea of PUPPI (Bertolini, Harris, Low, Tran, JHEP 10 (2014) 059), with
one weight per tower.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from codesign.physics.detector.smearing import (
    CE,
    CH_HLT,
    CH_OFF,
    MU,
    N_HLT,
    N_OFF,
    NH_HLT,
    NH_OFF,
    PH,
    SHIFT_ETA,
    SHIFT_PHI,
)
from codesign.physics.detector.towers import (
    PHI_STEP,
    PHIS,
    RING_AREA,
    RING_CENTRE,
    RING_EDGES,
    RINGS,
    TOWERS,
    TRACKER_RINGS,
)

__all__ = (
    "PARTS",
    "areas",
    "density",
    "four_momenta",
    "hlt_inputs",
    "jet_parts",
    "near_seeds",
    "offline_inputs",
    "vector_sum",
)

#: Columns of an input: pT of charged hadrons, neutral hadrons, electrons, photons, muons, number of constituents, of
#: charged ones, and distance of the input from its tower's centre in eta and phi.
CH, NH, E, GAMMA, M, COUNT, CHARGED, D_ETA, D_PHI = range(9)
PARTS = 9

#: Borders of the patches of the density grid: about 0.5 in eta, as CMS's fixedGridRho (0.55), and 6 towers in phi.
_PATCHES = np.array([0, 2, 5, 8, 11, 13, 17, 22, 28, 34, 40, 46, 52, 58, 63, 67, 69, 72, 75, 78, 80])
_PATCH_PHIS = 6
#: Share of pile-up's neutrals near the primary vertex's tracks that are kept.
_LEFT = 0.3


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _input(
    out: Any, tower: int, ch: float, nh: float, ce: float, ph: float, mu: float, count: float, hard: Any
) -> None:
    row = out[tower]
    row[CH], row[NH], row[E], row[GAMMA], row[M] = ch, nh, ce, ph, mu
    charged = count + (1 if ce > 0 else 0) + (1 if mu > 0 else 0)
    row[CHARGED] = charged
    row[COUNT] = charged + (1 if ph > 0 else 0) + (1 if nh > 0 else 0)
    total = ch + nh + ce + ph + mu
    limit = 0.5 * PHI_STEP
    row[D_ETA] = min(max(hard[tower, SHIFT_ETA] / total, -limit), limit)
    row[D_PHI] = min(max(hard[tower, SHIFT_PHI] / total, -limit), limit)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _least(ring: int) -> tuple[float, float]:
    """Thresholds in ET of photons and neutral hadrons: energies of clusters above noise."""
    stretch = math.cosh(RING_CENTRE[ring])
    if abs(RING_CENTRE[ring]) > 3:
        return 0.5, 4.0 / stretch
    return 0.3, max(0.5, 1.5 / stretch)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def hlt_inputs(hard: Any, pile_up: Any) -> Any:
    """(towers, 9) inputs of the high-level trigger: no vertex is asked for, pile-up is in all of them."""
    out = np.zeros((TOWERS, PARTS))
    for tower in range(TOWERS):
        ph_least, nh_least = _least(tower // PHIS)
        ch = hard[tower, CH_HLT] + pile_up[tower, CH_HLT]
        ph = hard[tower, PH] + pile_up[tower, PH]
        nh = hard[tower, NH_HLT] + pile_up[tower, NH_HLT]
        ph = ph if ph > ph_least else 0.0
        nh = nh if nh > nh_least else 0.0
        ce, mu = hard[tower, CE] + pile_up[tower, CE], hard[tower, MU] + pile_up[tower, MU]
        if ch + ph + nh + ce + mu > 0:
            _input(out, tower, ch, nh, ce, ph, mu, hard[tower, N_HLT] + pile_up[tower, N_HLT], hard)
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def offline_inputs(hard: Any, pile_up: Any, collisions: float, random: Any) -> tuple[Any, Any]:
    """Inputs (towers, 9) of all particles, and of those that are kept with PUPPI-like weights.

    ``collisions``: pile-up; the more, the higher the least pT of a neutral (CMS-JME-18-001: 0.2 + 0.015 n GeV).
    """
    whole = np.zeros((TOWERS, PARTS))
    kept = np.zeros((TOWERS, PARTS))
    near = np.zeros(TOWERS)  # of each tower: sum of pT / dR of primary tracks within 0.4
    for tower in range(TRACKER_RINGS[0] * PHIS, TRACKER_RINGS[1] * PHIS):
        pt = hard[tower, CH_OFF] + hard[tower, CE] + hard[tower, MU]
        if pt < 0.5:
            continue
        ring, k = tower // PHIS, tower % PHIS
        for a in range(max(ring - 4, 0), min(ring + 5, RINGS)):
            d_eta = RING_CENTRE[a] - RING_CENTRE[ring]
            for b in range(-4, 5):
                d2 = d_eta * d_eta + (b * PHI_STEP) ** 2
                if d2 < 0.16:
                    near[a * PHIS + (k + b) % PHIS] += pt / math.sqrt(d2 + 0.002)
    for tower in range(TOWERS):
        ring = tower // PHIS
        ph_least, nh_least = _least(ring)
        ph = hard[tower, PH] + pile_up[tower, PH]
        nh = hard[tower, NH_OFF] + pile_up[tower, NH_OFF]
        ph = ph if ph > ph_least else 0.0
        nh = nh if nh > nh_least else 0.0
        ch = hard[tower, CH_OFF] + pile_up[tower, CH_OFF]
        ce, mu = hard[tower, CE] + pile_up[tower, CE], hard[tower, MU] + pile_up[tower, MU]
        if ch + ph + nh + ce + mu <= 0:
            continue
        _input(whole, tower, ch, nh, ce, ph, mu, hard[tower, N_OFF] + pile_up[tower, N_OFF], hard)
        central = TRACKER_RINGS[0] <= ring < TRACKER_RINGS[1]
        if central:
            weight = near[tower] ** 2 / (near[tower] ** 2 + (0.25 * collisions) ** 2 + 1e-9)
            least = 0.2 + 0.012 * collisions
            # of pile-up's neutrals among them, weights of single particles leave some
            ph = min(ph, hard[tower, PH] + _LEFT * pile_up[tower, PH])
            nh = min(nh, hard[tower, NH_OFF] + _LEFT * pile_up[tower, NH_OFF])
        else:
            # without tracks, only a high pT tells a neutral from pile-up
            weight, least = 1.0, 0.5 + 0.05 * collisions
            offset = 0.25 * collisions * RING_AREA[ring]
            nh = max(nh - offset, 0.0)
            ph = max(ph - 0.5 * offset, 0.0)
        ph *= weight
        nh *= weight
        ph = ph if ph > least else 0.0
        nh = nh if nh > least else 0.0
        # some tracks of pile-up are taken for the primary vertex's
        ch = hard[tower, CH_OFF]
        tracks = hard[tower, N_OFF]
        if pile_up[tower, N_OFF] > 0 and random.random() < 0.04 * pile_up[tower, N_OFF]:
            ch += pile_up[tower, CH_OFF] / pile_up[tower, N_OFF]
            tracks += 1
        if ch + ph + nh + hard[tower, CE] + hard[tower, MU] > 0:
            _input(kept, tower, ch, nh, hard[tower, CE], ph, hard[tower, MU], tracks, hard)
    return whole, kept


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def density(inputs: Any, eta_max: float) -> float:
    """Median of pT per area over patches of about 0.5 x 0.5 within ``eta_max``, GeV per unit of eta times phi."""
    values = np.zeros((len(_PATCHES) - 1) * PHIS // _PATCH_PHIS)
    count = 0
    for p in range(len(_PATCHES) - 1):
        low, high = RING_EDGES[_PATCHES[p]], RING_EDGES[_PATCHES[p + 1]]
        if abs(low + high) / 2 > eta_max:
            continue
        for q in range(PHIS // _PATCH_PHIS):
            total = 0.0
            for ring in range(_PATCHES[p], _PATCHES[p + 1]):
                for k in range(q * _PATCH_PHIS, (q + 1) * _PATCH_PHIS):
                    row = inputs[ring * PHIS + k]
                    total += row[CH] + row[NH] + row[E] + row[GAMMA] + row[M]
            values[count] = total / ((high - low) * _PATCH_PHIS * PHI_STEP)
            count += 1
    return float(np.median(values[:count]))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def near_seeds(inputs: Any, rho: float, least: float) -> Any:
    """(towers,) True within 0.6 of a window of about 0.6 x 0.6 whose pT less ``rho`` times its area is above ``least``.

    Anti-kt grows from the hardest input outwards; what lies farther from every possible jet cannot change one. Every
    window that has a jet's core in it counts, so that in the end everything within 0.9 of the core is there.
    """
    pt = np.zeros((RINGS, PHIS))
    for tower in range(TOWERS):
        row = inputs[tower]
        pt[tower // PHIS, tower % PHIS] = row[CH] + row[NH] + row[E] + row[GAMMA] + row[M]
    rows = np.zeros((RINGS, PHIS))
    for ring in range(RINGS):
        run = 0.0
        for b in range(-3, 4):
            run += pt[ring, b % PHIS]
        for k in range(PHIS):
            rows[ring, k] = run
            run += pt[ring, (k + 4) % PHIS] - pt[ring, (k - 3) % PHIS]
    out = np.zeros(TOWERS, np.bool_)
    for ring in range(RINGS):
        low = high = ring
        while low > 0 and RING_CENTRE[ring] - RING_CENTRE[low - 1] < 0.31:
            low -= 1
        while high < RINGS - 1 and RING_CENTRE[high + 1] - RING_CENTRE[ring] < 0.31:
            high += 1
        area = (RING_EDGES[high + 1] - RING_EDGES[low]) * 7 * PHI_STEP
        wide_low = wide_high = ring
        while wide_low > 0 and RING_CENTRE[ring] - RING_CENTRE[wide_low - 1] < 0.6:
            wide_low -= 1
        while wide_high < RINGS - 1 and RING_CENTRE[wide_high + 1] - RING_CENTRE[ring] < 0.6:
            wide_high += 1
        for k in range(PHIS):
            # only windows whose middle stands out, so that not every shifted copy marks its surroundings again
            if pt[ring, k] < 1.0:
                continue
            total = 0.0
            for a in range(low, high + 1):
                total += rows[a, k]
            if total - rho * area < least:
                continue
            for a in range(wide_low, wide_high + 1):
                d_eta = RING_CENTRE[a] - RING_CENTRE[ring]
                reach = int(math.sqrt(max(0.36 - d_eta * d_eta, 0.0)) / PHI_STEP)
                for b in range(-reach, reach + 1):
                    out[a * PHIS + (k + b) % PHIS] = True
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def four_momenta(inputs: Any, wanted: Any) -> tuple[Any, Any]:
    """(n,) towers that hold an input and are wanted, and (4, n) their massless px, py, pz, e."""
    index = np.empty(TOWERS, np.int64)
    out = np.empty((4, TOWERS))
    count = 0
    for tower in range(TOWERS):
        row = inputs[tower]
        pt = row[CH] + row[NH] + row[E] + row[GAMMA] + row[M]
        if pt <= 0 or not wanted[tower]:
            continue
        eta = RING_CENTRE[tower // PHIS] + row[D_ETA]
        phi = (tower % PHIS + 0.5) * PHI_STEP + row[D_PHI]
        index[count] = tower
        out[0, count], out[1, count] = pt * math.cos(phi), pt * math.sin(phi)
        out[2, count], out[3, count] = pt * math.sinh(eta), pt * math.cosh(eta)
        count += 1
    return index[:count].copy(), out[:, :count].copy()


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def jet_parts(inputs: Any, index: Any, jet_of: Any, jets: int) -> Any:
    """(jets, 9) sums over each jet's inputs: energies, as NanoAOD's fractions are of energies, and numbers."""
    out = np.zeros((jets, PARTS))
    for i in range(len(index)):
        jet = jet_of[i]
        if jet < 0:
            continue
        stretch = math.cosh(RING_CENTRE[index[i] // PHIS])
        for c in range(5):
            out[jet, c] += inputs[index[i], c] * stretch
        out[jet, COUNT] += inputs[index[i], COUNT]
        out[jet, CHARGED] += inputs[index[i], CHARGED]
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def areas(pt: Any, eta: Any, phi: Any, radius: float) -> Any:
    """(jets,) area: of the towers within ``radius``, empty or not, those that anti-kt gives to this jet.

    Between two jets, a ghost goes to the one with the smaller dR^2 / pT^2, as anti-kt's distance has it.
    """
    owner = np.full(TOWERS, -1, np.int64)
    closest = np.full(TOWERS, 1e300)
    for jet in range(len(pt)):
        for ring in range(RINGS):
            d_eta = RING_CENTRE[ring] - eta[jet]
            if abs(d_eta) > radius:
                continue
            reach = math.sqrt(radius * radius - d_eta * d_eta)
            first = math.ceil((phi[jet] - reach) / PHI_STEP - 0.5)
            last = math.floor((phi[jet] + reach) / PHI_STEP - 0.5)
            for k in range(first, last + 1):
                d_phi = (k + 0.5) * PHI_STEP - phi[jet]
                d = (d_eta * d_eta + d_phi * d_phi) / (pt[jet] * pt[jet])
                tower = ring * PHIS + k % PHIS
                if d < closest[tower]:
                    closest[tower] = d
                    owner[tower] = jet
    out = np.zeros(len(pt))
    for tower in range(TOWERS):
        if owner[tower] >= 0:
            out[owner[tower]] += RING_AREA[tower // PHIS]
    return out


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def vector_sum(inputs: Any) -> tuple[float, float, float]:
    """Sums of px, py and pT of all inputs, GeV."""
    x = y = total = 0.0
    for tower in range(TOWERS):
        row = inputs[tower]
        pt = row[CH] + row[NH] + row[E] + row[GAMMA] + row[M]
        if pt > 0:
            phi = (tower % PHIS + 0.5) * PHI_STEP + row[D_PHI]
            x += pt * math.cos(phi)
            y += pt * math.sin(phi)
            total += pt
    return x, y, total
