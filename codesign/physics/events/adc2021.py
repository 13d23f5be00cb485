"""The HDF5 layout of the Anomaly Detection Data Challenge 2021 (https://mpp-hep.github.io/ADC2021,
https://doi.org/10.1038/s41597-022-01187-8).

``Particles`` (events, 19, 4): missing transverse energy, four electrons, four muons, ten jets, each with pT [GeV], eta,
phi and its kind (1 to 4 in that order); an object that is not there is all zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from codesign.physics.events.container import BadEvent, Column, Native

__all__ = ("SHAPE", "columns")

#: Objects per event and values per object.
SHAPE = (19, 4)
#: Collection -> places, and kind of the objects there.
_PLACES: dict[str, tuple[slice, int]] = {
    "Electron": (slice(1, 5), 2),
    "Muon": (slice(5, 9), 3),
    "Jet": (slice(9, 19), 4),
}
_VALUES = ("pt", "eta", "phi")


def columns(natives: Mapping[str, Native]) -> dict[str, Column] | None:
    """Fields of the common record in a file with these data sets; None where it is not of this kind."""
    if "Particles" not in natives:
        return None
    found = {
        f"{collection}_{value}": Column(("Particles",), partial(_objects, collection, i))
        for collection in _PLACES
        for i, value in enumerate(_VALUES)
    }
    return found | {
        f"MET_{value}": Column(("Particles",), partial(_missing, i)) for i, value in ((0, "pt"), (2, "phi"))
    }


def _particles(array: Any) -> Any:
    particles = np.asarray(array)
    if particles.shape[1:] != SHAPE:
        raise ValueError(f"the shape is {particles.shape}, not (events, {SHAPE[0]}, {SHAPE[1]})")
    return particles


def _missing(value: int, array: Any) -> Any:
    import awkward as ak

    particles = _particles(array)
    return ak.from_numpy(np.ascontiguousarray(particles[:, 0, value]))


def _objects(collection: str, value: int, array: Any) -> Any:
    import awkward as ak

    places, kind = _PLACES[collection]
    objects = _particles(array)[:, places]
    there = ~(objects[..., 0] == 0)  # not-a-number counts as there, and is refused where finite numbers are
    wrong = there & (objects[..., 3] != kind)
    if wrong.any():
        event, place = np.argwhere(wrong)[0]
        found = objects[event, place, 3]
        raise BadEvent(int(event), f"kind {found:g} at place {places.start + place}, not {kind}")
    return ak.unflatten(np.ascontiguousarray(objects[..., value][there]), there.sum(axis=1))
