"""What a tagger of seeded-cone jets is compared with: boosted trees, of the whole jet's numbers and of what it sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.weighting import Weights, event_weights, quantile, some

__all__ = ("BoostedCones", "PlainCones")

Array = NDArray[np.float64]

_PT, _ETA = (30.0, 45.0, 70.0, 120.0), (0.8, 1.5)
_LEAST, _ROUNDS = 20, 120


class BoostedCones:
    """Boosted trees: log-probabilities of the classes, and each quantile of the correction, (jets, outputs).

    Classes count alike. Trees of the quantiles are of the whole jet's numbers.
    """

    def __init__(self, train: Part, quantiles: tuple[float, ...], seed: int, block: str) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        seen = "the jet's numbers" if block == "features" else "its candidates, 16 x 18"
        self.name, self._block = f"boosted trees of {seen} (scikit-learn)", block
        assert train.targets is not None
        weights, self._classes = event_weights(train), len(train.class_names)
        self._tagger = HistGradientBoostingClassifier(
            max_iter=_ROUNDS, learning_rate=0.1, early_stopping=True, validation_fraction=0.1, random_state=seed,
            class_weight="balanced",
        ).fit(self._seen(train), train.y, sample_weight=weights)  # fmt: skip
        self._levels = [
            HistGradientBoostingRegressor(loss="quantile", quantile=level, max_iter=_ROUNDS, random_state=seed).fit(
                train.features, train.targets[:, 0], sample_weight=weights
            )
            for level in quantiles
        ]

    def _seen(self, part: Part) -> NDArray[np.float32]:
        return part.block(self._block).reshape(len(part), -1)

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets."""
        chance = np.zeros((len(part), self._classes))
        chance[:, self._tagger.classes_] = self._tagger.predict_proba(self._seen(part))
        return np.column_stack(
            [np.log(np.clip(chance, 1e-12, None)), *(model.predict(part.features) for model in self._levels)]
        )


class PlainCones:
    """A menu without a network: pT by the median in bins of it and of |eta|, and classes by the share that each has in
    bins of the jet's electrons, muons, number of candidates and second largest distance of a track."""

    name = "bins (pT, |eta|; leptons, number, dxy)"

    def __init__(self, train: Part, quantiles: tuple[float, ...]) -> None:
        assert train.targets is not None
        weights, target = event_weights(train), train.targets[:, 0].astype(np.float64)
        self._levels = np.empty((len(_PT) + 1, len(_ETA) + 1, len(quantiles)))
        rows, columns = _energy_bins(train)
        for i, j in np.ndindex(self._levels.shape[:2]):
            inside = (rows == i) & (columns == j)
            used = inside if inside.sum() >= _LEAST else np.ones(len(train), dtype=bool)
            self._levels[i, j] = quantile(target[used], np.array(quantiles), some(weights, used))
        self._shares = _shares(train, weights)

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets."""
        return np.column_stack([self._shares[_class_bins(part)], self._levels[_energy_bins(part)]])


def _energy_bins(part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.digitize(part.features[:, 0], _PT), np.digitize(part.features[:, 1], _ETA)


def _class_bins(part: Part) -> NDArray[np.int64]:
    x = part.features
    cuts = (np.digitize(x[:, 9], (0.05, 0.5)), np.digitize(x[:, 10], (0.05, 0.5)), np.digitize(x[:, 2], (4, 8, 12)))
    found = np.zeros(len(part), dtype=np.int64)
    for places, bins in zip((*cuts, np.digitize(x[:, 13], (0.02, 0.05))), (3, 3, 4, 3), strict=True):
        found = found * bins + places
    return found


def _shares(train: Part, weights: Weights) -> Array:
    """Logarithm of each class's share of a bin, all classes counting alike."""
    bins, classes = 3 * 3 * 4 * 3, len(train.class_names)
    held = np.ones((bins, classes)) / classes
    each = np.ones(len(train)) if weights is None else weights
    np.add.at(held, (_class_bins(train), train.y), each / np.bincount(train.y, each, classes)[train.y] * len(train))
    return np.asarray(np.log(held / held.sum(axis=1, keepdims=True)))
