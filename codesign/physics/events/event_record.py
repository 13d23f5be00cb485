"""The common event record: NanoAOD's names, one record per event; and what every reader checks of it.

A collection (``Jet``) is a list of records per event, a group (``Rho``, ``PuppiMET``) one record per event, and what
belongs to neither (``run``, ``genWeight``) a plain value. Energies and momenta are in GeV, angles in rad.

Names as in CMS's documentation of NanoAOD (https://cms-xpog.docs.cern.ch/autoDoc/); ``HLTJet`` is ours, with the names
of ``Jet``: NanoAOD keeps of a trigger's jet its ``TrigObj`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, nearest

__all__ = (
    "IMPLAUSIBLE_GEV",
    "RECORD",
    "assemble_events",
    "collection_of",
    "flat_name",
    "physlite_advice",
    "wanted_names",
)

#: A median groomed mass or a hardest constituent above this is MeV: no jet of 14 TeV collisions reaches either in GeV.
IMPLAUSIBLE_GEV = 5e3
_POINT = ("pt", "eta", "phi", "mass")
_FRACTIONS = ("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF", "hfHEF", "hfEmEF")
_JET = (*_POINT, "rawFactor", "area", "nConstituents", "chMultiplicity", "neMultiplicity", *_FRACTIONS)
_HARDWARE = ("pt", "eta", "phi", "hwPt", "hwEta", "hwPhi", "hwQual", "hwIso", "hwCharge")
_FLAVOUR = ("hadronFlavour", "partonFlavour")

#: Collections and groups of the common record, and the fields that a reader gives for the bare name of one: those of
#: them that the file has. An empty tuple stands for all fields; so does ``Jet.*``.
RECORD: dict[str, tuple[str, ...]] = {
    "L1Jet": _HARDWARE,
    "L1EG": _HARDWARE,
    "L1Tau": _HARDWARE,
    "L1Mu": _HARDWARE,
    "L1EtSum": ("pt", "phi", "etSumType", "hwPt", "hwPhi"),
    "TrigObj": ("pt", "eta", "phi", "id", "filterBits", "l1pt"),
    "HLTJet": (*_JET, "genJetIdx", *_FLAVOUR),
    "Jet": (*_JET, "genJetIdx", *_FLAVOUR, "jetId", "btag"),
    "GenJet": (*_POINT, *_FLAVOUR),
    "Muon": (*_POINT, "charge"),
    "Electron": (*_POINT, "charge"),
    "Photon": ("pt", "eta", "phi", "mass"),
    "Tau": (*_POINT, "charge"),
    "MET": ("pt", "phi", "sumEt"),
    "PuppiMET": ("pt", "phi", "sumEt"),
    "GenMET": ("pt", "phi"),
    "Rho": (),
    "PV": ("npvs", "npvsGood", "z"),
    "Pileup": ("nTrueInt", "nPU", "pool", "nSoft", "nFresh"),
}
#: Plain values of the common record.
SCALARS: tuple[str, ...] = ("run", "luminosityBlock", "event", "bunchCrossing", "genWeight", "process")
#: Collections whose pT tells GeV from MeV: a median above ``IMPLAUSIBLE_GEV`` is no pT of the LHC.
_MEASURED = ("L1Jet", "L1EG", "L1Mu", "HLTJet", "Jet", "GenJet", "Muon", "Electron", "Photon", "Tau")


def flat_name(field: str) -> str:
    """Name of a field in a flat file: ``Jet.pt`` is ``Jet_pt`` there."""
    return field.replace(".", "_", 1)


def collection_of(name: str) -> tuple[str, str]:
    """Collection or group and field of a flat name: ``Jet_pt`` -> (Jet, pt); (\"\", run) for a plain value."""
    collection, underscore, field = name.partition("_")
    return (collection, field) if underscore and collection and field else ("", name)


def wanted_names(
    path: Path, fields: Iterable[str] | None, optional: Iterable[str], present: Mapping[str, Any]
) -> list[str]:
    """Flat names of what was asked for.

    ``fields``: collections (``Jet``), everything of one (``Jet.*``), or single fields (``Jet.pt``, ``Jet_pt``,
    ``run``); None for all of the common record that the file has. ``optional``: the same, left out where missing.
    ``present``: flat names in the file.

    Raises
    ------
    InputError: something of ``fields`` that the file does not have.
    """
    groups: dict[str, list[str]] = {}
    for name in present:
        groups.setdefault(collection_of(name)[0], []).append(name)
    names: dict[str, None] = {}
    asked = [(f, True) for f in fields] if fields is not None else [(f, False) for f in (*RECORD, *SCALARS)]
    for field, needed in (*asked, *((f, False) for f in optional)):
        found = _matching(field, present, groups)
        if not found and needed:
            shown = flat_name(field)
            known = [*present, *groups]
            raise InputError(f"{path}: branch '{shown}' is missing{nearest(shown, known)}{_advice(shown, present)}")
        names |= dict.fromkeys(found)
    if not names:
        raise InputError(f"{path}: none of the fields that were asked for is in the file")
    return list(names)


def physlite_advice(present: Iterable[str]) -> str:
    """What to do with ATLAS' PHYSLITE, by the names of a file's columns; empty for another file."""
    if not any(name.startswith(("AnalysisJets", "AntiKt4EMPFlowJets", "EventInfoAux")) for name in present):
        return ""
    return (
        ": this is ATLAS' PHYSLITE (AnalysisJetsAuxDyn...), in MeV and by names of its own: write it as NanoAOD's "
        "first, with pt, eta, phi of Jet in GeV"
    )


def _advice(missing: str, present: Mapping[str, Any]) -> str:
    """What a file of this kind has in its place, where that is known."""
    collection = missing.partition("_")[0]
    if missing in ("Rho", "Rho_fixedGridRhoFastjetAll"):
        return ": a file of Delphes has it where its card runs FastJetGridMedianEstimator and writes the branch Rho"
    others = {"Jet": "HLTJet", "HLTJet": "Jet"}
    if collection in others and any(name.startswith(f"{others[collection]}_") for name in present):
        what = "a scouting file's jets are the trigger's own" if collection == "Jet" else "jets here are offline ones"
        return f": the file has {others[collection]} ({what}): choose the task or collection of those"
    return ""


def _matching(field: str, present: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[str]:
    if field.endswith((".*", "_*")):
        return groups.get(field[:-2], [])
    flat = flat_name(field)
    if flat in present:
        return [flat]
    if field in groups and field:
        chosen = RECORD.get(field, ())
        return [f"{field}_{f}" for f in chosen if f"{field}_{f}" in present] if chosen else groups[field]
    return []


def assemble_events(path: Path, columns: Mapping[str, Any], first: int) -> Any:
    """Check columns of one chunk and put them together.

    Parameters
    ----------
    path: of the file, for errors.
    columns: flat name -> awkward array, (events,) or (events, var), numbers.
    first: place of the chunk's first event in the file.

    Returns
    -------
    awkward record array, (events,), with one field per collection, group or plain value.

    Raises
    ------
    InputError: a value that is not a finite number, lists of different lengths in one collection, a wrong unit. It
        names the file, the branch and the event.
    """
    import awkward as ak

    groups: dict[str, dict[str, Any]] = {}
    for name, array in columns.items():
        collection, field = collection_of(name)
        groups.setdefault(collection, {})[field] = _check(path, name, array, first)
    contents: dict[str, Any] = dict(groups.pop("", {}))
    for collection, parts in groups.items():
        contents[collection] = _collection(path, collection, parts, first)
    layouts = [content.layout if isinstance(content, ak.Array) else content for content in contents.values()]
    return ak.Array(ak.contents.RecordArray(layouts, list(contents)))


def _check(path: Path, name: str, array: Any, first: int) -> Any:
    """Return the packed layout of a column; InputError for a value that is not finite."""
    import awkward as ak

    layout = ak.to_packed(array).layout
    flat = layout.content if layout.is_list and layout.parameter("__array__") != "string" else layout
    if flat.is_numpy and flat.data.dtype.kind == "f":
        values = np.asarray(flat.data)
        # one pass without a temporary: the sum of finite numbers is finite unless it overflows, which is looked into
        if not np.isfinite(values.sum(dtype=np.float64)):
            finite = np.isfinite(values)
            if not finite.all():
                place = int(np.argmin(finite))
                event = first + _event_of(layout, place)
                raise InputError(f"{path}: branch '{name}', event {event}: {values[place]} is not a finite number")
        if flat is not layout and name.endswith("_pt") and name[:-3] in _MEASURED and len(values):
            median = float(np.median(values))
            if median > IMPLAUSIBLE_GEV:
                raise InputError(
                    f"{path}: branch '{name}': a median of {median:.3g} is too large for GeV; is it in MeV?"
                )
    return layout


def _event_of(layout: Any, place: int) -> int:
    if not layout.is_list:
        return place
    offsets = np.asarray(layout.offsets.data)
    return int(np.searchsorted(offsets, place, side="right")) - 1


def _collection(path: Path, collection: str, parts: Mapping[str, Any], first: int) -> Any:
    """One record per object, or per event where the parts are plain values."""
    import awkward as ak

    lists = {field: part.is_list and part.parameter("__array__") != "string" for field, part in parts.items()}
    if not any(lists.values()):
        return ak.contents.RecordArray(list(parts.values()), list(parts))
    leader = next(field for field, jagged in lists.items() if jagged)
    offsets = np.asarray(parts[leader].offsets.data)
    for field, part in parts.items():
        if not lists[field]:
            raise InputError(
                f"{path}: branch '{collection}_{field}' holds one value per event, "
                f"but '{collection}_{leader}' holds a list"
            )
        other: NDArray[Any] = np.asarray(part.offsets.data)
        if not np.array_equal(other, offsets):
            counts, expected = np.diff(other), np.diff(offsets)
            if len(counts) != len(expected):
                raise InputError(
                    f"{path}: branch '{collection}_{field}' holds {len(counts)} events, not {len(expected)}"
                )
            event = int(np.argmax(counts != expected))
            raise InputError(
                f"{path}: branch '{collection}_{field}', event {first + event}: {counts[event]} values, but "
                f"'{collection}_{leader}' has {expected[event]}"
            )
    return ak.contents.ListOffsetArray(
        ak.index.Index64(offsets.astype(np.int64)),
        ak.contents.RecordArray([part.content for part in parts.values()], list(parts)),
    )
