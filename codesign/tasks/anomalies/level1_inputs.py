"""What an anomaly trigger is given of an event: nineteen objects in the Level-1 trigger's own integers.

Missing transverse energy, 4 electrons or photons, 4 muons and 10 jets, the hardest first, each with pT, eta and phi: 57
numbers in the order of the Anomaly Detection Data Challenge 2021 (https://mpp-hep.github.io/ADC2021). pT and eta are
the integers of CMS's global trigger (:mod:`codesign.physics.events.l1_scales`); phi too, counted from -pi to pi. What
is not there is 0, and so is the eta of the missing energy. Files without Level-1 objects give their electrons, muons,
jets and missing energy, brought to the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.fixedpoint import INPUT_INTEGER_BITS, FixedPoint, InputQuantisation
from codesign.physics.events import BadEvent
from codesign.physics.events.l1_scales import L1_SUMS, SCALES, hardware
from codesign.tasks.base import Inputs

__all__ = (
    "ANGLE_LESS",
    "COLLECTIONS",
    "FEATURES",
    "KINDS",
    "OTHERS",
    "UNITS",
    "coded_inputs",
    "columns_of",
    "event_inputs",
    "quantisation_of",
)

#: kind of object -> how many, its scale, and where it is found: the first collection that a file has
KINDS: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "met": (1, "L1EtSum", ("L1EtSum", "PuppiMET", "MET")),
    "eg": (4, "L1EG", ("L1EG", "Electron")),
    "muon": (4, "L1Mu", ("L1Mu", "Muon")),
    "jet": (10, "L1Jet", ("L1Jet", "Jet")),
}
_VALUES = ("pt", "eta", "phi")

#: names of the inputs, and their units
FEATURES = tuple(
    f"{kind}{'' if count == 1 else i}_{value}"
    for kind, (count, *_) in KINDS.items()
    for i in range(count)
    for value in _VALUES
)
UNITS = tuple(
    f"L1 units of {step:.6g}{unit}"
    for count, scale, _ in KINDS.values()
    for _ in range(count)
    for step, unit in (
        (SCALES[scale].pt_step, " GeV"),
        (SCALES[scale].eta_step, ""),
        (2 * np.pi / SCALES[scale].phi_codes, " rad"),
    )
)

#: what files of a trigger must have, and what stands for it elsewhere, as ``read_events`` names them
COLLECTIONS: tuple[str, ...] = (
    *("L1EtSum.pt", "L1EtSum.phi", "L1EtSum.etSumType"),
    *(f"{name}.{value}" for name in ("L1EG", "L1Mu", "L1Jet") for value in _VALUES),
)
OTHERS = tuple(
    f"{name}.{value}"
    for _, _, names in KINDS.values()
    for name in names[1:]
    for value in (("pt", "phi") if "MET" in name else _VALUES)
) + tuple(f"{name}.bx" for name in ("L1EtSum", "L1EG", "L1Mu", "L1Jet"))

#: share of the training events whose pT must not saturate, for each object
_WITHIN = 0.9999
#: bits that an angle has less than a pT
ANGLE_LESS = 3


def columns_of(kind: str, value: str) -> list[int]:
    """Columns of one value (``pt``, ``eta``, ``phi``) of all objects of a kind, the hardest first."""
    return [i for i, name in enumerate(FEATURES) if name.startswith(kind) and name.endswith(f"_{value}")]


def event_inputs(events: Any) -> Inputs:
    """One row per event of a chunk; InputError where a kind of object is in none of its collections, BadEvent where an
    event's missing energy is not one."""
    rows = np.zeros((len(events), len(FEATURES)), dtype=np.float32)
    for kind, (count, scale, names) in KINDS.items():
        name = next((n for n in names if n in events.fields), None)
        if name is None:
            raise InputError(f"the events have no {kind}: expected one of the collections {', '.join(names)}")
        objects = _missing(events[name]) if kind == "met" else _hardest(events[name], count)
        for value, values in objects.items():
            codes = hardware(scale, value, values).astype(np.int64)
            if value == "phi":
                half = SCALES[scale].phi_codes // 2
                codes = (codes + half) % (2 * half) - half
            codes[~(objects["pt"] > 0)] = 0
            rows[:, columns_of(kind, value)] = codes
    place = np.arange(len(events), dtype=np.int64)
    return Inputs(rows, place, np.full(len(events), -1, dtype=np.int64))


