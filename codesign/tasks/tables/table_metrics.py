"""How classes of tables are judged beside accuracy, area and rejection: efficiency at a background, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, Plot, Series
from codesign.tasks.metrics import roc
from codesign.tasks.weighting import Weights, effective, some

__all__ = ("BACKGROUNDS", "calibration_error", "calibration_plot", "efficiency_at")

Array = NDArray[np.float64]

#: background efficiencies, in percent, at which the signal efficiency is quoted
BACKGROUNDS = (1, 10)
_BINS = 10
_REPLICAS, _SEED = 100, 21


def efficiency_at(score: Array, signal: NDArray[np.bool_], background: float, weights: Weights = None) -> Metric | None:
    """Signal efficiency where the share ``background`` of background passes; None where that is less than one event.

    The error adds, in quadrature, the binomial errors of the signal and, by the slope of the curve, of the background.
    """
    background_curve, signal_curve = roc(score, signal, weights)
    n_signal, n_background = (effective(some(weights, chosen), int(chosen.sum())) for chosen in (signal, ~signal))
    if background * n_background < 1:
        return None
    value = float(np.interp(background, background_curve, signal_curve))
    spread = float(np.sqrt(background * (1 - background) / n_background))
    ends = np.interp([background - spread, background + spread], background_curve, signal_curve)
    own = float(np.sqrt(max(value * (1 - value), 0.0) / n_signal))
    return Metric(value=value, error=float(np.hypot(own, (ends[1] - ends[0]) / 2)))


def _bins(chance: Array) -> NDArray[np.int64]:
    return np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)


def calibration_error(chances: Array, labels: NDArray[np.int64], weights: Weights = None) -> Metric:
    """Expected calibration error (Naeini et al., AAAI 2015): the mean, over the events' classes and tenths of the
    chance that is told, of the distance between that chance and the share that is of the class.

    ``chances``: (events, classes), each row adding up to 1. The error is the spread over Poisson replicas.
    """
    own = np.ones(len(labels)) if weights is None else weights
    right = labels[:, None] == np.arange(chances.shape[1])
    gap = (right - chances).ravel()
    place = (_bins(chances) + _BINS * np.arange(chances.shape[1])).ravel()
    size = _BINS * chances.shape[1]

    def value(counted: Array) -> float:
        each = np.repeat(counted, chances.shape[1])
        return float(np.abs(np.bincount(place, each * gap, size)).sum() / each.sum())

    generator = np.random.default_rng(_SEED)
    found = [value(counted) for _ in range(_REPLICAS) if (counted := own * generator.poisson(1.0, len(own))).sum() > 0]
    return Metric(value=value(own), error=float(np.std(found)))


def calibration_plot(chances: Array, labels: NDArray[np.int64], names: Sequence[str], weights: Weights = None) -> Plot:
    """The share of a class among the events that are given a chance of it, along that chance."""
    own = np.ones(len(labels)) if weights is None else weights
    series = []
    for k, name in enumerate(names):
        place = _bins(chances[:, k])
        held = np.bincount(place, own, _BINS)
        seen = np.flatnonzero(np.bincount(place, minlength=_BINS) >= 10)
        share = np.bincount(place, own * (labels == k), _BINS)[seen] / held[seen]
        number = np.array([effective(some(weights, place == b), int((place == b).sum())) for b in seen])
        error = np.sqrt(np.maximum(share * (1 - share), 0.25 / np.maximum(number, 1)) / np.maximum(number, 1))
        series.append(
            Series(
                label=name,
                x=(np.bincount(place, own * chances[:, k], _BINS)[seen] / held[seen]).tolist(),
                y=share.tolist(),
                low=np.maximum(share - error, 0).tolist(),
                high=np.minimum(share + error, 1).tolist(),
            )
        )
    diagonal = Series(label="chance and share are one", x=[0.0, 1.0], y=[0.0, 1.0], dashed=True)
    return Plot(
        name="calibration",
        title="Share of each class along the chance that the network gives it",
        x_label="chance that is told (softmax of the outputs)",
        y_label="share of the class",
        series=[*series, diagonal],
        caption=f"{len(labels)} rows, in tenths of the chance; bands: one binomial standard deviation.",
    )
