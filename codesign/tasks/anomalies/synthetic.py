"""Anomalies made of zero-bias events, so that networks can be chosen without looking at a signal.

``merged``: the objects of two events, and the vector sum of their missing energies; ``scaled``: every energy of an
event times one factor of 1.5 to 4; ``swapped``: electrons and photons, muons and the four hardest jets change kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Sample, Splits
from codesign.physics.events.l1_scales import SCALES
from codesign.tasks.anomalies.level1_inputs import KINDS, columns_of

__all__ = ("MADE", "PREFIX", "merged", "scaled", "swapped", "with_synthetic")

#: what the names of their classes begin with
PREFIX = "synthetic_"
#: least and largest factor by which energies are scaled
_FACTORS = (1.5, 4.0)
#: kinds of objects that are swapped, and of how many objects
_SWAPPED, _MANY = ("eg", "muon", "jet"), 4
_VALUES = ("pt", "eta", "phi")

Rows = NDArray[np.float32]
Random = np.random.Generator


def merged(x: Rows, random: Random) -> Rows:
    """Each event with another one of them, (events, 57): of each kind the hardest objects of both."""
    other = x[(np.arange(len(x)) + random.integers(1, max(len(x), 2), len(x))) % len(x)]
    found = np.zeros_like(x)
    for kind in _SWAPPED:
        _put(found, kind, np.concatenate([_objects(x, kind), _objects(other, kind)], axis=1))
    turn = 2 * np.pi / SCALES["L1EtSum"].phi_codes
    pt, phi = (x[:, columns_of("met", value)[0]].astype(np.float64) for value in ("pt", "phi"))
    more, at = (other[:, columns_of("met", value)[0]].astype(np.float64) for value in ("pt", "phi"))
    east = pt * np.cos(phi * turn) + more * np.cos(at * turn)
    north = pt * np.sin(phi * turn) + more * np.sin(at * turn)
    found[:, columns_of("met", "pt")[0]] = np.minimum(np.floor(np.hypot(east, north)), SCALES["L1EtSum"].pt_most)
    half = SCALES["L1EtSum"].phi_codes // 2
    found[:, columns_of("met", "phi")[0]] = (np.round(np.arctan2(north, east) / turn) + half) % (2 * half) - half
    return found


def scaled(x: Rows, random: Random) -> Rows:
    """Every energy of an event times a factor of its own, (events, 57)."""
    low, high = (float(np.log(factor)) for factor in _FACTORS)
    factor = np.exp(random.uniform(low, high, len(x)))[:, None]
    found = x.copy()
    for kind, (_, scale, _) in KINDS.items():
        places, zero = columns_of(kind, "pt"), SCALES[scale].pt_zero
        pt = np.floor((x[:, places] - zero) * factor) + zero
        found[:, places] = np.where(x[:, places] > 0, np.minimum(pt, SCALES[scale].pt_most), 0)
    return found


def swapped(x: Rows, random: Random) -> Rows:
    """Objects of one kind become those of another, (events, 57), the same of all kinds of an event."""
    ways = np.array([(1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)])[random.integers(0, 5, len(x))]
    found = x.copy()
    physical = [_physical(_objects(x, kind)[:, :_MANY], kind) for kind in _SWAPPED]
    for place, kind in enumerate(_SWAPPED):
        taken = np.choose(ways[:, place, None, None], physical)
        rest = _objects(x, kind)[:, _MANY:]
        _put(found, kind, np.concatenate([_coded(taken, kind), rest], axis=1))
    return found


#: name of a class -> what makes it
MADE: dict[str, Callable[[Rows, Random], Rows]] = {
    f"{PREFIX}{make.__name__}": make for make in (merged, scaled, swapped)
}


def with_synthetic(sample: Sample, each: int, splits: Splits) -> Sample:
    """The sample with its splits, and in validation and test so many events of each kind, made of the zero bias of
    the same split: none of them is learned from. The rest is split as it was."""
    found = np.zeros(len(sample), np.int8)
    for number, name in enumerate(("validation", "test"), 1):
        found[sample.places(name, splits)] = number
    features, labels, pile_up, parts, pools = [], [], [], [], []
    for number in (1, 2):
        usual = np.flatnonzero((found == number) & (sample.labels == 0))
        chance = None if sample.weights is None else sample.weights[usual] / sample.weights[usual].sum()
        for kind, make in enumerate(MADE.values()):
            random = np.random.default_rng([splits.seed, number, kind])
            places = random.choice(usual, min(each, len(usual)), replace=False, p=chance)
            features.append(make(sample.features[places], random))
            labels.append(np.full(len(places), len(sample.class_names) + kind, sample.labels.dtype))
            pile_up.append(sample.truth["pile_up"][places])
            if sample.pools is not None:
                pools.append(sample.pools[places])
            parts.append(np.full(len(places), number, np.int8))
    more = sum(len(rows) for rows in labels)
    return replace(
        sample,
        features=np.concatenate([sample.features, *features]),
        labels=np.concatenate([sample.labels, *labels]),
        class_names=(*sample.class_names, *MADE),
        held_out=(*sample.held_out, *MADE),
        truth={"pile_up": np.concatenate([sample.truth["pile_up"], *pile_up])},
        weights=None if sample.weights is None else np.concatenate([sample.weights, np.ones(more, np.float32)]),
        assigned=np.concatenate([found, *parts]),
        pools=None if sample.pools is None else np.concatenate([sample.pools, *pools]),
    )


def _objects(x: Rows, kind: str) -> Rows:
    """(events, number, 3) pT, eta, phi of a kind."""
    return np.stack([x[:, columns_of(kind, value)] for value in _VALUES], axis=-1)


def _put(x: Rows, kind: str, objects: Rows) -> None:
    """Write the hardest of some objects into the columns of a kind."""
    count = KINDS[kind][0]
    order = np.argsort(-objects[..., 0], axis=1, kind="stable")[:, :count]
    chosen = np.take_along_axis(objects, order[..., None], axis=1)
    for place, value in enumerate(_VALUES):
        x[:, columns_of(kind, value)] = chosen[..., place]


def _steps(kind: str) -> NDArray[np.float64]:
    """Of pT, eta and phi in units of a calorimeter object's."""
    scale, jet = SCALES[KINDS[kind][1]], SCALES["L1Jet"]
    return np.array([1.0, scale.eta_step / jet.eta_step, jet.phi_codes / scale.phi_codes])


def _physical(objects: Rows, kind: str) -> NDArray[np.float64]:
    zero = np.array([SCALES[KINDS[kind][1]].pt_zero, 0, 0])
    return np.asarray((objects - zero) * _steps(kind) * (objects[..., :1] > 0))


def _coded(objects: NDArray[np.float64], kind: str) -> Rows:
    scale = SCALES[KINDS[kind][1]]
    codes = np.round(objects / _steps(kind)) + np.array([scale.pt_zero, 0, 0])
    codes[..., 0] = np.minimum(codes[..., 0], scale.pt_most)
    most = 1 << (scale.eta_bits - 1)
    codes[..., 1] = np.clip(codes[..., 1], -most, most - 1)
    half = scale.phi_codes // 2
    codes[..., 2] = (codes[..., 2] + half) % (2 * half) - half
    return np.asarray(codes * (objects[..., :1] > 0), dtype=np.float32)
