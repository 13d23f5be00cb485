"""Columns of CMS's published Level-1 data for anomaly detection (https://doi.org/10.5281/zenodo.21787779).

``jets_jetIEt``, ``egammas_egIEta``, ``muons_muonIPhiAtVtx`` ...: lists of the trigger's integers, one per object; the
sums (``MET_Et``, ``HT_Et``) are lists of one. In Parquet as published, or in a TTree with the same branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from codesign.physics.events.container import Column, Native
from codesign.physics.events.l1_scales import L1_SUMS, physical

__all__ = ("columns",)

#: Collection of the common record -> collection there, and the branches of pT, eta, phi: the first that is there.
_OBJECTS: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "L1Jet": ("jets", {"pt": ("jetIEt",), "eta": ("jetIEta",), "phi": ("jetIPhi",)}),
    "L1EG": ("egammas", {"pt": ("egIEt",), "eta": ("egIEta",), "phi": ("egIPhi",)}),
    "L1Tau": ("taus", {"pt": ("tauIEt",), "eta": ("tauIEta",), "phi": ("tauIPhi",)}),
    "L1Mu": (
        "muons",
        {
            "pt": ("muonIEt",),
            "eta": ("muonIEtaAtVtx", "muonIEta"),  # extrapolated to the beam, as the trigger's menu takes it
            "phi": ("muonIPhiAtVtx", "muonIPhi"),
        },
    ),
}
_OTHERS: dict[str, str] = {
    "L1Jet_hwQual": "jets_jetHwQual",
    "L1EG_hwIso": "egammas_egIso",
    "L1Tau_hwIso": "taus_tauIso",
    "L1Mu_hwQual": "muons_muonQual",
    "L1Mu_hwCharge": "muons_muonChg",
    "luminosityBlock": "lumi",
    "bunchCrossing": "bx",
    "Pileup_nTrueInt": "nPV_True",
}
#: Type of sum -> its columns.
_SUMS: dict[str, tuple[str, str | None]] = {
    "ET": ("ET_Et", None),
    "HT": ("HT_Et", None),
    "MET": ("MET_Et", "MET_phi"),
    "MHT": ("MHT_Et", "MHT_phi"),
    "FET": ("FET_Et", "FET_phi"),
    "ETTEM": ("ET_ETTEM", None),
    "FHT": ("FHT_Et", "FHT_phi"),
}


def columns(natives: Mapping[str, Native]) -> dict[str, Column] | None:
    """Fields of the common record in a file with these columns; None where it is not of this kind."""
    if not any(f"{kind}_{names['pt'][0]}" in natives for kind, names in _OBJECTS.values()):
        return None
    found = {name: Column((name,)) for name in natives if "_" not in name}
    for collection, (kind, branches) in _OBJECTS.items():
        for field, names in branches.items():
            native = next((f"{kind}_{name}" for name in names if f"{kind}_{name}" in natives), None)
            if native is not None:
                found[f"{collection}_{field}"] = Column((native,), partial(physical, collection, field))
                found[f"{collection}_hw{field.capitalize()}"] = Column((native,), _integers)
    found |= {name: Column((native,)) for name, native in _OTHERS.items() if native in natives}
    for name in ("lumi", "bx"):
        found.pop(name, None)
    found |= _sums(natives)
    return found


def _sums(natives: Mapping[str, Native]) -> dict[str, Column]:
    present = {kind: names for kind, names in _SUMS.items() if names[0] in natives}
    if not present:
        return {}
    energies = tuple(energy for energy, _ in present.values())
    angles = tuple(angle for _, angle in present.values() if angle is not None and angle in natives)
    has_angle = tuple(angle is not None and angle in natives for _, angle in present.values())
    types = tuple(L1_SUMS[kind] for kind in present)
    return {
        "L1EtSum_pt": Column(energies, lambda *e: physical("L1EtSum", "pt", _join(e))),
        "L1EtSum_phi": Column((*energies, *angles), lambda *a: physical("L1EtSum", "phi", _angles(a, has_angle))),
        "L1EtSum_hwPt": Column(energies, lambda *e: _integers(_join(e))),
        "L1EtSum_hwPhi": Column((*energies, *angles), lambda *a: _integers(_angles(a, has_angle))),
        "L1EtSum_etSumType": Column(energies[:1], lambda e: _types(e, types)),
    }


def _integers(codes: Any) -> Any:
    import awkward as ak

    return ak.values_astype(codes, np.int32)


def _join(sums: tuple[Any, ...]) -> Any:
    """Lists of one number each, put together to a list of all; ValueError where a sum is missing or doubled."""
    import awkward as ak

    single = []
    for one in sums:
        if one.ndim > 1:
            if not ak.all(ak.num(one) == 1):
                raise ValueError("an event has no sum of this type, or several")
            one = ak.flatten(one)
        single.append(np.asarray(one, dtype=np.int64))
    return ak.from_regular(ak.from_numpy(np.stack(single, axis=1)))


def _angles(arrays: tuple[Any, ...], has_angle: tuple[bool, ...]) -> Any:
    """Angles of all sums, 0 for those without one. The first arrays are the energies, for the number of events."""
    import awkward as ak

    zeros = np.zeros(len(arrays[0]), dtype=np.int64)
    angles = iter(arrays[len(has_angle) :])
    return _join(tuple(next(angles) if has else ak.from_numpy(zeros) for has in has_angle))


def _types(energy: Any, types: tuple[int, ...]) -> Any:
    import awkward as ak

    return ak.from_regular(ak.from_numpy(np.tile(np.array(types, dtype=np.int32), (len(energy), 1))))
