"""What an anomaly trigger is compared with: cuts on one quantity or a sum, and classical detectors on the same inputs.

Two more are told which events are signals, as a search is that chooses networks by their efficiencies: a sum of plain
quantities with power-of-two weights, and a supervised tree, which is a ceiling and no anomaly detection.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.statistics.rowwise import thresholds
from codesign.tasks.anomalies.judging import signals_of
from codesign.tasks.anomalies.level1_inputs import columns_of
from codesign.tasks.anomalies.menu import objects
from codesign.tasks.anomalies.rates import RATES, supported
from codesign.tasks.base import Baseline
from codesign.tasks.weighting import Weights, effective, event_weights, moments, some

__all__ = ("baselines_of", "ceilings_of", "plain_sums")

Scores = NDArray[np.float64]
#: of standardised inputs (events, n) and their weights, what scores others
_Fit = Callable[[Scores, Weights], Callable[[Scores], Scores]]

#: share of the variance that the components of the principal component analysis keep
_KEPT = 0.9
#: least standard deviation by which an input is divided, in L1 units: muons are hardly ever there
_LEAST_WIDTH = 4.0
#: weights and rounds of the searched sum; zero-bias events that the supervised tree is shown, at most
_WEIGHTS, _ROUNDS, _MOST_USUAL = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0), 4, 20_000


class _Cut:
    """The pT of one object."""

    def __init__(self, name: str, place: str) -> None:
        self.name, self._place = name, place

    def __call__(self, part: Part) -> Scores:
        return objects(part.features)[self._place][:, None]


class _Sum:
    """Everything that is there: jets, missing energy, electrons and photons, muons."""

    name = "HT + MET + leptons (sum of pT)"

    def __call__(self, part: Part) -> Scores:
        plain = plain_sums(part.features)
        return np.asarray(sum(plain[name] for name in ("ht", "met", "all_eg", "all_muons")))[:, None]


def plain_sums(x: NDArray[np.floating]) -> dict[str, Scores]:
    """Quantities that a trigger has without a network, in L1 units, (events,) each, of inputs (events, 57)."""
    values = objects(x)
    pts = {kind: x[:, columns_of(kind, "pt")].astype(np.float64) for kind in ("jet", "eg", "muon")}
    return {
        "jet": values["jet"],
        "ht": values["ht"],
        "met": values["met"],
        "eg": values["eg"],
        "muon": values["muon"],
        "all_jets": pts["jet"].sum(axis=1),
        "all_eg": pts["eg"].sum(axis=1),
        "all_muons": pts["muon"].sum(axis=1),
        "second_muon": pts["muon"][:, 1],
        "fourth_jet": pts["jet"][:, 3],
    }


class _SearchedSum:
    """A sum of plain quantities whose weights, 0 or a power of two, have the best mean efficiency of the signals of the
    validation split at the smallest rate that its zero bias can tell: by changing one weight at a time."""

    name = "searched sum (power-of-two weights; chosen by the signals of validation)"

    def __init__(self, validation: Part) -> None:
        columns = np.stack(list(plain_sums(validation.features).values()))
        own = event_weights(validation)
        each = np.ones(len(validation)) if own is None else own
        usual = validation.y == 0
        signals = list(signals_of(validation).values())
        told = supported(effective(some(own, usual), int(usual.sum())))
        rate = RATES[told[-1]] if told else max(RATES.values())

        def quality(weights: Scores) -> float:
            score = weights @ columns
            cut = thresholds(score[usual], [rate], each[None, usual])[0, 0]
            return float(np.mean([np.average(score[s] >= cut, weights=each[s]) for s in signals]))

        self.weights = np.zeros(len(columns))
        self.weights[1:3] = 1.0
        best = quality(self.weights) if signals else 0.0
        for _ in range(_ROUNDS if signals else 0):
            before = best
            for place in range(len(columns)):
                for tried in _WEIGHTS:
                    other = self.weights.copy()
                    other[place] = tried
                    if (found := quality(other)) > best:
                        best, self.weights = found, other
            if best == before:
                break

    def __call__(self, part: Part) -> Scores:
        columns = np.stack(list(plain_sums(part.features).values()))
        return np.asarray(self.weights @ columns)[:, None]


class _Supervised:
    """A boosted tree that is shown the signals of the validation split: what could be found by who knew them. Its zero
    bias is that of the training split, so that thresholds of validation are of events that it never saw."""

    name = "supervised trees (scikit-learn; a ceiling: shown the signals of validation)"

    def __init__(self, train: Part, validation: Part, seed: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        chosen = np.random.default_rng(seed).permutation(len(train))[:_MOST_USUAL]
        shown = np.any(list(signals_of(validation).values()), axis=0)
        x = np.concatenate([train.features[chosen], validation.features[shown]])
        y = np.repeat([0, 1], [len(chosen), int(shown.sum())])
        own, other = (event_weights(part) for part in (train, validation))
        each = np.concatenate([
            np.ones(len(chosen)) if own is None else own[chosen],
            np.ones(int(shown.sum())) if other is None else other[shown],
        ])  # fmt: skip
        each[y == 1] *= each[y == 0].sum() / each[y == 1].sum()
        self._model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, random_state=seed)
        self._model.fit(x, y, sample_weight=each)

    def __call__(self, part: Part) -> Scores:
        return np.asarray(self._model.decision_function(part.features)[:, None], dtype=np.float64)


class _Detector:
    """A score of standardised inputs."""

    def __init__(self, name: str, train: Part, fit: _Fit) -> None:
        self.name = name
        x, weights = train.features.astype(np.float64), event_weights(train)
        self._mean, spread = moments(x, weights)
        self._width = np.maximum(spread, _LEAST_WIDTH)
        self._score = fit(self._standard(train), weights)

    def _standard(self, part: Part) -> Scores:
        return np.asarray((part.features - self._mean) / self._width)

    def __call__(self, part: Part) -> Scores:
        return self._score(self._standard(part))[:, None]


def _forest(seed: int) -> _Fit:
    def fit(x: Scores, weights: Weights) -> Callable[[Scores], Scores]:
        from sklearn.ensemble import IsolationForest

        model = IsolationForest(n_estimators=200, max_samples=min(1024, len(x)), random_state=seed)
        model.fit(x, sample_weight=weights)
        return lambda z: np.asarray(-model.score_samples(z))

    return fit


def _components(x: Scores, weights: Weights) -> Callable[[Scores], Scores]:
    """Squared error of what the leading principal components reproduce."""
    from sklearn.decomposition import PCA

    if weights is not None:  # which scikit-learn does not know here
        middle, _ = moments(x, weights)
        around = (x - middle) * np.sqrt(weights / weights.sum())[:, None]
        values, vectors = np.linalg.eigh(around.T @ around)
        kept = int(np.searchsorted(np.cumsum(values[::-1]), _KEPT * values.sum(), side="right")) + 1
        beyond = vectors[:, : len(values) - kept]
        return lambda z: np.asarray((((z - middle) @ beyond) ** 2).sum(axis=1))
    model = PCA(n_components=_KEPT, svd_solver="full").fit(x)
    return lambda z: np.asarray(((z - model.inverse_transform(model.transform(z))) ** 2).sum(axis=1))


def _squares(x: Scores, weights: Weights) -> Callable[[Scores], Scores]:
    """Sum of the squared standardised inputs."""
    return lambda z: np.asarray((z**2).sum(axis=1))


def _largest(x: Scores, weights: Weights) -> Callable[[Scores], Scores]:
    """The largest of the standardised inputs."""
    return lambda z: np.asarray(np.abs(z).max(axis=1))


def ceilings_of(train: Part, validation: Part, seed: int) -> list[Baseline]:
    """Those that are told the signals of the validation split; none where it has none."""
    if not signals_of(validation):
        return []
    return [_SearchedSum(validation), _Supervised(train, validation, seed)]


def baselines_of(train: Part, seed: int) -> list[Baseline]:
    """All baselines, fitted on zero bias alone: the training split holds nothing else."""
    return [
        _Detector("isolation forest (scikit-learn IsolationForest)", train, _forest(seed)),
        _Detector(f"PCA (scikit-learn, squared error, {_KEPT:.0%} of the variance)", train, _components),
        _Detector("sum of z^2 (standardised inputs)", train, _squares),
        _Detector("largest |z| (standardised inputs)", train, _largest),
        _Sum(),
        _Cut("single jet (pT)", "jet"),
        _Cut("HT (jets above 30 GeV)", "ht"),
        _Cut("MET", "met"),
    ]
