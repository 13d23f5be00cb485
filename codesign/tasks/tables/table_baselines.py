"""Classical methods beside every network on a table: boosted trees, a linear model, and the best single cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.weighting import event_weights, moments

__all__ = ("BestCut", "BoostedNumber", "LinearClasses", "LinearNumber")

Scores = NDArray[np.float64]


class LinearClasses:
    """Logistic regression on standardised features."""

    name = "logistic regression"

    def __init__(self, train: Part, seed: int) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        self._scale = StandardScaler().fit(train.features, sample_weight=train.weights)
        self._model = LogisticRegression(max_iter=500, random_state=seed)
        self._model.fit(self._scale.transform(train.features), train.y, sample_weight=train.weights)

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's rows, (rows, outputs)."""
        return np.asarray(np.log(np.clip(self._model.predict_proba(self._scale.transform(part.features)), 1e-12, None)))


class BestCut:
    """For each class, the one feature and direction that tells it apart best: by the area under its ROC curve."""

    name = "best single feature of each class"

    def __init__(self, train: Part, classes: Sequence[str]) -> None:
        from sklearn.metrics import roc_auc_score

        self._chosen: list[tuple[int, float]] = []
        for place in range(len(classes)):
            areas = [
                roc_auc_score(train.y == place, column, sample_weight=train.weights) for column in train.features.T
            ]
            best = int(np.argmax(np.abs(np.array(areas) - 0.5)))
            self._chosen.append((best, 1.0 if areas[best] >= 0.5 else -1.0))
        self._middle, self._spread = moments(train.features.astype(np.float64), event_weights(train))

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's rows, (rows, outputs)."""
        standard = (part.features - self._middle) / np.maximum(self._spread, 1e-12)
        return np.stack([sign * standard[:, feature] for feature, sign in self._chosen], axis=1)


class BoostedNumber:
    """Boosted trees for a number; the same for each output, (events, outputs)."""

    name = "boosted decision trees (scikit-learn HistGradientBoostingRegressor)"

    def __init__(self, train: Part, seed: int, quantiles: Sequence[float] = ()) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        assert train.targets is not None
        self._models = [
            HistGradientBoostingRegressor(
                loss="squared_error" if quantile is None else "quantile", quantile=quantile, max_iter=150,
                early_stopping=True, validation_fraction=0.1, random_state=seed,
            ).fit(train.features, train.targets[:, 0], sample_weight=train.weights)
            for quantile in (None, *quantiles)
        ]  # fmt: skip

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's rows, (rows, outputs)."""
        return np.stack([model.predict(part.features) for model in self._models], axis=1)


class LinearNumber:
    """Linear regression; quantiles are those of its residuals in training."""

    name = "linear regression"

    def __init__(self, train: Part, quantiles: Sequence[float] = ()) -> None:
        from sklearn.linear_model import LinearRegression

        assert train.targets is not None
        self._model = LinearRegression().fit(train.features, train.targets[:, 0], sample_weight=train.weights)
        residuals = train.targets[:, 0] - self._model.predict(train.features)
        self._shifts = np.array([0.0, *(np.quantile(residuals, q) for q in quantiles)])

    def __call__(self, part: Part) -> Scores:
        """Scores of a part's rows, (rows, outputs)."""
        return np.asarray(self._model.predict(part.features)[:, None] + self._shifts)
