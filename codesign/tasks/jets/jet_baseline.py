"""What a jet's correction is compared with: the factorised one, boosted trees, and jets as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.jets.factorised import Factorised
from codesign.tasks.jets.jet_heads import QUANTILES
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.jet_sample import FLAVOURS
from codesign.tasks.jets.weights import learning_weights
from codesign.tasks.weighting import event_weights, quantile, some

__all__ = ("FactorisedBaseline", "TreesBaseline", "UncorrectedBaseline")

Array = NDArray[np.float64]

_PT = (25.0, 35.0, 50.0, 70.0, 100.0, 150.0, 250.0)
_ETA = (1.3, 2.5, 3.0)
_LEAST = 30
#: boosted trees of the energy
_TREES = 80


class _Around:
    """Quantiles of what a correction leaves, in bins of corrected pT and \\|eta\\|."""

    def __init__(self, train: Part, correction: Array, pt: Array, eta: Array) -> None:
        assert train.targets is not None
        weights = event_weights(train)
        left = np.asarray(train.targets[:, 0] - correction, dtype=np.float64)
        overall = quantile(left, np.array(QUANTILES), weights)
        self._quantiles = np.broadcast_to(overall, (len(_ETA) + 1, len(_PT) + 1, 2)).copy()
        row, column = _bins(pt * np.exp(correction), eta)
        for i in range(len(_ETA) + 1):
            for j in range(len(_PT) + 1):
                inside = (row == i) & (column == j)
                if inside.sum() >= _LEAST:
                    self._quantiles[i, j] = quantile(left[inside], np.array(QUANTILES), some(weights, inside))

    def __call__(self, correction: Array, pt: Array, eta: Array) -> Array:
        """Correction and quantiles, (jets, 3)."""
        around = self._quantiles[_bins(pt * np.exp(correction), eta)]
        return np.column_stack([correction, correction + around[:, 0], correction + around[:, 1]])


class FactorisedBaseline:
    """Scores as the network's: log-probabilities of a boosted tree where flavours are tagged; the logarithm of the
    factorised correction; and that plus the quantiles of what it leaves, in bins of corrected pT and \\|eta\\|."""

    name = "factorised correction (L1 offset, L2 relative, L3 absolute)"

    def __init__(self, train: Part, seed: int, tagged: bool) -> None:
        assert train.targets is not None
        reference = train.truth["reference_pt"]
        pt, eta, rho, area = kinematics(train.features)
        weights = event_weights(train)
        self.fitted = Factorised.fit(pt, eta, rho, area, reference, weights)
        correction = np.log(self.fitted(pt, eta, rho, area))
        self._around = _Around(train, correction, pt, eta)
        self._tagger = None
        if tagged:
            from sklearn.ensemble import HistGradientBoostingClassifier

            self._tagger = HistGradientBoostingClassifier(
                max_iter=150, learning_rate=0.1, early_stopping=True, validation_fraction=0.1, random_state=seed
            )
            by_flavour = learning_weights(reference, train.y, weights)[1]
            each = by_flavour if weights is None else weights * by_flavour
            self._tagger.fit(train.features, train.y, sample_weight=each)

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets, (jets, outputs)."""
        pt, eta, rho, area = kinematics(part.features)
        correction = np.log(self.fitted(pt, eta, rho, area))
        return self.tagged(part, self._around(correction, pt, eta))

    def tagged(self, part: Part, energy: Array) -> Array:
        """Scores of an energy (jets, 3) with the tagger's before it, where flavours are tagged."""
        if self._tagger is None:
            return energy
        chance = np.zeros((len(part), len(FLAVOURS)))  # a flavour that was not in training keeps none
        chance[:, self._tagger.classes_] = self._tagger.predict_proba(part.features)
        return np.column_stack([np.log(np.clip(chance, 1e-12, None)), energy])


class TreesBaseline:
    """Boosted trees for the correction, of the same inputs; flavours are the factorised one's."""

    name = "boosted trees (scikit-learn HistGradientBoostingRegressor)"

    def __init__(self, train: Part, seed: int, factorised: FactorisedBaseline) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        assert train.targets is not None
        self._factorised, weights = factorised, event_weights(train)
        flat = learning_weights(train.truth["reference_pt"], train.y, weights)[0]
        self._model = HistGradientBoostingRegressor(max_iter=_TREES, random_state=seed)
        self._model.fit(train.features, train.targets[:, 0], sample_weight=flat if weights is None else flat * weights)
        pt, eta, _, _ = kinematics(train.features)
        self._around = _Around(train, self._model.predict(train.features), pt, eta)

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets, (jets, outputs)."""
        pt, eta, _, _ = kinematics(part.features)
        return self._factorised.tagged(part, self._around(self._model.predict(part.features), pt, eta))


class UncorrectedBaseline:
    """Jets as they are: no correction, and the quantiles of what one would have to be."""

    name = "uncorrected jets"

    def __init__(self, train: Part, factorised: FactorisedBaseline) -> None:
        assert train.targets is not None
        self._factorised = factorised
        pt, eta, _, _ = kinematics(train.features)
        self._around = _Around(train, np.zeros(len(train)), pt, eta)

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets, (jets, outputs)."""
        pt, eta, _, _ = kinematics(part.features)
        return self._factorised.tagged(part, self._around(np.zeros(len(part)), pt, eta))


def _bins(pt: Array, eta: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.digitize(eta, _ETA), np.digitize(pt, _PT)
