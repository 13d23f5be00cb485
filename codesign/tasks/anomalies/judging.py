"""How an anomaly trigger is judged: at thresholds that zero bias of the validation split fixed, on any split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.tasks.anomalies import menu
from codesign.tasks.anomalies.rates import (
    CROSSINGS_KHZ,
    LEAST_EVENTS,
    RATES,
    Threshold,
    efficiency,
    share,
    slope,
    supported,
    threshold_at,
)
from codesign.tasks.metrics import auc_influence
from codesign.tasks.weighting import Weights, effective, event_weights, mean, some, width

__all__ = ("judge", "point", "rates_in", "thresholds_of")

Scores = NDArray[np.float64]


def thresholds_of(scores: Scores, validation: Part) -> dict[str, float]:
    """Working points: ``threshold_1e-3`` with ``_low`` and ``_high`` for every rate that the zero bias can tell.

    ``threshold`` is that of the smallest rate, ``rate``; at the same rate ``menu_*`` are the cuts of the single-object
    triggers alone, and ``half_*`` those of half the rate with the score's that fills the rest. InputError where the
    zero bias is too little for any rate.
    """
    usual = validation.y == 0
    score, values, weights = scores[usual, 0], menu.objects(validation.features[usual]), event_weights(validation)
    weights = some(weights, usual)
    told = supported(effective(weights, len(score)))
    if not told:
        raise InputError(
            f"{len(score)} zero-bias events in the validation split cannot tell a false-positive rate of "
            f"{max(RATES.values()):g}: that takes {LEAST_EVENTS / max(RATES.values()):.0f}; make the sample larger"
        )
    found: dict[str, float] = {}
    for name in told:
        threshold = threshold_at(score, RATES[name], weights)
        found |= {
            f"threshold_{name}": threshold.value,
            f"threshold_{name}_low": threshold.low,
            f"threshold_{name}_high": threshold.high,
        }
    rate = RATES[told[-1]]
    cuts, filled = menu.together_at(values, score, rate, weights)
    found |= {"threshold": found[f"threshold_{told[-1]}"], "rate": rate, "half_score": filled}
    found |= {f"half_{name}": cut for name, cut in cuts.items()}
    return found | {f"menu_{name}": cut for name, cut in menu.menu_at(values, rate, weights).items()}


def rates_in(points: Mapping[str, float]) -> list[str]:
    """Names of the rates that have a threshold."""
    return [name for name in RATES if f"threshold_{name}" in points]


def point(points: Mapping[str, float], rate: str) -> Threshold:
    """The threshold of a rate."""
    return Threshold(*(points[f"threshold_{rate}{which}"] for which in ("", "_low", "_high")))


def judge(scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
    """Every metric of scores (events, 1) of a part, at working points of :func:`thresholds_of`."""
    score, usual, weights = scores[:, 0], part.y == 0, event_weights(part)
    signals = {name: part.y == k for k, name in enumerate(part.class_names) if k and (part.y == k).any()}
    found = _areas(score, usual, signals, weights)
    for rate in rates_in(points):
        threshold = point(points, rate)
        found[f"fpr_{rate}"] = share(score[usual] >= threshold.value, some(weights, usual))
        each = {name: efficiency(score[chosen], threshold, some(weights, chosen)) for name, chosen in signals.items()}
        found |= {f"tpr_{name}_{rate}": value for name, value in each.items()}
        found[f"tpr_mean_{rate}"] = _mean_efficiency(score, signals, threshold, weights)
    fired = score >= points["threshold"]
    rate_found = share(fired[usual], some(weights, usual))
    found["rate_khz"] = _in_khz(rate_found)
    found |= _beside_the_menu(score, fired, usual, signals, part, points)
    changed = slope(fired[usual], part.truth["pile_up"][usual], some(weights, usual))
    return found | ({} if changed is None else {"pile_up_slope": changed})


def _in_khz(metric: Metric) -> Metric:
    return Metric(value=metric.value * CROSSINGS_KHZ, error=metric.error * CROSSINGS_KHZ)


def _areas(
    score: Scores, usual: NDArray[np.bool_], signals: Mapping[str, NDArray[np.bool_]], weights: Weights
) -> dict[str, Metric]:
    """``auc_<signal>`` against zero bias, and their mean, whose error knows that all share the zero bias."""
    found, values, every = {}, [], np.zeros(len(score))
    for name, chosen in signals.items():
        both = usual | chosen
        value, influence = auc_influence(score[both], chosen[both], some(weights, both))
        values.append(value)
        every[both] += influence / len(signals)
        found[f"auc_{name}"] = Metric(value=value, error=float(np.sqrt((influence**2).sum())))
    if values:
        found["auc_mean"] = Metric(value=float(np.mean(values)), error=float(np.sqrt((every**2).sum())))
    return found


def _mean_efficiency(
    score: Scores, signals: Mapping[str, NDArray[np.bool_]], threshold: Threshold, weights: Weights
) -> Metric:
    """Mean over the signals; the counting errors are independent, that of the threshold is one and the same."""
    each = [(score[chosen], some(weights, chosen)) for chosen in signals.values()]
    counted = [share(s >= threshold.value, w) for s, w in each]
    shifts = [(mean(s >= threshold.low, w) - mean(s >= threshold.high, w)) / 2 for s, w in each]
    return _mean(counted, float(np.mean(shifts)))


def _mean(metrics: list[Metric], common: float = 0.0) -> Metric:
    own = float(np.sqrt(sum(m.error**2 for m in metrics))) / len(metrics)
    return Metric(value=float(np.mean([m.value for m in metrics])), error=float(np.hypot(own, common)))


def _gain(gain: Scores, weights: Weights) -> Metric:
    error = width(gain, weights) / np.sqrt(effective(weights, len(gain)))
    return Metric(value=mean(gain, weights), error=float(error))


def _beside_the_menu(
    score: Scores,
    fired: NDArray[np.bool_],
    usual: NDArray[np.bool_],
    signals: Mapping[str, NDArray[np.bool_]],
    part: Part,
    points: Mapping[str, float],
) -> dict[str, Metric]:
    """What only the anomaly trigger takes, and what is won by giving it a part of a menu's rate.

    ``unique_*``: of events that fire the score and none of the single-object triggers, both at the working rate.
    ``added_tpr_*``: efficiency of single-object triggers at half the rate with the score filling the rest, less that of
    single-object triggers with all of it; the error is that of the difference of the same events.
    """
    values = menu.objects(part.features)
    menus = {kind: menu.fires(values, {n: points[f"{kind}_{n}"] for n in menu.OBJECTS}) for kind in ("menu", "half")}
    alone, weights = fired & ~menus["menu"], event_weights(part)
    found = {"unique_rate_khz": _in_khz(share(alone[usual], some(weights, usual)))}
    unique = {name: share(alone[chosen], some(weights, chosen)) for name, chosen in signals.items()}
    gain = (menus["half"] | (score >= points["half_score"])).astype(np.float64) - menus["menu"]
    added = {name: _gain(gain[chosen], some(weights, chosen)) for name, chosen in signals.items()}
    for what, each in (("unique", unique), ("added", added)):
        found |= {f"{what}_tpr_{name}": value for name, value in each.items()}
        if each:
            found[f"{what}_tpr_mean"] = _mean(list(each.values()))
    return found
