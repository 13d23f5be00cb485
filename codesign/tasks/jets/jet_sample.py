"""From event files to the sample of the task ``jet-energy``: one row per reconstructed jet with a generated partner."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.data.sample import Sample
from codesign.tasks.jets.jet_heads import TARGETS, HeadWeights
from codesign.tasks.jets.jet_inputs import FEATURES, UNITS, fields_of, jet_inputs

__all__ = (
    "FLAVOURS",
    "MATCH_RADIUS",
    "JetEnergySample",
    "flavour_of",
    "jets_of",
    "partner_values",
    "sample_of",
)

#: classes of jets, by the hadron or parton that the generated jet comes from; "uds" stands for the light quarks
FLAVOURS = ("uds", "g", "c", "b")

#: largest distance in eta and phi of a jet and its partner: half the jets' radius
MATCH_RADIUS = 0.2

#: an uncorrected jet below this pT (GeV) is not reconstructed by any trigger
_LEAST_RAW_PT = 8.0

_TRUTH = ("reference_pt", "generated_pt", "offline_pt", "eta", "phi", "event", "pile_up")


class JetEnergySample(BaseModel):
    """The study's ``sample`` section: event files, or cards with a number of events each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cards: dict[str, int] = Field(default_factory=dict, description="event card -> number of events to simulate")
    files: tuple[str, ...] = Field(default=(), description="event files, of any kind that read_events reads")
    reference: Literal["generated", "offline"] = Field(default="generated", description="whose pT is regressed")
    min_pt: float = Field(default=15.0, ge=5, description="least generated pT, GeV; below the judged bins, on purpose")
    max_eta: float = Field(default=4.7, gt=0, le=5.2, description="largest |eta| of the reconstructed jet")
    jets: int | None = Field(default=None, ge=1000, description="keep so many jets at most, whole events, the first")
    heads: HeadWeights = HeadWeights()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.cards) == bool(self.files):
            raise ValueError("give either cards or files")
        if any(n < 1 for n in self.cards.values()):
            raise ValueError("the number of events of a card must be at least 1")
        return self


