"""Generated particles as flat arrays, and what is true of an event: jets, flavours, neutrinos, leptons."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import ToolError
from codesign.physics.detector.smearing import charge_of
from codesign.physics.detector.towers import turn

__all__ = ("Collision", "collisions_of", "decayed", "flavours", "muon_parents", "stable", "true_leptons", "true_muons")

_RADIUS = 0.4
_TRIES = 100


@dataclass(frozen=True)
class Collision:
    """One collision: PDG codes, Pythia's status, momenta (px, py, pz, e) in GeV; its weight and hardest pT scale; where
    asked for, (3, particles) where each particle comes from, mm from the collision."""

    kind: NDArray[np.int32]
    status: NDArray[np.int32]
    px: NDArray[np.float64]
    py: NDArray[np.float64]
    pz: NDArray[np.float64]
    e: NDArray[np.float64]
    weight: float
    pt_hat: float
    origin: NDArray[np.float64] | None = None


def collisions_of(pythia: Any, what: str, batch: int, origins: bool = False) -> Iterator[Collision]:
    """Collisions without end, generated ``batch`` by ``batch``; ToolError where Pythia makes none."""
    import awkward as ak

    fields = ("id", "status", "px", "py", "pz", "e")
    while True:
        for _ in range(_TRIES):
            made = pythia.nextBatch(batch)
            if len(made):
                break
        else:
            raise ToolError(f"{what}: Pythia made no collision out of {batch * _TRIES}")
        layout = ak.to_packed(made.prt).layout
        first = np.asarray(layout.offsets.data)
        content = layout.content
        flat = [np.asarray((content if f in ("id", "status") else content["p"])[f].data) for f in fields]
        made_at = ak.flatten(made.prt.vProd, axis=1) if origins else None
        places = None if made_at is None else [ak.to_numpy(ak.fill_none(made_at[f], 0.0)) for f in ("px", "py", "pz")]
        weights = np.asarray(made.info.weights[:, 0])
        pt_hat = np.sqrt(np.asarray(made.info.pT2Hat))
        for i in range(len(made)):
            part = slice(first[i], first[i + 1])
            kind, status, px, py, pz, e = (array[part] for array in flat)
            origin = None if places is None else np.stack([place[part] for place in places])
            yield Collision(kind, status, px, py, pz, e, float(weights[i]), float(pt_hat[i]), origin)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def stable(kind: Any, status: Any, px: Any, py: Any, pz: Any, e: Any) -> tuple[Any, Any]:
    """(4, n) momenta of the stable visible particles within |eta| < 5.2, and (2,) px and py of the invisible ones."""
    out = np.empty((4, len(kind)))
    lost = np.zeros(2)
    count = 0
    for i in range(len(kind)):
        if status[i] <= 0:
            continue
        code = abs(kind[i])
        if code == 12 or code == 14 or code == 16 or code > 1_000_000:
            lost[0] += px[i]
            lost[1] += py[i]
            continue
        pt = math.hypot(px[i], py[i])
        if pt > 0 and abs(pz[i]) < 90.6 * pt:  # sinh(5.2)
            out[0, count], out[1, count], out[2, count], out[3, count] = px[i], py[i], pz[i], e[i]
            count += 1
    return out[:, :count].copy(), lost


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def flavours(kind: Any, status: Any, px: Any, py: Any, pz: Any, jet_eta: Any, jet_phi: Any) -> tuple[Any, Any]:
    """Flavours of hadrons and partons of each jet, (jets,) int64 each, by particles within 0.4 of its axis.

    hadron: 5, else 4, for a b or c hadron above 5 GeV, else 0. parton: of the hardest collision's partons and its
    resonances' (status 23) within the jet the one of highest pT, else of those that hadronise (status 71 to 74); b and
    c by the hadrons first; 0 where there is none.
    """
    n = len(jet_eta)
    hadron, parton = np.zeros(n, np.int64), np.zeros(n, np.int64)
    best = np.zeros((n, 2))
    for i in range(len(kind)):
        code = abs(kind[i])
        state = abs(status[i])
        heavy = 0
        if code > 100 and code < 100_000:
            digit = max(code // 100 % 10, code // 1000 % 10)
            heavy = digit if digit >= 4 else 0
        light = (code <= 5 or code == 21) and (state == 23 or 71 <= state <= 74)
        if heavy == 0 and not light:
            continue
        pt = math.hypot(px[i], py[i])
        if pt < (5.0 if heavy else 0.5):
            continue
        eta, phi = math.asinh(pz[i] / pt), math.atan2(py[i], px[i])
        for jet in range(n):
            d2 = (eta - jet_eta[jet]) ** 2 + turn(phi - jet_phi[jet]) ** 2
            if d2 > _RADIUS * _RADIUS:
                continue
            if heavy:
                hadron[jet] = max(hadron[jet], heavy)
            else:
                rank = 1 if state == 23 else 0
                if pt > best[jet, rank]:
                    best[jet, rank] = pt
                    if rank == 1 or best[jet, 1] == 0:
                        parton[jet] = kind[i]
    for jet in range(n):
        if hadron[jet] > 0 and abs(parton[jet]) != hadron[jet]:
            parton[jet] = hadron[jet]
    return hadron, parton


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def true_muons(kind: Any, status: Any, px: Any, py: Any, pz: Any, random: Any) -> Any:
    """(n, 4) pT, eta, phi, charge of muons above 2 GeV, and of those of pions and kaons that decay before ECAL."""
    return decayed(muon_parents(kind, status, px, py, pz), random)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def muon_parents(kind: Any, status: Any, px: Any, py: Any, pz: Any) -> Any:
    """(n, 5) pT, eta, phi, charge and PDG code without sign of muons, pions and kaons above 2 GeV."""
    out = np.empty((len(kind), 5))
    count = 0
    for i in range(len(kind)):
        code = abs(kind[i])
        if status[i] <= 0 or (code != 13 and code != 211 and code != 321):
            continue
        pt = math.hypot(px[i], py[i])
        if pt < 2.0 or abs(pz[i]) > 5.8 * pt:  # sinh(2.46)
            continue
        out[count] = (pt, math.asinh(pz[i] / pt), math.atan2(py[i], px[i]), float(charge_of(kind[i])), float(code))
        count += 1
    return out[:count].copy()


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def decayed(parents: Any, random: Any) -> Any:
    """(m, 4) pT, eta, phi, charge of the muons above 2 GeV of parents (n, 5), each of which decays by chance or not.

    The chance of a decay is L m / (pT c tau) over L = 1.3 m: 0.023 / pT for pions, 0.109 / pT for kaons to muons (PDG
    2024: c tau 7.80 and 3.71 m, branching 63.6 %). The muon takes 57 to 100 % of a pion's momentum, 5 to 100 % of a
    kaon's.
    """
    out = np.empty((len(parents), 4))
    count = 0
    for i in range(len(parents)):
        pt, code = parents[i, 0], parents[i, 4]
        if code != 13:
            if random.random() > (0.023 if code == 211 else 0.109) / pt:
                continue
            pt *= random.uniform(0.57 if code == 211 else 0.05, 1.0)
            if pt < 2.0:
                continue
        out[count] = parents[i, :4]
        out[count, 0] = pt
        count += 1
    return out[:count].copy()


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def true_leptons(kind: Any, status: Any, px: Any, py: Any, pz: Any, least: float) -> Any:
    """(n, 6) PDG code, pT, eta, phi, charge, isolation of electrons, muons and photons above ``least`` GeV.

    Isolation is the pT of all other visible particles within 0.3, over the particle's.
    """
    out = np.empty((64, 6))
    count = 0
    for i in range(len(kind)):
        code = abs(kind[i])
        if status[i] <= 0 or (code != 11 and code != 13 and code != 22):
            continue
        pt = math.hypot(px[i], py[i])
        if pt < least or abs(pz[i]) > 6.05 * pt or count == len(out):  # sinh(2.5)
            continue
        eta, phi = math.asinh(pz[i] / pt), math.atan2(py[i], px[i])
        around = 0.0
        for k in range(len(kind)):
            size = abs(kind[k])
            if k == i or status[k] <= 0 or size == 12 or size == 14 or size == 16:
                continue
            other = math.hypot(px[k], py[k])
            if other <= 0 or abs(pz[k]) > 20 * other:
                continue
            d2 = (math.asinh(pz[k] / other) - eta) ** 2 + turn(math.atan2(py[k], px[k]) - phi) ** 2
            if d2 < 0.09:
                around += other
        out[count] = (float(code), pt, eta, phi, float(charge_of(kind[i])), around / pt)
        count += 1
    return out[:count].copy()
