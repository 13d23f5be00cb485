"""Anti-kt in numba, for events of a few hundred to a thousand inputs: FastJet's tiled N^2 idea without its overhead.

A particle's nearest neighbour within R is searched in its own tile and the eight around it; the pair or particle of
smallest distance, found by the least of each block of them, is merged or becomes a jet (Cacciari, Salam, Soyez, JHEP 04
(2008) 063; Cacciari, Salam, PLB 641 (2006) 57). Recombination adds four-momenta. The same jets as FastJet's, tested jet
by jet.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

__all__ = ("cluster",)

_Y_MAX = 5.6
#: Distances are searched for the least in blocks of so many.
_BLOCK = 16


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def cluster(px: Any, py: Any, pz: Any, e: Any, radius: float, pt_min: float) -> tuple[Any, Any]:
    """Cluster ``n`` inputs; jets at or above ``pt_min`` by falling pT.

    Returns (jets, 4) px, py, pz, e in GeV and (n,) the jet of each input, -1 where it is in none of them.
    """
    n = len(px)
    momentum = np.empty((n, 4))
    y, phi, kt = np.empty(n), np.empty(n), np.empty(n)
    nearest = np.empty(n, np.int64)
    distance = np.empty(n)
    tiles_y, tiles_phi = int(2 * _Y_MAX / radius), int(2 * math.pi / radius)
    head = np.full(tiles_y * tiles_phi, -1, np.int64)
    after, before, tile = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    parent = np.full(n, -1, np.int64)  # what an input was merged into
    jet_of = np.full(n, -1, np.int64)
    alive = np.empty(n, np.int64)
    place = np.empty(n, np.int64)
    r2 = radius * radius

    for i in range(n):
        momentum[i] = (px[i], py[i], pz[i], e[i])
        _enter(i, momentum, y, phi, kt, tile, head, after, before, tiles_y, tiles_phi)
        alive[i] = i
        place[i] = i
    for i in range(n):
        _search(i, y, phi, tile, head, after, tiles_y, tiles_phi, r2, nearest, distance)
    # anti-kt distance of each of ``alive``, and the place of the least in each block of them
    weighed = np.full((n // _BLOCK + 1) * _BLOCK, np.inf)
    block = np.empty(n // _BLOCK + 1, np.int64)
    for i in range(n):
        weighed[i] = _weigh(i, nearest, distance, kt)
    for b in range(len(block)):
        _scan(b, weighed, block)
    left = n
    axes = np.empty((n, 4))
    jets = 0
    touched = np.empty(n, np.int64)
    while left > 0:
        best = block[0]
        for b in range(1, left // _BLOCK + 1):
            if weighed[block[b]] < weighed[best]:
                best = block[b]
        i = alive[best]
        j = nearest[i]
        # those that had either as their neighbour search again; near tiles hold them all
        count = 0
        for k in range(2):
            centre = i if k == 0 else j
            if centre < 0:
                continue
            ty, tp = tile[centre] // tiles_phi, tile[centre] % tiles_phi
            for a in range(max(ty - 1, 0), min(ty + 2, tiles_y)):
                for b in range(-1, 2):
                    m = head[a * tiles_phi + (tp + b) % tiles_phi]
                    while m >= 0:
                        if m != i and m != j and (nearest[m] == i or (j >= 0 and nearest[m] == j)):
                            nearest[m] = -2
                            touched[count] = m
                            count += 1
                        m = after[m]
        _leave(i, tile, head, after, before)
        left -= 1
        last = alive[left]
        alive[place[i]], place[last] = last, place[i]
        moved = weighed[left]
        _set(left, np.inf, weighed, block)
        if place[i] < left:
            _set(place[i], moved, weighed, block)
        if j < 0:
            axes[jets] = momentum[i]
            jet_of[i] = jets
            jets += 1
        else:
            _leave(j, tile, head, after, before)
            momentum[j] += momentum[i]
            parent[i] = j
            _enter(j, momentum, y, phi, kt, tile, head, after, before, tiles_y, tiles_phi)
            _search(j, y, phi, tile, head, after, tiles_y, tiles_phi, r2, nearest, distance)
            _set(place[j], _weigh(j, nearest, distance, kt), weighed, block)
            # the new one may be the nearest of those around it
            ty, tp = tile[j] // tiles_phi, tile[j] % tiles_phi
            for a in range(max(ty - 1, 0), min(ty + 2, tiles_y)):
                for b in range(-1, 2):
                    m = head[a * tiles_phi + (tp + b) % tiles_phi]
                    while m >= 0:
                        if m != j and nearest[m] != -2:
                            d = _apart(y[m], phi[m], y[j], phi[j])
                            if d < distance[m]:
                                distance[m], nearest[m] = d, j
                                _set(place[m], _weigh(m, nearest, distance, kt), weighed, block)
                        m = after[m]
        for k in range(count):
            m = touched[k]
            _search(m, y, phi, tile, head, after, tiles_y, tiles_phi, r2, nearest, distance)
            _set(place[m], _weigh(m, nearest, distance, kt), weighed, block)

    for i in range(n):
        root = i
        while parent[root] >= 0:
            root = parent[root]
        jet_of[i] = jet_of[root]
    pt = np.hypot(axes[:jets, 0], axes[:jets, 1])
    order = np.argsort(-pt)
    rank = np.full(jets + 1, -1, np.int64)  # its last serves index -1
    kept = 0
    for k in order:
        if pt[k] >= pt_min:
            rank[k] = kept
            kept += 1
    for i in range(n):
        jet_of[i] = rank[jet_of[i]]
    return axes[order[:kept]], jet_of


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _scan(b: int, weighed: Any, block: Any) -> None:
    """Find the least of a block."""
    best = b * _BLOCK
    for k in range(best + 1, (b + 1) * _BLOCK):
        if weighed[k] < weighed[best]:
            best = k
    block[b] = best


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _set(k: int, value: float, weighed: Any, block: Any) -> None:
    """Change one distance, and its block's least."""
    b = k // _BLOCK
    old = weighed[k]
    weighed[k] = value
    if block[b] == k:
        if value > old:
            _scan(b, weighed, block)
    elif value < weighed[block[b]]:
        block[b] = k


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _apart(y: float, phi: float, other_y: float, other_phi: float) -> float:
    d = abs(phi - other_phi)
    if d > math.pi:
        d = 2 * math.pi - d
    return (y - other_y) * (y - other_y) + d * d


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _weigh(i: int, nearest: Any, distance: Any, kt: Any) -> float:
    other = nearest[i]
    if other >= 0 and kt[other] < kt[i]:
        return float(distance[i] * kt[other])
    return float(distance[i] * kt[i])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _enter(
    i: int,
    momentum: Any,
    y: Any,
    phi: Any,
    kt: Any,
    tile: Any,
    head: Any,
    after: Any,
    before: Any,
    tiles_y: int,
    tiles_phi: int,
) -> None:
    """Compute an input's rapidity, azimuth and 1/pT^2, and put it into its tile."""
    x, yy, z, energy = momentum[i]
    pt2 = x * x + yy * yy
    kt[i] = 1 / max(pt2, 1e-12)
    phi[i] = math.atan2(yy, x)
    # as FastJet: stable also where the mass is negligible
    mass2 = max(energy * energy - pt2 - z * z, 0.0)
    rapidity = 0.5 * math.log(max(pt2 + mass2, 1e-12) / (energy + abs(z)) ** 2)
    y[i] = -rapidity if z > 0 else rapidity
    ty = min(max(int((y[i] + _Y_MAX) / (2 * _Y_MAX) * tiles_y), 0), tiles_y - 1)
    tp = min(int((phi[i] + math.pi) / (2 * math.pi) * tiles_phi), tiles_phi - 1)
    t = ty * tiles_phi + tp
    tile[i] = t
    before[i] = -1
    after[i] = head[t]
    if head[t] >= 0:
        before[head[t]] = i
    head[t] = i


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _leave(i: int, tile: Any, head: Any, after: Any, before: Any) -> None:
    if before[i] >= 0:
        after[before[i]] = after[i]
    else:
        head[tile[i]] = after[i]
    if after[i] >= 0:
        before[after[i]] = before[i]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _search(
    i: int,
    y: Any,
    phi: Any,
    tile: Any,
    head: Any,
    after: Any,
    tiles_y: int,
    tiles_phi: int,
    r2: float,
    nearest: Any,
    distance: Any,
) -> None:
    """Nearest neighbour of an input within R, -1 where there is none (then its distance is R^2)."""
    found, least = -1, r2
    ty, tp = tile[i] // tiles_phi, tile[i] % tiles_phi
    for a in range(max(ty - 1, 0), min(ty + 2, tiles_y)):
        for b in range(-1, 2):
            m = head[a * tiles_phi + (tp + b) % tiles_phi]
            while m >= 0:
                if m != i:
                    d = _apart(y[m], phi[m], y[i], phi[i])
                    if d < least:
                        found, least = m, d
                m = after[m]
    nearest[i], distance[i] = found, least
