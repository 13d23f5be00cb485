"""The sample of the task ``anomaly``: zero-bias events to learn from, and signals that are never trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.core.layout import BlockValues, Layout
from codesign.data.sample import Sample
from codesign.physics.detector.event_card import PoolChoice
from codesign.physics.detector.regions import REGION_COLUMNS, REGION_ROWS
from codesign.physics.events.pile_up import OPTIONAL, PileUpCounts
from codesign.tasks.anomalies.level1_inputs import COLLECTIONS, FEATURES, OTHERS, UNITS, coded_inputs, event_inputs

__all__ = ("REGIONS", "SIGNALS", "ZERO_BIAS", "AnomalySample", "sample_of")

ZERO_BIAS = "zero_bias"
#: the calorimeter in regions of 4 x 4 towers, phi and eta
REGIONS = Layout(name="regions", shape=(REGION_ROWS, REGION_COLUMNS, 1), fields=("et",), units=("L1 units of 0.5 GeV",))
#: signal -> its card: top pairs, and the four signals of Govorkova et al., Sci. Data 9 (2022) 118
SIGNALS: dict[str, str] = {
    "ttbar": "ttbar",
    "leptoquark": "leptoquark-btau",
    "h0": "h0-tautau",
    "hplus": "hplus-taunu",
    "a4l": "a-4l",
}


#: soft collisions of signals
_SIGNAL_POOL = PoolChoice(seed=2, collisions=5000)
#: between the numbers of pools of two classes: above any that a file has
_APART = 1 << 40


class AnomalySample(BaseModel):
    """The study's ``sample`` section: simulated events, or files of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zero_bias: int = Field(default=40000, ge=1000, description="zero-bias events to simulate, or the most to read")
    signal: int = Field(default=1500, ge=100, description="events of each signal to simulate, or the most to read")
    regions: bool = Field(
        default=False,
        exclude_if=lambda regions: not regions,
        description="beside the objects a block 'regions', the calorimeter in 18 x 14, of simulated events",
    )
    pile_up: float | None = Field(default=None, ge=0, description="mean number of collisions, instead of the cards'")
    soft: PoolChoice | None = Field(
        default=None,
        exclude_if=lambda pool: pool is None,
        description="soft collisions of zero bias, and as many of signals, from another seed, that are generated, to "
        "be turned, mirrored and used again, instead of 20,000 and 5,000",
    )
    selection: tuple[Literal["held-out", "synthetic"], ...] = Field(
        default=(),
        exclude_if=lambda ways: not ways,
        description="more metrics by which networks are chosen without a signal: held-out tpr_without_SIGNAL_RATE, "
        "synthetic tpr_synthetic_RATE of events made of zero bias",
    )
    rate_sample: str | None = Field(
        default=None,
        exclude_if=lambda folder: folder is None,
        description="folder of 'codesign data zero-bias': thresholds and rates are of its events, and all "
        "zero_bias events are learned from",
    )
    files: tuple[str, ...] = Field(default=(), description="files of zero-bias events, instead of simulated ones")
    signal_files: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="signal -> its files")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if bool(self.files) != bool(self.signal_files):
            raise ValueError("give files of zero-bias events and of at least one signal, or neither")
        if self.files and self.pile_up is not None:
            raise ValueError("pile_up is of simulated events; the files have their own")
        if self.files and self.soft is not None:
            raise ValueError("soft collisions are of simulated events; the files have their own")
        if self.files and self.regions:
            raise ValueError("regions are of simulated events: files do not hold the calorimeter's towers")
        if self.rate_sample is not None and (self.files or self.regions):
            raise ValueError("rate_sample holds simulated Level-1 objects: it goes with neither files nor regions")
        kept = (ZERO_BIAS, "without_", "synthetic_")
        if wrong := [s for s in self.signal_files if not s.isidentifier() or s.startswith(kept)]:
            raise ValueError(f"'{wrong[0]}' is no name of a signal: letters, digits and underscores, not {ZERO_BIAS}")
        if "synthetic" in self.selection and self.regions:
            raise ValueError("synthetic anomalies are of Level-1 objects: selection takes held-out only beside regions")
        return self


