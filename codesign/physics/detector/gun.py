"""Particles of anybody's own through the parametric detector: what the towers and the tracker see of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.physics.detector import smearing
from codesign.physics.detector.towers import PHI_STEP, PHIS, RING_CENTRE

__all__ = ("SeenTowers", "towers_of")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SeenTowers:
    """Towers in which something was seen, one after another; each (towers,).

    ``event``: int64, as it was given; ``eta``, ``phi``: of the tower's centre; ``em``, ``had``: what both calorimeters
    measure; ``tracks``: sum of the offline tracks' transverse momenta, muons among them, of the tracks that point to
    this tower at the vertex; ``charged``: number of the tracks of hadrons. All transverse, in GeV.
    """

    event: NDArray[np.int64]
    eta: Floats
    phi: Floats
    em: Floats
    had: Floats
    tracks: Floats
    charged: Floats


def towers_of(event: NDArray[Any], kind: NDArray[Any], pt: Floats, eta: Floats, phi: Floats, seed: int) -> SeenTowers:
    """What the detector (:mod:`codesign.physics.detector.smearing`) sees of stable, massless particles.

    Each argument is (particles,): ``event`` rising, ``kind`` PDG codes, momenta in GeV. The same seed gives the same
    towers. InputError for arrays of several lengths, events out of order, or momenta that are not finite.
    """
    given = [np.asarray(a) for a in (event, kind, pt, eta, phi)]
    if any(a.shape != given[0].shape or a.ndim != 1 for a in given):
        raise InputError(f"particles: event, kind, pt, eta and phi are one array each, equally long, not of "
                         f"{', '.join(str(a.shape) for a in given)}")  # fmt: skip
    number = given[0].astype(np.int64)
    if (np.diff(number) < 0).any():
        raise InputError("particles: the numbers of their events must not fall")
    momentum = [a.astype(np.float64) for a in given[2:]]
    if not all(np.isfinite(a).all() for a in momentum) or (momentum[0] < 0).any():
        raise InputError("particles: pt, eta and phi are finite, and pt is at least 0")
    pt, eta, phi = momentum
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    flat = (given[1].astype(np.int32), np.ones(len(number), np.int32), px, py, pz, pt * np.cosh(eta))
    cells, used, count = smearing.new_grid()
    random, places, rows, events = np.random.default_rng(seed), [], [], []
    ends = [*np.flatnonzero(np.diff(number, prepend=number[:1] - 1)), len(number)]
    for begin, end in pairwise(ends):
        smearing.fill(cells, used, count, begin, end, *flat, random)
        seen = np.sort(used[: count[0]])
        places.append(seen)
        rows.append(cells[seen])
        events.append(np.full(len(seen), number[begin]))
        smearing.wipe(cells, used, count)
    tower = np.concatenate(places) if places else np.empty(0, np.int64)
    content = (np.concatenate(rows) if rows else np.empty((0, smearing.COLUMNS))).astype(np.float64)
    return SeenTowers(
        event=np.concatenate(events) if events else np.empty(0, np.int64),
        eta=RING_CENTRE[tower // PHIS],
        phi=((tower % PHIS + 0.5) * PHI_STEP).astype(np.float64),
        em=content[:, smearing.EM],
        had=content[:, smearing.HAD],
        tracks=content[:, smearing.CH_OFF] + content[:, smearing.MU],
        charged=content[:, smearing.N_OFF],
    )
