"""How an anomaly trigger is judged: at thresholds that zero bias of the validation split fixed, on any split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.statistics import rowwise
from codesign.statistics.comparison import spread, summary
from codesign.statistics.intervals import of_share
from codesign.statistics.replicas import DrawnRows, Replicas, WorkingPoints
from codesign.tasks.anomalies import menu
from codesign.tasks.anomalies.rates import CROSSINGS_KHZ, LEAST_EVENTS, RATES, tail_number, told_rates
from codesign.tasks.anomalies.synthetic import PREFIX
from codesign.tasks.weighting import effective, event_weights, replicas_of, some

__all__ = ("judge", "menu_events", "rates_in", "replicate", "signals_of", "synthetic_of", "thresholds_of")

Array = NDArray[np.float64]
Scores = NDArray[np.float64]

#: events of each trigger of a menu at half its rate, from which on its cuts are told
_LEAST_EACH = 5


def thresholds_of(scores: Scores, validation: Part) -> WorkingPoints:
    """Working points: ``threshold_1e-3`` and so on for every rate that the zero bias can tell.

    ``threshold`` is that of the smallest rate, ``rate``. ``menu_rate`` is the smallest at which each of the plain
    triggers of a menu has at least ``_LEAST_EACH`` events of its own, absent where there is none: cuts that single
    events set spread in no bootstrap as they do in nature. At it ``menu_*`` are the cuts of the plain triggers alone,
    ``menu_score`` is the score's alone, and ``half_*`` are those of half the rate with the score's that fills the rest.
    InputError where the zero bias is too little for any rate.
    """
    usual = validation.y == 0
    score, values, weights = scores[usual, 0], menu.objects(validation.features[usual]), event_weights(validation)
    told = told_rates(score, some(weights, usual))
    if not told:
        raise InputError(
            f"{len(score)} zero-bias events in the validation split cannot tell a false-positive rate of "
            f"{max(RATES.values()):g}: that takes {LEAST_EVENTS / max(RATES.values()):.0f} of equal weight; "
            "make the sample larger"
        )
    rate, events = RATES[told[-1]], effective(some(weights, usual), len(score))
    shared = [name for name in told if RATES[name] / 2 * events / len(menu.OBJECTS) >= _LEAST_EACH]

    def fix(rows: DrawnRows) -> dict[str, Array]:
        drawn = rows.some(usual).weights
        cuts = rowwise.thresholds(score, [RATES[name] for name in told], drawn)
        found = {f"threshold_{name}": cuts[:, place] for place, name in enumerate(told)}
        found |= {"threshold": cuts[:, -1], "rate": np.full(len(cuts), rate)}
        if not shared:
            return found
        beside = RATES[shared[-1]]
        found |= {"menu_rate": np.full(len(cuts), beside), "menu_score": found[f"threshold_{shared[-1]}"]}
        half, found["half_score"] = menu.menus_and_score(values, score, beside, drawn)
        found |= {f"half_{name}": cut for name, cut in half.items()}
        return found | {f"menu_{name}": cut for name, cut in menu.menus(values, beside, drawn).items()}

    return WorkingPoints.of(replicas_of(validation).collect(fix))


def menu_events() -> int:
    """Zero-bias events of which the largest rate gives every trigger of a menu enough."""
    return round(2 * len(menu.OBJECTS) * _LEAST_EACH / max(RATES.values()))


def rates_in(points: Mapping[str, float]) -> list[str]:
    """Names of the rates that have a threshold."""
    return [name for name in RATES if f"threshold_{name}" in points]


def replicate(
    scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas, selection: Sequence[str] = ()
) -> dict[str, Array]:
    """Every metric of scores (events, 1) of a part, at working points of :func:`thresholds_of`, in every replica.

    ``selection``: ``held-out`` for ``tpr_without_*``, the mean of all signals but one; ``synthetic`` for
    ``tpr_synthetic_*`` and ``auc_synthetic``, the mean over what is made of zero bias.
    """
    score, usual = scores[:, 0], part.y == 0
    signals, made = signals_of(part), synthetic_of(part) if "synthetic" in selection else {}
    values = menu.objects(part.features)

    def measure(rows: DrawnRows) -> dict[str, Array]:
        found = _areas(score, usual, signals, rows)
        if made:
            found["auc_synthetic"] = _areas(score, usual, made, rows)["auc_mean"]
        for rate in rates_in(points):
            fired = score[None, :] >= rows.point(points, f"threshold_{rate}")[:, None]
            found |= _shares(f"tpr_{{}}_{rate}", fired, signals, rows)
            if "held-out" in selection and len(signals) > 1:
                found |= {
                    f"tpr_without_{s}_{rate}": np.mean([found[f"tpr_{o}_{rate}"] for o in signals if o != s], axis=0)
                    for s in signals
                }
            if made:
                each = [rowwise.means(fired[:, of], rows.some(of).weights) for of in made.values()]
                found[f"tpr_synthetic_{rate}"] = np.mean(each, axis=0)
            found[f"fpr_{rate}"] = rowwise.means(fired[:, usual], rows.some(usual).weights)
        fired = score[None, :] >= rows.point(points, "threshold")[:, None]
        found["rate_khz"] = CROSSINGS_KHZ * rowwise.means(fired[:, usual], rows.some(usual).weights)
        if "half_score" in points:
            alone = rows.point(points, "menu_score" if "menu_score" in points else "threshold")  # of old: at its rate
            found |= _beside_the_menu(score, score[None, :] >= alone[:, None], usual, signals, values, points, rows)
        along = part.truth["pile_up"][usual].astype(np.float64)
        if np.ptp(along) > 0:
            found["pile_up_slope"] = rowwise.slopes(fired[:, usual], along, rows.some(usual).weights)
        return found

    return replicas.collect(measure)


def judge(scores: Scores, part: Part, points: Mapping[str, float], selection: Sequence[str] = ()) -> dict[str, Metric]:
    """Every metric of :func:`replicate` with its error; of an efficiency or a rate, with its interval."""
    rows = replicate(scores, part, points, replicas_of(part), selection)
    found, weights = summary(rows), event_weights(part)
    counted = {name: effective(some(weights, of), int(of.sum())) for name, of in signals_of(part).items()}
    usual = part.y == 0
    for name, metric in found.items():
        if name.startswith(("tpr_", "unique_tpr_")):
            signal = next((s for s in counted if f"tpr_{s}" == name or f"tpr_{s}_" in f"{name}_"), None)
            if signal is not None:
                found[name] = of_share(metric.value, counted[signal], spread(rows[name]))
        elif name.startswith("fpr_"):
            zero_bias = tail_number(scores[usual, 0] >= points[f"threshold_{name[4:]}"], some(weights, usual))
            found[name] = of_share(metric.value, zero_bias, spread(rows[name]))
        elif name in ("rate_khz", "unique_rate_khz"):
            zero_bias = tail_number(scores[usual, 0] >= points["threshold"], some(weights, usual))
            share = of_share(metric.value / CROSSINGS_KHZ, zero_bias, spread(rows[name]) / CROSSINGS_KHZ)
            ends = {end: value * CROSSINGS_KHZ for end, value in share.model_dump().items()}
            found[name] = Metric.model_validate(ends)
    return found


def signals_of(part: Part) -> dict[str, NDArray[np.bool_]]:
    """Which events are of each signal that the part has."""
    return {name: of for name, of in _others(part).items() if not name.startswith(PREFIX)}


def synthetic_of(part: Part) -> dict[str, NDArray[np.bool_]]:
    """Which events are of each kind of synthetic anomaly that the part has."""
    return {name: of for name, of in _others(part).items() if name.startswith(PREFIX)}


def _others(part: Part) -> dict[str, NDArray[np.bool_]]:
    return {name: part.y == k for k, name in enumerate(part.class_names) if k and (part.y == k).any()}


def _with_mean(name: str, each: Mapping[str, Array]) -> dict[str, Array]:
    """Of every signal, ``name`` with the signal's in it, and the mean over the signals."""
    found = {name.format(signal): values for signal, values in each.items()}
    return found | ({name.format("mean"): np.mean(list(each.values()), axis=0)} if each else {})