def sample_of(chosen: AnomalySample, progress: Any = None) -> Sample:
    """Simulate (once, then from the cache) or read the events; InputError where a file has none.

    ``truth``: ``pile_up``, the mean number of collisions of each event (0 where a file does not say). Events of one
    class share nothing, so every event is a collision of its own.
    """
    files = _files(chosen, progress)
    most = {name: chosen.zero_bias if name == ZERO_BIAS else chosen.signal for name in files}
    if chosen.files:
        read = {name: _read(paths, most[name]) for name, paths in files.items()}
    else:
        read = {name: _seen(_tier(chosen), paths) for name, paths in files.items()}
    features = np.concatenate([x for x, _, _ in read.values()])
    # a class is never split by another one's pools: files of zero bias and of signals may be of one pool
    each = [np.where(c.pools >= 0, c.pools + place * _APART, -1) for place, (_, _, c) in enumerate(read.values())]
    pools = np.concatenate(each)
    names = tuple(files)
    return Sample(
        features=features,
        labels=np.repeat(np.arange(len(names)), [len(x) for x, _, _ in read.values()]),
        feature_names=FEATURES,
        units=UNITS,
        class_names=names,
        provenance={
            "origin": "files" if chosen.files else "simulated",
            **({} if chosen.files else {"cards": _cards(names, chosen)}),
            "files": {name: [Path(p).name for p in paths] for name, paths in files.items()},
            "events of each class": {name: len(x) for name, (x, _, _) in read.items()},
            "pile-up of each class": {name: c.told().get("pile-up", {}) for name, (_, _, c) in read.items()},
        },
        pools=pools if (pools >= 0).any() else None,
        blocks=(_regions(files),) if chosen.regions else (),
        truth={"pile_up": np.concatenate([pile_up for _, pile_up, _ in read.values()])},
        held_out=names[1:],
    )


def _tier(chosen: AnomalySample) -> str:
    """What is made of simulated events: their objects, or these and the regions of the same towers."""
    return "regions" if chosen.regions else "level1"


def _regions(files: Mapping[str, list[Path]]) -> BlockValues:
    """The calorimeter's regions of the same events."""
    from codesign.physics.detector.tiers import joined, read_tier

    each = [joined([read_tier("regions", path) for path in paths], "regions") for paths in files.values()]
    return BlockValues(REGIONS, np.concatenate(each).astype(np.float32)[..., None])


def _cards(names: tuple[str, ...], chosen: AnomalySample) -> dict[str, Any]:
    """Where each class comes from: card, seed, generator and versions."""
    from codesign.physics.detector import load_event_card
    from codesign.physics.detector.simulate import provenance_of

    cards = {name: load_event_card(_card(name), pile_up=chosen.pile_up, pool=_pool(name, chosen)) for name in names}
    return {name: provenance_of(card) for name, card in cards.items()}


def _pool(name: str, chosen: AnomalySample) -> PoolChoice | None:
    """Signals have soft collisions of their own: they are judged beside zero bias that is learned from. None: those of
    the card."""
    if name == ZERO_BIAS or chosen.soft is None:
        return chosen.soft if name == ZERO_BIAS else _SIGNAL_POOL
    return chosen.soft.model_copy(update={"seed": chosen.soft.seed + 1})


def _card(name: str) -> str:
    return "zero-bias" if name == ZERO_BIAS else SIGNALS[name]


def _files(chosen: AnomalySample, progress: Any) -> Mapping[str, list[Path]]:
    """Files of every class, zero bias first."""
    if chosen.files:
        given = {ZERO_BIAS: chosen.files, **chosen.signal_files}
        return {name: [Path(p) for p in paths] for name, paths in given.items()}
    from codesign.physics.detector.tiers import tier_files

    wanted = {ZERO_BIAS: chosen.zero_bias} | dict.fromkeys(SIGNALS, chosen.signal)
    total, before, found = sum(wanted.values()), 0, {}
    for name, events in wanted.items():

        def shown(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        pool = _pool(name, chosen)
        found[name] = tier_files(_tier(chosen), _card(name), events, chosen.pile_up, progress=shown, pool=pool)
        before += events
    return found


def _seen(tier: str, paths: list[Path]) -> tuple[NDArray[np.float32], NDArray[np.float32], PileUpCounts]:
    """The same of what the Level-1 trigger sees of simulated events: other tiers are not simulated for it."""
    from codesign.physics.detector.tiers import joined, read_tier

    pieces, counted = [read_tier(tier, path) for path in paths], PileUpCounts()
    for piece in pieces:
        counted.count(piece["pool"].astype(np.int64), piece["soft"], piece["fresh"])
    return np.concatenate([coded_inputs(piece) for piece in pieces]), joined(pieces, "pile_up"), counted


def _read(paths: list[Path], most: int) -> tuple[NDArray[np.float32], NDArray[np.float32], PileUpCounts]:
    """Inputs (events, 57), pile-up (events,) and soft collisions of the first events of some files."""
    from codesign.physics.events import read_located

    rows, pile_up, count, counted = [], [], 0, PileUpCounts()
    for piece in read_located(paths, (), optional=(*COLLECTIONS, *OTHERS, *OPTIONAL)):
        events = piece.events[: most - count]
        counted.add(events)
        with piece.named():
            rows.append(event_inputs(events).features)
        known = "Pileup" in events.fields
        pile_up.append(np.asarray(events.Pileup.nTrueInt if known else np.zeros(len(events)), dtype=np.float32))
        count += len(events)
        if count >= most:
            break
    if not count:
        raise InputError(f"{paths[0]}: no events")
    return np.concatenate(rows), np.concatenate(pile_up), counted