def flavour_of(hadron: NDArray[np.int64], parton: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index into ``FLAVOURS``, -1 where none is known: hadrons of b and c count first, as in NanoAOD."""
    size = np.abs(parton)
    flavour = np.full(len(hadron), -1)
    flavour[(size >= 1) & (size <= 3)] = FLAVOURS.index("uds")
    flavour[size == 21] = FLAVOURS.index("g")
    flavour[np.abs(hadron) == 4] = FLAVOURS.index("c")
    flavour[np.abs(hadron) == 5] = FLAVOURS.index("b")
    return flavour


def jets_of(events: Any, collection: str, radius: float = MATCH_RADIUS) -> dict[str, NDArray[Any]]:
    """Every jet of a chunk of events, with its features and its partners: (jets, features) and (jets,) arrays.

    ``x``; ``event``: place in the chunk; ``eta``, ``phi``; ``raw_pt``, ``generated_pt``, ``offline_pt`` in GeV, the
    last two -1 where there is no partner (offline_pt: the corrected pT of the nearest jet of ``Jet``); ``flavour``: of
    the generated partner, -1 where none is known; ``pile_up``: mean number of collisions, 0 where the file has none;
    ``pool`` of soft collisions, -1 where the file has none.
    """
    import awkward as ak

    from codesign.physics.events.matching import match
    from codesign.physics.events.pile_up import pools_of

    inputs = jet_inputs(events, collection)
    jets = events[collection]
    place = match(jets, events.GenJet, radius)
    found: dict[str, NDArray[Any]] = {
        "x": inputs.features,
        "event": inputs.event,
        "eta": np.asarray(ak.flatten(jets.eta), dtype=np.float64),
        "phi": np.asarray(ak.flatten(jets.phi), dtype=np.float64),
        "raw_pt": np.asarray(ak.flatten(jets.pt * (1 - jets.rawFactor)), dtype=np.float64),
        "generated_pt": partner_values(events.GenJet.pt, place),
    }
    flavours = [partner_values(events.GenJet[f], place, 0).astype(np.int64) for f in ("hadronFlavour", "partonFlavour")]
    found["flavour"] = flavour_of(*flavours)
    offline = place * 0 - 1
    if "Jet" in events.fields:
        offline = match(jets, events.Jet, radius)
        found["offline_pt"] = partner_values(events.Jet.pt, offline)
    else:
        found["offline_pt"] = np.full(len(inputs.event), -1.0)
    pile_up = events.Pileup.nTrueInt if "Pileup" in events.fields else np.zeros(len(events))
    found["pile_up"] = np.asarray(pile_up, dtype=np.float64)[inputs.event]
    found["pool"] = pools_of(events)[inputs.event]
    return found


def partner_values(values: Any, place: Any, missing: float = -1.0) -> NDArray[np.float64]:
    """Values (events, var) of the partners at ``place`` (events, var), flat; ``missing`` where the place is -1."""
    import awkward as ak

    chosen = ak.where(place >= 0, place, 0)
    padded = ak.fill_none(ak.pad_none(values, 1), missing)  # an event without any partner at all
    return np.asarray(ak.flatten(ak.where(place >= 0, padded[chosen], missing)), dtype=np.float64)


def sample_of(paths: Iterable[Path], collection: str, chosen: JetEnergySample, provenance: dict[str, Any]) -> Sample:
    """Read event files into a sample.

    Rows are the reconstructed jets of ``collection`` with a generated partner above ``min_pt`` and a known flavour;
    targets are in natural logarithms. ``truth``: ``reference_pt``, ``generated_pt``, ``offline_pt`` (-1: none),
    ``eta``, ``phi``, ``event``, ``pile_up``.

    Raises
    ------
    InputError: no jet is left.
    """
    from codesign.physics.events import read_located
    from codesign.physics.events.pile_up import OPTIONAL, PileUpCounts

    fields, counted = (*fields_of(collection), "GenJet"), PileUpCounts()
    pieces: list[dict[str, NDArray[Any]]] = []
    seen = kept = unmatched = unknown = found = outside = 0
    for piece in read_located(paths, fields, optional=("Jet.pt", "Jet.eta", "Jet.phi", *OPTIONAL)):
        counted.add(piece.events)
        with piece.named():
            jets = jets_of(piece.events, collection)
        jets["event"] = jets["event"] + seen
        seen += len(piece.events)
        reference = jets["generated_pt" if chosen.reference == "generated" else "offline_pt"]
        jets["reference_pt"] = reference
        inside = (np.abs(jets["eta"]) < chosen.max_eta) & (jets["raw_pt"] > _LEAST_RAW_PT)
        found, outside = found + len(inside), outside + int((~inside).sum())
        partner = inside & (jets["generated_pt"] >= chosen.min_pt) & (reference > 0)
        unmatched += int((inside & ~partner).sum())
        unknown += int((partner & (jets["flavour"] < 0)).sum())
        good = partner & (jets["flavour"] >= 0)
        pieces.append({name: values[good] for name, values in jets.items()})
        kept += int(good.sum())
        if chosen.jets is not None and kept >= chosen.jets:
            break
    if not kept:
        raise InputError(
            f"no jet of {collection} in {seen} events is left: of {found}, {outside} are beyond |eta| "
            f"{chosen.max_eta:g} or below {_LEAST_RAW_PT:g} GeV, {unmatched} have no {chosen.reference} partner, "
            f"generated above {chosen.min_pt:g} GeV, {unknown} no known flavour: give files with generated jets, or "
            "a lower min_pt"
        )
    whole = {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
    target = np.log(whole["reference_pt"] / whole["raw_pt"])
    counts = np.bincount(whole["flavour"], minlength=len(FLAVOURS))
    return Sample(
        features=whole["x"],
        labels=whole["flavour"],
        feature_names=FEATURES,
        units=UNITS,
        class_names=FLAVOURS,
        provenance=provenance
        | {
            "jets": collection,
            "reference": chosen.reference,
            "events read": seen,
            "jets of each flavour": dict(zip(FLAVOURS, counts.tolist(), strict=True)),
            "jets left out": {
                f"no partner above {chosen.min_pt:g} GeV": unmatched,
                "flavour not known": unknown,
            },
            **counted.told(),
        },
        pools=whole["pool"] if counted.pooled else None,
        collisions=whole["event"],
        targets=target[:, None].astype(np.float32),
        target_names=TARGETS,
        target_units=("ln(ratio of pT)",),
        truth={
            name: whole[name]
            for name in ("reference_pt", "generated_pt", "offline_pt", "eta", "phi", "event", "pile_up")
        },
    )
