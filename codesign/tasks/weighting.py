"""Weights of a part's events, and the statistics of events with weights (:mod:`codesign.statistics.weighted`)."""

from __future__ import annotations

import numpy as np

from codesign.data.sample import Part
from codesign.statistics.replicas import Replicas
from codesign.statistics.weighted import (
    Weights,
    correlation,
    effective,
    mean,
    median,
    moments,
    quantile,
    some,
    sums,
    width,
)

__all__ = (
    "Weights",
    "correlation",
    "effective",
    "effective_events",
    "event_weights",
    "mean",
    "median",
    "moments",
    "quantile",
    "replicas_of",
    "some",
    "sums",
    "width",
)


def event_weights(part: Part) -> Weights:
    """Those of a part's events; None where it has none, or all are the same."""
    if part.weights is None or not len(part) or (part.weights == part.weights[0]).all():
        return None
    return part.weights.astype(np.float64)


def effective_events(part: Part) -> float | None:
    """Effective number of a part's events where they have weights; else None: it is their number."""
    weights = event_weights(part)
    return None if weights is None else effective(weights, len(part))


def replicas_of(part: Part, number: int | None = None) -> Replicas:
    """Bootstrap replicas of a part: what comes from one collision is drawn together. Those of one part are always the
    same, so that two designs are judged on the same replicas; those of two splits are independent."""
    return Replicas.of(part.name, len(part), part.collisions, event_weights(part), number)