def coded_inputs(events: Mapping[str, NDArray[Any]] | NDArray[Any]) -> NDArray[np.float32]:
    """The same rows, (events, 57), of codes: arrays by kind of object as
    :data:`codesign.physics.detector.level1_codes.LEVEL1` says, by falling pT and zero padded."""
    rows = np.zeros((len(events["met"]), len(FEATURES)), dtype=np.float32)
    for kind, (count, scale, _) in KINDS.items():
        codes = np.asarray(events[kind][:, :count], dtype=np.int64)
        there = codes[..., 0] > SCALES[scale].pt_zero
        half = SCALES[scale].phi_codes // 2
        phi = (codes[..., -1] + half) % (2 * half) - half
        for value, values in (
            ("pt", codes[..., 0]),
            ("phi", phi),
            *((("eta", codes[..., 1]),) if kind != "met" else ()),
        ):
            rows[:, columns_of(kind, value)] = np.where(there, values, 0)
    return rows


def _hardest(objects: Any, count: int) -> dict[str, NDArray[np.float64]]:
    """pT, eta and phi of the hardest objects, (events, count) each, 0 where there are fewer."""
    import awkward as ak

    if "bx" in objects.fields:  # of the crossing that was read out, not of its neighbours
        objects = objects[objects.bx == 0]
    objects = objects[ak.argsort(objects.pt, ascending=False, stable=True)]
    padded = {v: ak.fill_none(ak.pad_none(objects[v], count, clip=True), 0.0) for v in _VALUES}
    return {v: np.asarray(ak.to_numpy(array), dtype=np.float64).reshape(-1, count) for v, array in padded.items()}


def _missing(sums: Any) -> dict[str, NDArray[np.float64]]:
    """pT and phi of the missing transverse energy, (events, 1) each."""
    import awkward as ak

    if "etSumType" in sums.fields:
        wanted = sums.etSumType == L1_SUMS["MET"]
        if "bx" in sums.fields:
            wanted = wanted & (sums.bx == 0)
        sums = sums[wanted]
        one = np.asarray(ak.num(sums.pt) == 1)
        if not one.all():
            raise BadEvent(int(np.argmin(one)), "no Level-1 missing energy (etSumType 2), or several")
        sums = ak.flatten(sums)
    return {v: np.asarray(ak.to_numpy(sums[v]), dtype=np.float64)[:, None] for v in ("pt", "phi")}


def quantisation_of(
    x: NDArray[np.floating], features: tuple[str, ...], units: tuple[str, ...], bits: int
) -> InputQuantisation:
    """How the trigger's integers go into few bits: less a whole number of steps, and shifted; no multiplication.

    A pT has ``bits`` bits. Its step is the least power of two (at least one unit) with which all but one in 10,000 of
    the training events ``x`` (events, 57) are in range, counted from a mean energy. An angle has ``ANGLE_LESS`` bits
    fewer, and all are in range: it says little, and its bits are the larger part of the input.
    """
    offsets, steps, types = [], [], []
    for name, values in zip(features, np.asarray(x, dtype=np.float64).T, strict=True):
        if name.endswith("_pt"):
            less, mean, top = 0, values.mean(), float(np.quantile(values, _WITHIN))
        else:
            less, mean, top = min(ANGLE_LESS, bits - 2), 0.0, float(np.abs(values).max())
        kind = FixedPoint(
            signed=True, integer_bits=INPUT_INTEGER_BITS - less, fraction_bits=bits - 1 - INPUT_INTEGER_BITS
        )
        step = 2.0 ** max(0, int(np.ceil(np.log2(max(top - mean, 1.0) / kind.maximum))))
        steps.append(step)
        offsets.append(step * float(np.floor(mean / step)))
        types.append(kind)
    return InputQuantisation(
        features=features, units=units, offset=tuple(offsets), step=tuple(steps), types=tuple(types)
    )
