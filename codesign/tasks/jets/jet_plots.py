"""Plots of the task ``jet-energy``, in the experiments' style: bands are one standard deviation, baselines dashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Plot, Series
from codesign.data.sample import Part
from codesign.tasks import metrics
from codesign.tasks.jets import dijet
from codesign.tasks.jets.jet_heads import heads_of
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.jet_sample import FLAVOURS
from codesign.tasks.jets.response import ETA_EDGES, FLAVOUR_PT_EDGES, PT_EDGES, Bin, bin_response
from codesign.tasks.jets.turn_on import OFFLINE_PT, efficiency, threshold
from codesign.tasks.weighting import effective, event_weights
from codesign.tasks.weighting import some as some_weights

__all__ = ("curve", "plots", "response_lines")

Array = NDArray[np.float64]

_REGIONS = ((0.0, 1.3), (1.3, 2.5), (2.5, 4.7))
_FINE_ETA = tuple(np.round(np.linspace(0, 4.8, 17), 2))
_PT_RANGE = (PT_EDGES[0], PT_EDGES[-1])
_TURN_ON = np.geomspace(30, 400, 40)
_CURVE_POINTS = 150


def plots(scores: Array, part: Part, baselines: Mapping[str, Array], points: Mapping[str, float]) -> list[Plot]:
    """What the report draws for a design; baselines dashed."""
    assert part.targets is not None
    target = part.targets[:, 0].astype(np.float64)
    truth, weights = part.truth, event_weights(part)
    where = f"{len(part)} {part.name} jets"
    sources = [("", scores, False), *((" (baseline)", s, True) for s in list(baselines.values())[:1])]
    each = [(label, np.exp(heads_of(s).correction - target), s, dashed) for label, s, dashed in sources]
    uncorrected = np.exp(-target)

    def lines(draw: Callable[[Array], Iterator[tuple[str, list[Bin]]]], what: str, along: str) -> list[Series]:
        made = [
            _bins_line(f"{name}{label}", bins, what, along, dashed)
            for label, response, _, dashed in each
            for name, bins in draw(response)
        ]
        return [s for s in made if s.x]

    def by_region(response: Array) -> Iterator[tuple[str, list[Bin]]]:
        for low, high in _REGIONS:
            yield (
                f"{low:g} < |eta| < {high:g}",
                bin_response(response, truth["reference_pt"], truth["eta"], eta_edges=(low, high), weights=weights),
            )

    def by_eta(response: Array) -> Iterator[tuple[str, list[Bin]]]:
        yield (
            f"{_PT_RANGE[0]:g} to {_PT_RANGE[1]:g} GeV",
            bin_response(response, truth["reference_pt"], truth["eta"], _PT_RANGE, _FINE_ETA, weights=weights),
        )

    def by_flavour(response: Array) -> Iterator[tuple[str, list[Bin]]]:
        for number, flavour in enumerate(FLAVOURS):
            some = part.y == number
            yield (
                flavour,
                bin_response(
                    response[some],
                    truth["reference_pt"][some],
                    truth["eta"][some],
                    FLAVOUR_PT_EDGES,
                    (0, ETA_EDGES[2]),
                    weights=some_weights(weights, some),
                ),
            )

    raw = [_bins_line("uncorrected", b, "median", "eta", False) for _, b in by_eta(uncorrected)]
    response = "median of corrected over reference pT"
    band = "bands: one standard deviation of the median"
    drawn = [
        _plot(
            "closure-pt", "Closure against pT", "reference pT [GeV]", response,
            lines(by_region, "median", "pt"), f"{where}; {band}; dashed: factorised correction.", log_x=True,
        ),
        _plot(
            "closure-eta", "Closure against |eta|", "|eta|", response,
            [*lines(by_eta, "median", "eta"), *(s for s in raw if s.x)],
            f"{where}; {band}; dashed: factorised correction.",
        ),
        _plot(
            "resolution", "Resolution", "reference pT [GeV]", "half the 16 % to 84 % width over the median",
            lines(by_region, "resolution", "pt"),
            f"{where}; bands: one standard deviation; dashed: factorised correction.", log_x=True,
        ),
        _plot(
            "closure-flavour", "Closure of each flavour, |eta| < 2.5", "reference pT [GeV]", response,
            lines(by_flavour, "median", "pt"), f"{where}; {band}; dashed: factorised correction.", log_x=True,
        ),
        _turn_on(each, part, points, where),
        _offline(each, part, where),
        _balance(each, part, where),
        _roc(each, part, where),
    ]  # fmt: skip
    return [p for p in drawn if p is not None]


def curve(label: str, x: Any, y: Any, low: Any, high: Any, dashed: bool = False) -> Series:
    """A line with its band."""
    lists = [np.asarray(v, dtype=np.float64).tolist() for v in (x, y, low, high)]
    return Series(label=label, x=lists[0], y=lists[1], low=lists[2], high=lists[3], dashed=dashed)


def response_lines(label: str, bins: Sequence[Bin], dashed: bool = False) -> tuple[Series, Series]:
    """Median and resolution of bins along pT."""
    return _bins_line(label, bins, "median", "pt", dashed), _bins_line(label, bins, "resolution", "pt", dashed)


def _plot(
    name: str, title: str, x: str, y: str, series: list[Series], caption: str, log_x: bool = False
) -> Plot | None:
    if not series:
        return None
    return Plot(name=name, title=title, x_label=x, y_label=y, series=series, caption=caption, log_x=log_x)


def _bins_line(label: str, bins: Sequence[Bin], what: str, along: str, dashed: bool) -> Series:
    shown = [getattr(b, what) for b in bins]
    x = [b.centre if along == "pt" else (b.eta[0] + b.eta[1]) / 2 for b in bins]
    value = np.array([m.value for m in shown])
    error = np.array([m.error for m in shown])
    return curve(label, x, value, value - error, value + error, dashed)


_Each = Sequence[tuple[str, Array, Array, bool]]


def _pt(scores: Array, part: Part) -> Array:
    return kinematics(part.features)[0] * np.exp(heads_of(scores).correction)


def _turn_on(each: _Each, part: Part, points: Mapping[str, float], where: str) -> Plot | None:
    offline, weights = part.truth["offline_pt"], event_weights(part)
    if "threshold_gev" not in points:
        return None
    series = []
    for label, _, scores, dashed in each:
        pt = _pt(scores, part)
        # the design's threshold was fixed on validation; a baseline's is drawn at the same rate on these jets
        cut = threshold(pt, offline, part.truth["reference_pt"], weights) if dashed else points["threshold_gev"]
        x, y, low, high = efficiency(pt > cut, offline, _TURN_ON, weights=weights)
        series.append(curve(f"corrected pT > {cut:.1f} GeV{label}", x, y, low, high, dashed))
    return _plot(
        "turn-on", "Turn-on at fixed rate", "offline pT [GeV]", "efficiency", series,
        f"{where}, a partner offline; rate of jets with a generated partner, in a spectrum falling as pT^-5, that of "
        f"offline jets above {OFFLINE_PT:g} GeV; bands: Clopper-Pearson intervals; dashed: factorised correction.",
        log_x=True,
    )  # fmt: skip


def _offline(each: _Each, part: Part, where: str) -> Plot | None:
    offline = part.truth["offline_pt"]
    both = offline > PT_EDGES[0]
    if not both.any():
        return None
    series = []
    for label, _, scores, dashed in each:
        ratio = _pt(scores, part)[both] / offline[both]
        own = some_weights(event_weights(part), both)
        bins = bin_response(ratio, offline[both], part.truth["eta"][both], eta_edges=(0, ETA_EDGES[2]), weights=own)
        series += [_bins_line(f"median{label}", bins, "median", "pt", dashed)] if bins else []
    return _plot(
        "offline", "Corrected over offline pT, |eta| < 2.5", "offline pT [GeV]", "median ratio", series,
        f"{where}; bands: one standard deviation of the median; dashed: factorised correction.", log_x=True,
    )  # fmt: skip


def _balance(each: _Each, part: Part, where: str) -> Plot | None:
    truth = part.truth
    series = []
    for label, _, scores, dashed in each:
        own = event_weights(part)
        found = dijet.balance(_pt(scores, part), truth["eta"], truth["phi"], truth["event"], weights=own)
        value, error = (np.array([getattr(b.response, a) for b in found]) for a in ("value", "error"))
        x = [sum(b.eta) / 2 for b in found]
        series += [curve(f"tag and probe{label}", x, value, value - error, value + error, dashed)] if found else []
    return _plot(
        "balance", "Dijet balance, without truth", "|eta| of the probe", "relative response", series,
        f"{where}; tag |eta| < {dijet.TAG_ETA:g}, third jet below {dijet.MOST_THIRD:g} of the average pT; bands: one "
        "standard deviation; dashed: factorised correction.",
    )  # fmt: skip


def _roc(each: _Each, part: Part, where: str) -> Plot | None:
    series = []
    for label, _, scores, dashed in each:
        logits = heads_of(scores).logits
        if logits is None:
            return None
        chance = metrics.probabilities(logits)
        for number, flavour in enumerate(FLAVOURS):
            signal = part.y == number
            if not signal.any() or signal.all():
                continue
            weights = event_weights(part)
            background, found = metrics.roc(chance[:, number], signal, weights)
            count = effective(some_weights(weights, ~signal), int((~signal).sum()))
            x = np.linspace(0.05, 1, _CURVE_POINTS)
            y = np.interp(x, found, background)
            error = np.sqrt(np.maximum(y * (1 - y), 0) / count)
            series.append(curve(f"{flavour}{label}", x, y, np.maximum(y - error, 0), y + error, dashed))
    return _plot(
        "roc", "ROC curve of each flavour against the rest", "signal efficiency", "background efficiency", series,
        f"{where}; bands: one binomial standard deviation; dashed: boosted decision trees.",
    )  # fmt: skip
