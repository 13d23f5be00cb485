"""CMS's scouting NanoAOD: the objects of the High-Level Trigger, under the names of the common record.

Scouting keeps what the trigger itself reconstructed: its jets are ``HLTJet`` here. ``ScoutingPFJet`` has energies in
GeV where NanoAOD has fractions, and is not corrected (CMSSW's HLTScoutingPFProducer is given ``hltAK4PFJets``);
``ScoutingPFJetRecluster`` (``ScoutingJet`` at first) was clustered again from scouting's particles.
Names as written by CMSSW's ``PhysicsTools/NanoAOD/python/custom_run3scouting_cff.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from codesign.physics.events.container import Column, Native

__all__ = ("columns",)

#: Field of the common record -> energies of which it is the share.
_SHARES = {
    "chHEF": "chargedHadronEnergy",
    "neHEF": "neutralHadronEnergy",
    "chEmEF": "electronEnergy",
    "neEmEF": "photonEnergy",
    "muEF": "muonEnergy",
    "hfHEF": "HFHadronEnergy",
    "hfEmEF": "HFEMEnergy",
}
_COUNTS = tuple(
    f"ScoutingPFJet_{kind}Multiplicity"
    for kind in ("chargedHadron", "neutralHadron", "electron", "photon", "muon", "HFHadron", "HFEM")
)
_ENERGIES = tuple(f"ScoutingPFJet_{energy}" for energy in _SHARES.values())
#: What stands for a collection, the first that is there; fields of the same name are taken as they are.
_COLLECTIONS: dict[str, tuple[str, ...]] = {
    "Muon": ("ScoutingMuonVtx", "ScoutingMuon", "ScoutingMuonNoVtx"),
    "Electron": ("ScoutingElectron",),
    "Photon": ("ScoutingPhoton",),
    "MET": ("ScoutingMET",),
}


def columns(natives: Mapping[str, Native]) -> dict[str, Column]:
    """Fields of the common record that scouting's columns give; none where there are no such columns."""
    found: dict[str, Column] = {}
    if "ScoutingPFJet_pt" in natives:
        found |= _jets(natives)
    else:
        for collection in ("ScoutingPFJetRecluster", "ScoutingJet"):
            if f"{collection}_pt" in natives:
                found |= _rename("HLTJet", collection, natives)
                break
    for collection, others in _COLLECTIONS.items():
        other = next((o for o in others if f"{o}_pt" in natives), None)
        if other is not None:
            found |= _rename(collection, other, natives)
    for rho in ("ScoutingRho_fixedGridRhoFastjetAll", "ScoutingRho"):
        if rho in natives:
            found.setdefault("Rho_fixedGridRhoFastjetAll", Column((rho,)))
    if "ScoutingPrimaryVertex_z" in natives:
        found["PV_npvs"] = Column(("ScoutingPrimaryVertex_z",), _number)
    return found


def _rename(collection: str, other: str, natives: Mapping[str, Native]) -> dict[str, Column]:
    fields = [name.removeprefix(f"{other}_") for name in natives if name.startswith(f"{other}_")]
    return {f"{collection}_{'mass' if f == 'm' else f}": Column((f"{other}_{f}",)) for f in fields}


def _jets(natives: Mapping[str, Native]) -> dict[str, Column]:
    own = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m", "area": "jetArea"}
    found = {
        f"HLTJet_{field}": Column((f"ScoutingPFJet_{name}",))
        for field, name in own.items()
        if f"ScoutingPFJet_{name}" in natives
    }
    found["HLTJet_rawFactor"] = Column(("ScoutingPFJet_pt",), _undo_correction)
    if all(name in natives for name in _COUNTS):
        found["HLTJet_nConstituents"] = Column(_COUNTS, _sum)
    if all(name in natives for name in _ENERGIES):
        for place, field in enumerate(_SHARES):
            found[f"HLTJet_{field}"] = Column((_ENERGIES[place], *_ENERGIES), _share)
    return found


def _undo_correction(pt: Any) -> Any:
    import awkward as ak

    return ak.zeros_like(pt)


def _sum(*parts: Any) -> Any:
    import awkward as ak

    return ak.values_astype(sum(parts[1:], start=parts[0]), np.int32)


def _share(energy: Any, *energies: Any) -> Any:
    import awkward as ak

    total = sum(energies[1:], start=energies[0])
    return ak.values_astype(ak.where(total > 0, energy / ak.where(total > 0, total, 1), 0), np.float32)


def _number(lists: Any) -> Any:
    import awkward as ak

    return ak.values_astype(ak.num(lists), np.int32)
