"""The sample of the task ``cone-tagging``: jets of cards of events, their candidates, and numbers of the whole jet."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.core.layout import BlockValues, Layout
from codesign.data.sample import Sample
from codesign.physics.detector.cone_pieces import CLASSES, FIELDS, ITEMS, UNITS
from codesign.physics.detector.event_card import PoolChoice
from codesign.physics.detector.soft_pool import GROUPS
from codesign.physics.detector.tiers import joined, tier_pieces
from codesign.tasks.problem import Progress

__all__ = ("CANDIDATES", "FEATURES", "TARGET", "ConeSample", "cone_sample_of")

#: the candidates of a jet, by falling pT
CANDIDATES = Layout(name="candidates", shape=(ITEMS, len(FIELDS)), fields=FIELDS, units=UNITS, absent="code")
#: numbers of the whole jet, of which classical methods are made, and their units
FEATURES: dict[str, str] = {
    "pt": "GeV",
    "abs_eta": "1",
    "number": "1",
    "mass": "GeV",
    "width": "1",
    "leading": "1",
    "dispersion": "1",
    "charged": "1",
    "photons": "1",
    "electrons": "1",
    "muons": "1",
    "charge": "1",
    "most_dxy": "cm",
    "second_dxy": "cm",
    "most_z0": "cm",
    "puppi": "1",
}
#: what is regressed
TARGET = "log_correction"
#: mean number of collisions where none is given: that of the HL-LHC
_PILE_UP = 200.0


class ConeSample(BaseModel):
    """The study's ``sample`` section: cards with a number of events each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cards: dict[str, int] = Field(min_length=1, description="event card -> number of events to simulate")
    pile_up: float = Field(default=_PILE_UP, ge=0, le=400, description="mean number of collisions, instead of a card's")
    soft: PoolChoice | None = Field(
        default=None,
        exclude_if=lambda pool: pool is None,
        description="soft collisions that are generated, to be turned, mirrored and used again, instead of the cards': "
        "how many, and from which GeV on others are made anew for each event",
    )
    min_pt: float = Field(default=20.0, ge=10, description="least pT that is wanted of a jet, GeV")
    quantiles: float = Field(default=5.0, gt=0, description="weight of the pT and its quantiles beside the classes'")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if any(n < 1 for n in self.cards.values()):
            raise ValueError("the number of events of a card must be at least 1")
        return self


def cone_sample_of(chosen: ConeSample, progress: Progress | None = None) -> Sample:
    """Simulate (once, then from the cache) the cards' events, and take their jets.

    Targets: ln(pT that is wanted / pT of the candidates). ``truth``: ``raw_pt``, ``reference_pt``, ``eta``. InputError
    where a class has no jet: then it cannot be learned.
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    total, before = sum(chosen.cards.values()), 0
    for card, events in chosen.cards.items():

        def shown(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        pieces = tier_pieces("cones", card, events, pile_up=chosen.pile_up, progress=shown, pool=chosen.soft)
        for name in ("items", "class", "raw_pt", "reference_pt", "eta", "number", "event"):
            column = joined(pieces, name)
            if name == "event" and chosen.pile_up:  # of all cards: their soft collisions may be the same
                found.setdefault("pool", []).append(column % GROUPS)
            found.setdefault(name, []).append(column + before if name == "event" else column)
        before += events
    whole = {name: np.concatenate(columns) for name, columns in found.items()}
    kept = whole["reference_pt"] >= chosen.min_pt
    whole = {name: values[kept] for name, values in whole.items()}
    labels = whole["class"].astype(np.int64)
    counts = np.bincount(labels, minlength=len(CLASSES))
    if (lacking := [name for name, n in zip(CLASSES, counts, strict=True) if n < 2]) or not len(labels):
        raise InputError(
            f"the cards' events have no two jets of the class {lacking[0]}: simulate more, or add a card that has them "
            "(ttbar has b, c, uds, electrons and muons, h0-tautau taus, qcd-dijets gluons)"
        )
    raw = whole["raw_pt"]
    items = whole["items"].astype(np.float32)
    return Sample(
        features=_features(items.astype(np.float64), raw, whole["eta"], whole["number"]),
        labels=labels,
        feature_names=tuple(FEATURES),
        units=tuple(FEATURES.values()),
        class_names=CLASSES,
        blocks=(BlockValues(CANDIDATES, items),),
        provenance={
            "origin": "simulated",
            "cards": dict(chosen.cards),
            "pile_up": chosen.pile_up,
            **({} if chosen.soft is None else {"soft": chosen.soft.model_dump(mode="json")}),
            "jets of each class": dict(zip(CLASSES, counts.tolist(), strict=True)),
        },
        collisions=whole["event"].astype(np.int64),
        pools=whole["pool"].astype(np.int64) if "pool" in whole else None,
        targets=np.log(whole["reference_pt"] / raw).astype(np.float32)[:, None],
        target_names=(TARGET,),
        target_units=("ln(ratio of pT)",),
        truth={name: whole[name] for name in ("raw_pt", "reference_pt", "eta")},
    )


def _features(
    items: NDArray[np.float64], pt: NDArray[np.float64], eta: NDArray[np.float64], number: NDArray[np.float64]
) -> NDArray[np.float32]:
    column = {name: items[..., place] for place, name in enumerate(FIELDS)}
    each, there = column["pt_rel"], np.maximum(column["is_filled"].sum(axis=1), 1)
    r2 = column["deta"] ** 2 + column["dphi"] ** 2
    plus = column["is_positron"] + column["is_antimuon"] + column["is_antipion"]
    minus = column["is_electron"] + column["is_muon"] + column["is_pion"]
    dxy = np.sort(np.abs(column["dxy"]), axis=1)
    x, y = (each * np.sin(column["deta"])), (each * np.sin(column["dphi"]))
    mass2 = (each * r2).sum(axis=1) - x.sum(axis=1) ** 2 - y.sum(axis=1) ** 2
    made = (
        pt, np.abs(eta), number, pt * np.sqrt(np.maximum(mass2, 0)), (each * np.sqrt(r2)).sum(axis=1), each[:, 0],
        np.sqrt((each**2).sum(axis=1)), (each * (plus + minus)).sum(axis=1), (each * column["is_photon"]).sum(axis=1),
        (each * (column["is_positron"] + column["is_electron"])).sum(axis=1),
        (each * (column["is_antimuon"] + column["is_muon"])).sum(axis=1), (np.sqrt(each) * (plus - minus)).sum(axis=1),
        dxy[:, -1], dxy[:, -2], np.abs(column["z0"]).max(axis=1), column["puppi_weight"].sum(axis=1) / there,
    )  # fmt: skip
    return np.column_stack(made).astype(np.float32)
