"""How corrected jets are judged, in every replica of a part: response, turn-on, offline jets, dijets, flavours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.statistics import rowwise
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tasks import metrics as classification
from codesign.tasks.jets.dijet import BalanceBins
from codesign.tasks.jets.jet_heads import heads_of
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.jet_sample import FLAVOURS
from codesign.tasks.jets.response import ETA_EDGES, FLAVOUR_PT_EDGES, BinnedResponse
from codesign.tasks.jets.turn_on import turn_ons
from codesign.tasks.weighting import effective, event_weights, some

__all__ = ("corrected_pt", "replicate")

Array = NDArray[np.float64]

#: share of jets between the two quantiles; offline jets that are compared with: pT in GeV, and their least number
_BETWEEN, _OFFLINE_PT, _LEAST_OFFLINE = 0.68, 30, 100


def corrected_pt(scores: Array, part: Part) -> Array:
    """Corrected pT, GeV, (jets,)."""
    return kinematics(part.features)[0] * np.exp(heads_of(scores).correction)


def replicate(scores: Array, part: Part, points: Mapping[str, float], replicas: Replicas) -> dict[str, Array]:
    """Every metric, (1 + replicas,) each."""
    heads, weights, truth = heads_of(scores), event_weights(part), part.truth
    # of the jets as they are seen: under a variation of the energy scale another correction is right
    target, pt = np.log(truth["reference_pt"] / kinematics(part.features)[0]), corrected_pt(scores, part)
    response = pt / truth["reference_pt"]
    every = BinnedResponse.of(response, truth["reference_pt"], truth["eta"], weights=weights)
    of_flavour = {f: np.flatnonzero(part.y == number) for number, f in enumerate(FLAVOURS)}
    each = {
        f: BinnedResponse.of(
            response[of], truth["reference_pt"][of], truth["eta"][of], FLAVOUR_PT_EDGES, (ETA_EDGES[0], ETA_EDGES[2]),
            weights=some(weights, of),
        )
        for f, of in of_flavour.items()
    }  # fmt: skip
    pairs = BalanceBins.of(pt, truth["eta"], truth["phi"], truth["event"], weights)
    offline = np.flatnonzero(truth["offline_pt"] > _OFFLINE_PT)
    seen = effective(some(weights, offline), len(offline)) >= _LEAST_OFFLINE
    between = (target >= heads.low) & (target <= heads.high)

    def measure(rows: DrawnRows) -> dict[str, Array]:
        found = every.measure("jets", rows) | pairs.measure(rows)
        for flavour, of in of_flavour.items():
            found |= each[flavour].measure(flavour, rows.some(of))
        found["coverage_error"] = np.abs(rowwise.means(between, rows.weights) - _BETWEEN)
        if "threshold_gev" in points:
            passed = pt[None, :] > rows.point(points, "threshold_gev")[:, None]
            found |= turn_ons(passed, truth["offline_pt"], rows.weights)
        if seen:
            found |= _against_offline(pt[offline], truth["offline_pt"][offline], rows.some(offline))
        if heads.logits is not None:
            found |= _tagging(heads.logits, part, rows)
        return found

    measured = replicas.collect(measure)
    found = every.metrics("jets", measured)
    for flavour in FLAVOURS:
        found |= each[flavour].metrics(flavour, measured, f"_{flavour}")
    found |= pairs.metrics(measured)
    return found | {name: values for name, values in measured.items() if "/" not in name}


def _against_offline(pt: Array, offline: Array, rows: DrawnRows) -> dict[str, Array]:
    """``response_offline``: 1 - \\|median of corrected over offline pT - 1\\|; correlation of both's logarithms."""
    ratio = rowwise.quantiles(pt / offline, (0.5,), rows.weights)[:, 0]
    return {
        "response_offline": 1 - np.abs(ratio - 1),
        "correlation_offline": rowwise.correlations(np.log(pt), np.log(offline), rows.weights),
    }


def _tagging(logits: Array, part: Part, rows: DrawnRows) -> dict[str, Array]:
    chance = classification.probabilities(logits)
    found = {"accuracy": rowwise.means(logits.argmax(axis=1) == part.y, rows.weights)}
    areas = []
    for number, flavour in enumerate(FLAVOURS):
        mine = part.y == number
        if not mine.any() or mine.all():
            raise ValueError("an AUC needs events of both classes")
        areas.append(rowwise.areas(chance[:, number], mine, rows.weights))
        found[f"auc_{flavour}"] = areas[-1]
    return found | {"auc_mean": np.mean(areas, axis=0)}
