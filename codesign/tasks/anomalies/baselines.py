"""What an anomaly trigger is compared with: cuts on one quantity, and two classical detectors on the same inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.anomalies.menu import objects
from codesign.tasks.base import Baseline
from codesign.tasks.weighting import Weights, event_weights, moments

__all__ = ("baselines_of",)

Scores = NDArray[np.float64]
#: of standardised inputs (events, n) and their weights, what scores others
_Fit = Callable[[Scores, Weights], Callable[[Scores], Scores]]

#: share of the variance that the components of the principal component analysis keep
_KEPT = 0.9
#: least standard deviation by which an input is divided, in L1 units: muons are hardly ever there
_LEAST_WIDTH = 4.0


class _Cut:
    """The pT of one object."""

    def __init__(self, name: str, place: str) -> None:
        self.name, self._place = name, place

    def __call__(self, part: Part) -> Scores:
        return objects(part.features)[self._place][:, None]


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


def baselines_of(train: Part, seed: int) -> list[Baseline]:
    """All baselines, fitted on zero bias alone: the training split holds nothing else."""
    return [
        _Detector("isolation forest (scikit-learn IsolationForest)", train, _forest(seed)),
        _Detector(f"PCA (scikit-learn, squared error, {_KEPT:.0%} of the variance)", train, _components),
        _Cut("single jet (pT)", "jet"),
        _Cut("HT (jets above 30 GeV)", "ht"),
        _Cut("MET", "met"),
    ]
