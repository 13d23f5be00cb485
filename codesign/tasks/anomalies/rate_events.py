"""Zero-bias events for thresholds and rates alone, of a folder that ``codesign data zero-bias`` made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.mapped import chunks, forget, mapped
from codesign.data.sample import Sample, Splits
from codesign.physics.detector.rate_sample import read_rate_sample
from codesign.tasks.anomalies.level1_inputs import FEATURES, coded_inputs

__all__ = ("RateEvents", "assigned", "rate_events", "with_rate_events")

#: share of the events learned from that may be among those of the rate sample by chance: crossings with hardly anything
_MOST_SHARED = 0.02


@dataclass(frozen=True)
class RateEvents:
    """``features`` (n, 57), ``pile_up`` (n,), ``weights`` (n,) or None where all count alike."""

    features: NDArray[np.float32]
    pile_up: NDArray[np.float32]
    weights: NDArray[np.float32] | None
    provenance: dict[str, Any]


def rate_events(folder: str) -> RateEvents:
    """Read a folder; InputError as of :func:`codesign.physics.detector.rate_sample.read_rate_sample`."""
    found = read_rate_sample(Path(folder))
    features = mapped((len(found), len(FEATURES)), np.float32)
    for part in chunks(features):
        features[part] = coded_inputs(found.events[part])
        forget(found.events)
    pile_up = np.asarray(found.events["pile_up"], dtype=np.float32)
    weights = None if found.weights is None else found.weights.astype(np.float32)
    return RateEvents(features, pile_up, weights, found.facts.model_dump(mode="json"))


def with_rate_events(sample: Sample, found: RateEvents, source: str) -> Sample:
    """A sample with these zero-bias events behind its own. InputError where it holds them already. Of which pool of
    soft collisions they are, their folder does not say: they belong to none of the sample's."""
    own = _rows(sample.features[sample.labels == 0])
    shared = int(np.isin(own, _rows(found.features)).sum())
    if shared > max(_MOST_SHARED * len(own), 1):
        raise InputError(
            f"rate_sample: {shared} of {len(own)} zero-bias events that are learned from are in {source}, too: what "
            "was learned from tells no rate; make it again with another --seed"
        )
    features = mapped((len(sample) + len(found.features), len(FEATURES)), np.float32)
    features[: len(sample)] = sample.features
    features[len(sample) :] = found.features
    many = len(found.features)
    weights = None
    if found.weights is not None:
        weights = np.concatenate([np.ones(len(sample), np.float32), found.weights])
    return replace(
        sample,
        features=features,
        labels=np.concatenate([sample.labels, np.zeros(many, sample.labels.dtype)]),
        provenance={**sample.provenance, "rate_sample": found.provenance},
        truth={"pile_up": np.concatenate([sample.truth["pile_up"], found.pile_up])},
        weights=weights,
        pools=None if sample.pools is None else np.concatenate([sample.pools, np.full(many, -1, sample.pools.dtype)]),
    )


def assigned(sample: Sample, rated: int, splits: Splits) -> Sample:
    """The sample with its splits: the last ``rated`` events are shared by validation and test, other zero bias is all
    learned from, and signals are where they were without these."""
    own = len(sample) - rated
    found = np.zeros(len(sample), np.int8)
    before = Sample(
        sample.features[:own], sample.labels[:own], sample.feature_names, sample.units, sample.class_names,
        held_out=sample.held_out, pools=None if sample.pools is None else sample.pools[:own],
    )  # fmt: skip
    for number, name in enumerate(("validation", "test"), 1):
        places = before.places(name, splits)
        found[places[sample.labels[places] > 0]] = number
    order = np.random.default_rng([splits.seed, 20]).permutation(rated)
    first = round(rated * splits.validation / (splits.validation + splits.test))
    found[own + order[:first]] = 1
    found[own + order[first:]] = 2
    return replace(sample, assigned=found)


def _rows(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """A number of each event, (n,), that equal ones share: whole numbers below 2^53, so that sums are exact."""
    factors = np.random.default_rng(20).integers(1, 2**34, x.shape[1]).astype(np.float64)
    found = np.empty(len(x))
    for part in chunks(x):
        found[part] = x[part].astype(np.float64) @ factors
    return found
