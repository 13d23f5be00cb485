"""Plots of an anomaly trigger: scores, ROC curves, rates, and what pile-up does to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Plot, Series
from codesign.data.sample import Part
from codesign.tasks import metrics
from codesign.tasks.anomalies.judging import rates_in, signals_of
from codesign.tasks.anomalies.rates import COLLIDING_BUNCHES, CROSSINGS_KHZ, RATES, share, threshold_at
from codesign.tasks.plot_lines import line, scores_by_source
from codesign.tasks.weighting import Weights, effective, event_weights, mean, some, sums

__all__ = ("plots",)

Scores = NDArray[np.float64]

_CURVE_POINTS = 120
_SCORE_BINS = 40
_PILE_UP_BINS = 6


def plots(scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]) -> list[Plot]:
    """All plots of scores (events, 1) on a part."""
    score, usual, weights = scores[:, 0], part.y == 0, event_weights(part)
    signals = signals_of(part)
    found = [
        _distributions(score, usual, signals, part.name, points, weights),
        _roc(score, usual, signals, part.name, baselines, weights),
        _rate(score, usual, part.name, points, weights),
    ]
    found += _beside_baselines(score, usual, signals, baselines, part.name, points, weights)
    pile_up = part.truth["pile_up"][usual]
    return found + (
        [_against_pile_up(score[usual], pile_up, part.name, points, some(weights, usual))]
        if np.ptp(pile_up) > 0
        else []
    )


def _steps(values: Scores, edges: Scores, label: str, weights: Weights) -> Series:
    inside, (total, _) = np.clip(values, edges[0], edges[-1]), sums(weights, len(values))
    counts = np.histogram(inside, edges, weights=weights)[0].astype(np.float64)
    squares = counts if weights is None else np.histogram(inside, edges, weights=weights**2)[0]
    density, error = counts / total, np.sqrt(squares) / total
    seen = counts > 0
    middle = (edges[1:] + edges[:-1]) / 2
    return Series(
        label=label,
        x=middle[seen].tolist(),
        y=density[seen].tolist(),
        low=np.maximum(density - error, 0.3 / effective(weights, len(values)))[seen].tolist(),
        high=(density + error)[seen].tolist(),
    )


def _distributions(
    score: Scores,
    usual: NDArray[np.bool_],
    signals: Mapping[str, NDArray[np.bool_]],
    split: str,
    points: Mapping[str, float],
    weights: Weights,
) -> Plot:
    top = max(float(np.quantile(score[usual], 0.9999)) * 1.5, float(score[usual].max()), 1e-6)
    edges = np.linspace(0.0, top, _SCORE_BINS + 1)
    series = [
        _steps(score[chosen], edges, name, some(weights, chosen))
        for name, chosen in {**signals, "zero bias": usual}.items()
    ]
    where = points.get("threshold")
    series += [Series(label="threshold", x=[where, where], y=[1e-5, 1.0], dashed=True)] if where is not None else []
    khz = f"; the threshold is for {points['rate'] * CROSSINGS_KHZ:.3g} kHz" if where is not None else ""
    return Plot(
        name="scores",
        title="Anomaly score",
        x_label="score",
        y_label="share of events",
        log_y=True,
        series=series,
        caption=f"{len(score)} {split} events; what lies beyond the last bin is in it; bands: one standard deviation"
        f"{khz} of zero bias, fixed on the validation split.",
    )


def _curve(
    score: Scores, usual: NDArray[np.bool_], chosen: NDArray[np.bool_], weights: Weights
) -> tuple[Scores, Scores]:
    """False and true positive rates down to one zero-bias event."""
    both = usual | chosen
    background, signal = metrics.roc(score[both], chosen[both], some(weights, both))
    x = np.geomspace(1 / usual.sum(), 1.0, _CURVE_POINTS)
    # the efficiency at a rate is what is reached without going above it
    return x, signal[np.searchsorted(background, x * (1 + 1e-9), side="right") - 1]


def _roc(
    score: Scores,
    usual: NDArray[np.bool_],
    signals: Mapping[str, NDArray[np.bool_]],
    split: str,
    baselines: Mapping[str, Scores],
    weights: Weights,
) -> Plot:
    series = []
    shown = scores_by_source(score, {name: values[:, 0] for name, values in baselines.items()}, most=1)
    for source, values in shown.items():
        for name, chosen in signals.items():
            series.append(_of_signal(name, source, values, usual, chosen, weights))
    return Plot(
        name="roc",
        title="ROC curve of each signal against zero bias",
        x_label="false-positive rate (zero bias)",
        y_label="true-positive rate (signal)",
        log_x=True,
        series=series,
        caption=f"{len(score)} {split} events; bands: one binomial standard deviation of the signal's efficiency; "
        "curves end at one zero-bias event; dashed: the primary baseline.",
    )


def _of_signal(
    of: str, source: str, score: Scores, usual: NDArray[np.bool_], chosen: NDArray[np.bool_], weights: Weights
) -> Series:
    """The curve of a signal with its band; ``source``: the baseline whose it is, empty for the design."""
    x, y = _curve(score, usual, chosen, weights)
    error = np.sqrt(np.maximum(y * (1 - y), 0) / effective(some(weights, chosen), int(chosen.sum())))
    return line(source, x, y, of=of, low=np.maximum(y - error, 0), high=np.minimum(y + error, 1))


def _rate(score: Scores, usual: NDArray[np.bool_], split: str, points: Mapping[str, float], weights: Weights) -> Plot:
    ordered = np.sort(score[usual])
    where = np.unique(np.quantile(ordered, 1 - np.geomspace(1 / len(ordered), 1, _CURVE_POINTS), method="higher"))
    fired = (len(ordered) - np.searchsorted(ordered, where, side="left")).astype(np.float64)
    if weights is not None:  # in units of events of the same effective number
        own = weights[usual]
        reached = np.array([mean(score[usual] >= w, own) for w in where])
        fired = reached * effective(own, len(own))
    scale = CROSSINGS_KHZ / effective(some(weights, usual), len(ordered))
    series = [
        Series(
            label="zero bias",
            x=where.tolist(),
            y=(fired * scale).tolist(),
            low=(np.maximum(fired - np.sqrt(fired), 0.3) * scale).tolist(),
            high=((fired + np.sqrt(fired)) * scale).tolist(),
        )
    ]
    for name in rates_in(points):
        khz, threshold = RATES[name] * CROSSINGS_KHZ, points[f"threshold_{name}"]
        series.append(
            Series(label=f"set for {khz:.3g} kHz", x=[threshold, threshold], y=[scale, CROSSINGS_KHZ], dashed=True)
        )
    return Plot(
        name="rate",
        title="Trigger rate against threshold",
        x_label="threshold on the score",
        y_label="rate [kHz]",
        log_y=True,
        series=series,
        caption=f"{usual.sum()} {split} zero-bias events at {COLLIDING_BUNCHES} colliding bunches times 11.245 kHz; "
        "band: one standard deviation; dashed: thresholds fixed on the validation split.",
    )


def _beside_baselines(
    score: Scores,
    usual: NDArray[np.bool_],
    signals: Mapping[str, NDArray[np.bool_]],
    baselines: Mapping[str, Scores],
    split: str,
    points: Mapping[str, float],
    weights: Weights,
) -> list[Plot]:
    """Efficiencies at the working rate as a table of colours, every row at its own threshold of that rate."""
    if "rate" not in points or not signals:
        return []
    rows = {"this design": score} | {name.split(" (")[0]: values[:, 0] for name, values in baselines.items()}
    matrix = [
        [
            mean(s[chosen] >= threshold_at(s[usual], points["rate"], some(weights, usual)).value, some(weights, chosen))
            for chosen in signals.values()
        ]
        for s in rows.values()
    ]
    plain = next((matrix[place] for place, name in enumerate(rows) if name == "HT"), None)
    found = [] if plain is None else [s for s, one, own in zip(signals, plain, matrix[0], strict=True) if one >= own]
    told = f" A cut on HT alone finds as much of {', '.join(found)} or more: no anomaly there." if found else ""
    return [
        Plot(
            name="baselines",
            title=f"Efficiency at a false-positive rate of {points['rate']:g}, beside the baselines",
            x_label="signal",
            y_label="trigger",
            matrix=matrix,
            x_ticks=list(signals),
            y_ticks=list(rows),
            caption=f"{len(score)} {split} events; here every row has the threshold that gives the rate on these "
            f"zero-bias events, so that all are compared at exactly the same rate.{told}",
        )
    ]


def _against_pile_up(score: Scores, pile_up: Scores, split: str, points: Mapping[str, float], weights: Weights) -> Plot:
    edges = np.quantile(pile_up, np.linspace(0, 1, _PILE_UP_BINS + 1))
    places = np.clip(np.searchsorted(edges, pile_up, side="right") - 1, 0, _PILE_UP_BINS - 1)
    series = []
    for name in rates_in(points):
        rates = [
            share(score[places == k] >= points[f"threshold_{name}"], some(weights, places == k))
            for k in range(_PILE_UP_BINS)
        ]
        seen = [k for k in range(_PILE_UP_BINS) if rates[k].value]
        series.append(
            Series(
                label=f"threshold for {RATES[name] * CROSSINGS_KHZ:.3g} kHz",
                x=[mean(pile_up[places == k], some(weights, places == k)) for k in seen],
                y=[rates[k].value * CROSSINGS_KHZ for k in seen],
                low=[max(rates[k].value - rates[k].error, 0.1 / len(score)) * CROSSINGS_KHZ for k in seen],
                high=[(rates[k].value + rates[k].error) * CROSSINGS_KHZ for k in seen],
            )
        )
    return Plot(
        name="pile_up",
        title="Trigger rate against pile-up",
        x_label="mean number of collisions",
        y_label="rate [kHz]",
        log_y=True,
        series=series,
        caption=f"{len(score)} {split} zero-bias events in {_PILE_UP_BINS} bins of as many each, those left out "
        "in which none fires; bands: one standard deviation.",
    )
