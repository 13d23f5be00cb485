"""Compiled loops over generated particles: which are mothers, which are clustered, which jet belongs to whom."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.compiled import compile_kernel

__all__ = ("hardest", "match_nearest", "mothers", "near")

#: Pythia's status of the partons that leave the hardest collision.
_HARD = 23

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compile_kernel
def _eta(px: float, py: float, pz: float) -> float:
    pt = math.hypot(px, py)
    return math.asinh(pz / pt) if pt > 0 else math.copysign(1e9, pz)


@compile_kernel
def _turn(phi: float) -> float:
    """Bring an angle to [-pi, pi)."""
    return (phi + math.pi) % (2 * math.pi) - math.pi


@compile_kernel
def mothers(
    first: Ints, kind: Any, status: Any, daughter: Any, px: Floats, py: Floats, pz: Floats, e: Floats, partons: Ints
) -> tuple[Floats, Ints]:
    """Directions (mothers, 2) eta, phi of the partons of a class, and (events + 1,) offsets.

    Gluons and quarks are taken as they leave the hard collision; resonances (PDG code 6 and above 22) just before they
    decay, after all recoil.
    """
    found = []
    offsets = np.zeros(len(first), dtype=np.int64)
    for event in range(len(first) - 1):
        for i in range(first[event], first[event + 1]):
            code = abs(kind[i])
            match = False
            for parton in partons:
                match = match or parton == code
            if not match or status[i] > 0:
                continue
            if code == 6 or code > 22:
                last = daughter[i] > 0 and kind[first[event] + daughter[i]] != kind[i]
                if not last:
                    continue
            elif status[i] != -_HARD:
                continue
            found.append((_eta(px[i], py[i], pz[i]), math.atan2(py[i], px[i])))
        offsets[event + 1] = len(found)
    out = np.empty((len(found), 2))
    for i in range(len(found)):
        out[i, 0], out[i, 1] = found[i]
    return out, offsets


@compile_kernel
def near(
    first: Ints,
    kind: Any,
    status: Any,
    px: Floats,
    py: Floats,
    pz: Floats,
    mother: Floats,
    mother_offsets: Ints,
    reach: float,
) -> tuple[Ints, Ints]:
    """Index of the stable visible particles within ``reach`` of a mother, and (events + 1,) offsets."""
    index = np.empty(len(kind), dtype=np.int64)
    offsets = np.zeros(len(first), dtype=np.int64)
    count = 0
    for event in range(len(first) - 1):
        for i in range(first[event], first[event + 1]):
            code = abs(kind[i])
            if status[i] <= 0 or code == 12 or code == 14 or code == 16:
                continue
            eta, phi = _eta(px[i], py[i], pz[i]), math.atan2(py[i], px[i])
            for m in range(mother_offsets[event], mother_offsets[event + 1]):
                if (eta - mother[m, 0]) ** 2 + _turn(phi - mother[m, 1]) ** 2 < reach * reach:
                    index[count] = i
                    count += 1
                    break
        offsets[event + 1] = count
    return index[:count].copy(), offsets


@compile_kernel
def match_nearest(
    px: Floats,
    py: Floats,
    pz: Floats,
    e: Floats,
    offsets: Ints,
    jets: Ints,
    members: Ints,
    index: Ints,
    mother: Floats,
    mother_offsets: Ints,
    radius: float,
    pt_min: float,
    pt_max: float,
    eta_max: float,
) -> tuple[Floats, Floats, Floats, Ints, Ints]:
    """Constituents (pt, delta-eta, delta-phi) of the hardest free jet within ``radius`` of each mother, offsets, event.

    ``offsets``: particles of each event; ``jets``, ``members``, ``index``: events to jets to constituents, the index
    counting within the event.
    """
    pt, eta, phi = np.empty(len(index)), np.empty(len(index)), np.empty(len(index))
    count = 0
    ends = [0]
    origin = [0][:0]
    taken = np.zeros(len(members), dtype=np.bool_)
    axes = np.empty((len(members), 3))
    for event in range(len(jets) - 1):
        for jet in range(jets[event], jets[event + 1]):
            x, y, z = 0.0, 0.0, 0.0
            for k in range(members[jet], members[jet + 1]):
                i = offsets[event] + index[k]
                x, y, z = x + px[i], y + py[i], z + pz[i]
            axes[jet, 0], axes[jet, 1], axes[jet, 2] = math.hypot(x, y), _eta(x, y, z), math.atan2(y, x)
        for m in range(mother_offsets[event], mother_offsets[event + 1]):
            best = -1
            for jet in range(jets[event], jets[event + 1]):
                distance2 = (axes[jet, 1] - mother[m, 0]) ** 2 + _turn(axes[jet, 2] - mother[m, 1]) ** 2
                good = pt_min <= axes[jet, 0] <= pt_max and abs(axes[jet, 1]) < eta_max and not taken[jet]
                if good and distance2 < radius * radius and (best < 0 or axes[jet, 0] > axes[best, 0]):
                    best = jet
            if best < 0:
                continue
            taken[best] = True
            for k in range(members[best], members[best + 1]):
                i = offsets[event] + index[k]
                pt[count] = math.hypot(px[i], py[i])
                eta[count] = _eta(px[i], py[i], pz[i]) - axes[best, 1]
                phi[count] = _turn(math.atan2(py[i], px[i]) - axes[best, 2])
                count += 1
            ends.append(count)
            origin.append(event)
    return pt[:count], eta[:count], phi[:count], np.array(ends), np.array(origin, dtype=np.int64)


@compile_kernel
def hardest(pt: Floats, eta: Floats, phi: Floats, offsets: Ints, leading: int) -> NDArray[np.float32]:
    """Return the ``leading`` hardest constituents of each jet by falling pT, (jets, leading, 3), zero padded."""
    out = np.zeros((len(offsets) - 1, leading, 3), dtype=np.float32)
    for jet in range(len(offsets) - 1):
        begin = offsets[jet]
        order = np.argsort(-pt[begin : offsets[jet + 1]])
        for k in range(min(leading, len(order))):
            i = begin + order[k]
            out[jet, k, 0], out[jet, k, 1], out[jet, k, 2] = pt[i], eta[i], phi[i]
    return out
