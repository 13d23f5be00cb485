"""What a network is given of a jet, computed upstream of the firmware from an event's record.

Exactly this is computed of each jet, in float64 from the record's values and kept as float32:

====================  ==============================================================================================
``log2_pt``           log2(uncorrected pT / GeV), clipped to 2 .. 13: pT spans decades, its integer a few octaves
``log2_offset``       log2 of the share of pT that is left when the pile-up's density times the area is taken off,
                      log2(max(1 - rho area / pT, 1/8)): what a correction for pile-up would be
``abs_eta``           \\|eta\\|
``rho``               pile-up's density, GeV per unit of eta times phi, clipped to 0 .. 127
``area``              jet's area
``vertices``          number of primary vertices, clipped to 0 .. 255
``log2_constituents`` log2(1 + number of constituents), clipped to 0 .. 8
``ch_had`` ...        fractions of the energy: charged hadrons, neutral hadrons, charged and neutral electromagnetic,
                      muons, clipped to 0 .. 1
====================  ==============================================================================================

The uncorrected pT is ``pt (1 - rawFactor)``, as in NanoAOD.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.events import BadEvent
from codesign.tasks.base import Inputs

__all__ = (
    "FEATURES",
    "UNITS",
    "advice_of",
    "density_of",
    "fields_of",
    "jet_inputs",
    "kinematics",
    "offset_share",
    "raw_pt",
)

_FRACTIONS = {"chHEF": "ch_had", "neHEF": "ne_had", "chEmEF": "ch_em", "neEmEF": "ne_em", "muEF": "muon"}

FEATURES = (
    "log2_pt",
    "log2_offset",
    "abs_eta",
    "rho",
    "area",
    "vertices",
    "log2_constituents",
    *_FRACTIONS.values(),
)
UNITS = ("log2(GeV)", "", "", "GeV", *("",) * (len(FEATURES) - 4))

#: least share of pT that an offset may leave
LEAST_SHARE = 1 / 8

#: of a collection, the density of pile-up as its own reconstruction sees it; what stands for it where there is none
_DENSITY = {"HLTJet": "fixedGridRhoFastjetAllHLT"}
_OFFLINE_DENSITY = "fixedGridRhoFastjetAll"


def fields_of(collection: str) -> tuple[str, ...]:
    """Fields that :func:`jet_inputs` needs, as :func:`codesign.physics.events.read_events` names them."""
    own = ("pt", "eta", "phi", "rawFactor", "area", "nConstituents", *_FRACTIONS)
    return (*(f"{collection}.{field}" for field in own), "Rho", "PV.npvs")


def advice_of(collection: str, columns: Collection[str]) -> str:
    """What to do with a file that lacks what :func:`jet_inputs` needs of a collection."""
    tiers = {"HLTJet": "jet-energy", "Jet": "jet-energy-offline"}
    (other, task) = next((c, t) for c, t in tiers.items() if c != collection)
    if all(f"{other}_{field}" in columns for field in ("pt", "eta", "rawFactor")):
        if collection == "HLTJet" and "TrigObj_pt" in columns:
            return (
                "NanoAOD keeps of an HLT jet its pT alone (TrigObj), which is not enough for a network; for its "
                f"offline jets take a bundle of '{task}' (codesign run jet-energy-offline), for HLT jets a file of "
                "scouting"
            )
        return f"the file has jets of the other tier ({other}): take a bundle of the task '{task}'"
    if any(name.startswith(f"{collection}_") for name in columns):
        return f"the jets of {collection} lack what a network is given of them"
    known = "a NanoAOD, a scouting NanoAOD, or a file of 'codesign data make'"
    return f"the file has no jets ({', '.join(tiers)}): give {known}"


def density_of(events: Any, collection: str) -> Any:
    """Pile-up's density of each event, (events,), as the collection's reconstruction sees it."""
    name = _DENSITY.get(collection, _OFFLINE_DENSITY)
    return events.Rho[name if name in events.Rho.fields else _OFFLINE_DENSITY]


def raw_pt(jets: Any) -> Any:
    """Uncorrected pT in GeV, in the jets' own structure."""
    return jets.pt * (1 - jets.rawFactor)


def offset_share(pt: NDArray[np.float64], rho: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of pT that is left without pile-up's density times the area, at least ``LEAST_SHARE``."""
    return np.maximum(1 - rho * area / pt, LEAST_SHARE)


def kinematics(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """Uncorrected pT (GeV), |eta|, rho (GeV) and area, (jets,) each, from features (jets, features)."""
    columns = {name: x[:, FEATURES.index(name)].astype(np.float64) for name in ("log2_pt", "abs_eta", "rho", "area")}
    return np.exp2(columns["log2_pt"]), columns["abs_eta"], columns["rho"], columns["area"]


def jet_inputs(events: Any, collection: str) -> Inputs:
    """Features of every jet of a chunk of events, in the order of the events and of their jets.

    BadEvent where one is not finite, though what it is computed of is.
    """
    import awkward as ak

    jets = events[collection]
    counts = np.asarray(ak.num(jets.pt), dtype=np.int64)

    def of_jet(values: Any) -> NDArray[np.float64]:
        return np.asarray(ak.flatten(values), dtype=np.float64)

    def of_event(values: Any) -> NDArray[np.float64]:
        return np.repeat(np.asarray(values, dtype=np.float64), counts)

    pt, area = np.maximum(of_jet(raw_pt(jets)), 1e-3), of_jet(jets.area)
    rho = of_event(density_of(events, collection))
    columns = [
        np.clip(np.log2(pt), 2, 13),
        np.log2(offset_share(pt, rho, area)),
        np.abs(of_jet(jets.eta)),
        np.clip(rho, 0, 127),
        area,
        np.clip(of_event(events.PV.npvs), 0, 255),
        np.clip(np.log2(1 + of_jet(jets.nConstituents)), 0, 8),
        *(np.clip(of_jet(jets[field]), 0, 1) for field in _FRACTIONS),
    ]
    event = np.repeat(np.arange(len(counts)), counts)
    for name, values in zip(FEATURES, columns, strict=True):
        with np.errstate(over="ignore"):
            finite = np.isfinite(values.astype(np.float32))
        if not finite.all():
            jet = int(np.argmin(finite))
            raise BadEvent(int(event[jet]), f"feature '{name}' of a jet of {collection} is {values[jet]}")
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)[:-1]]) if len(counts) else counts
    return Inputs(
        np.stack(columns, axis=1).astype(np.float32) if len(event) else np.empty((0, len(FEATURES)), np.float32),
        event,
        np.arange(len(event)) - np.repeat(start, counts),
    )
