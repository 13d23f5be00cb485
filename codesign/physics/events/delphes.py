"""Delphes' ROOT files (tree ``Delphes``): ``Jet.PT``, ``MissingET.MET`` ... under the names of the common record.

Classes and their members: https://delphes.github.io, ``classes/DelphesClasses.h``. What has no counterpart there is
found as ``Track_PT`` for ``Track.PT``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from codesign.physics.events.container import BadEvent, Column, Native

__all__ = ("columns",)

#: Collection of the common record -> collections of Delphes, the first that is there.
_COLLECTIONS: dict[str, tuple[str, ...]] = {
    "Jet": ("Jet", "JetPUPPI"),
    "GenJet": ("GenJet",),
    "Muon": ("Muon", "MuonTight", "MuonLoose"),
    "Electron": ("Electron",),
    "Photon": ("Photon",),
}
_MEMBERS: dict[str, str] = {
    "pt": "PT",
    "eta": "Eta",
    "phi": "Phi",
    "mass": "Mass",
    "charge": "Charge",
    "partonFlavour": "Flavor",
    "btag": "BTag",
    "chMultiplicity": "NCharged",
    "neMultiplicity": "NNeutrals",
}
#: What Delphes keeps as a list of one.
_SINGLE: dict[str, tuple[str, ...]] = {
    "MET_pt": ("MissingET.MET", "PuppiMissingET.MET"),
    "MET_phi": ("MissingET.Phi", "PuppiMissingET.Phi"),
    "GenMET_pt": ("GenMissingET.MET",),
    "GenMET_phi": ("GenMissingET.Phi",),
    "ScalarHT_HT": ("ScalarHT.HT",),
    "event": ("Event.Number",),
    "genWeight": ("Event.Weight",),
    "Rho_fixedGridRhoFastjetAll": ("Rho.Rho",),  # of the first region of the card, the central one
}


def columns(natives: Mapping[str, Native]) -> dict[str, Column] | None:
    """Fields of the common record in a file with these columns; None where it is not of this kind."""
    if not any(name in natives for name in ("Jet.PT", "JetPUPPI.PT", "MissingET.MET", "GenJet.PT", "Event.Number")):
        return None
    found = {name.replace(".", "_", 1): Column((name,)) for name in natives if "." in name}
    for collection, others in _COLLECTIONS.items():
        other = next((o for o in others if f"{o}.PT" in natives), None)
        if other is None:
            continue
        for field, member in _MEMBERS.items():
            jet_only = field in ("partonFlavour", "btag", "chMultiplicity", "neMultiplicity", "mass")
            is_jet = collection in ("Jet", "GenJet")
            if f"{other}.{member}" in natives and (is_jet or not jet_only) and not (is_jet and field == "charge"):
                found[f"{collection}_{field}"] = Column((f"{other}.{member}",))
        if f"{other}.NCharged" in natives and f"{other}.NNeutrals" in natives:
            found[f"{collection}_nConstituents"] = Column(
                (f"{other}.NCharged", f"{other}.NNeutrals"), lambda charged, neutral: charged + neutral
            )
    for name, others in _SINGLE.items():
        other = next((o for o in others if o in natives), None)
        if other is not None:
            found[name] = Column((other,), _first)
    if "Vertex_size" in natives:
        found["PV_npvs"] = Column(("Vertex_size",))
    return found


def _first(lists: Any) -> Any:
    """The first of every event's list; BadEvent where one is empty."""
    import awkward as ak

    if lists.ndim == 1:
        return lists
    counts = np.asarray(ak.num(lists))
    if not counts.all():
        raise BadEvent(int(np.argmin(counts)), "no value")
    return lists[:, 0]