def _shares(
    name: str, fired: NDArray[np.bool_], signals: Mapping[str, NDArray[np.bool_]], rows: DrawnRows
) -> dict[str, Array]:
    return _with_mean(
        name, {s: rowwise.means(fired[:, chosen], rows.some(chosen).weights) for s, chosen in signals.items()}
    )


def _areas(
    score: Array, usual: NDArray[np.bool_], signals: Mapping[str, NDArray[np.bool_]], rows: DrawnRows
) -> dict[str, Array]:
    """``auc_<signal>`` against zero bias, and their mean."""
    found = {}
    for name, chosen in signals.items():
        both = usual | chosen
        found[name] = rowwise.areas(score[both], chosen[both], rows.some(both).weights)
    return _with_mean("auc_{}", found)


def _beside_the_menu(
    score: Array,
    fired: NDArray[np.bool_],
    usual: NDArray[np.bool_],
    signals: Mapping[str, NDArray[np.bool_]],
    values: menu.Values,
    points: Mapping[str, float],
    rows: DrawnRows,
) -> dict[str, Array]:
    """What only the anomaly trigger takes, and what is won by giving it a part of a menu's rate.

    ``unique_*``: of events that fire the score and none of the plain triggers, both at the menu's rate.
    ``added_tpr_*``: efficiency of the menu at half the rate with the score filling the rest, less that of the menu with
    all of it.
    """
    cuts = {
        kind: {name: rows.point(points, f"{kind}_{name}") for name in menu.OBJECTS if f"{kind}_{name}" in points}
        for kind in ("menu", "half")
    }
    fires = {kind: menu.fires_by_row(values, of) for kind, of in cuts.items()}
    alone = fired & ~fires["menu"]
    both = fires["half"] | (score[None, :] >= rows.point(points, "half_score")[:, None])
    gain = both.astype(np.float64) - fires["menu"]
    found = {"unique_rate_khz": CROSSINGS_KHZ * rowwise.means(alone[:, usual], rows.some(usual).weights)}
    found |= _shares("unique_tpr_{}", alone, signals, rows)
    gains = {s: rowwise.means(gain[:, chosen], rows.some(chosen).weights) for s, chosen in signals.items()}
    return found | _with_mean("added_tpr_{}", gains)
