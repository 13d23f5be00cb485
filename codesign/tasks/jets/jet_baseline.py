"""The classical baseline of the task ``jet-energy``: factorised correction, binned resolution, boosted trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.jets.factorised import Factorised
from codesign.tasks.jets.jet_heads import QUANTILES
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.jet_sample import FLAVOURS
from codesign.tasks.jets.weights import learning_weights

__all__ = ("FactorisedBaseline",)

Array = NDArray[np.float64]

_PT = (25.0, 35.0, 50.0, 70.0, 100.0, 150.0, 250.0)
_ETA = (1.3, 2.5, 3.0)
_LEAST = 30


class FactorisedBaseline:
    """Scores as the network's: log-probabilities of a boosted tree where flavours are tagged; the logarithm of the
    factorised correction; and that plus the quantiles of what it leaves, in bins of corrected pT and \\|eta\\|."""

    name = "factorised correction (L1 offset, L2 relative, L3 absolute)"

    def __init__(self, train: Part, seed: int, tagged: bool) -> None:
        assert train.targets is not None
        reference = train.truth["reference_pt"]
        pt, eta, rho, area = kinematics(train.features)
        self.fitted = Factorised.fit(pt, eta, rho, area, reference)
        correction = np.log(self.fitted(pt, eta, rho, area))
        left = train.targets[:, 0] - correction
        overall = np.quantile(left, QUANTILES)
        self._quantiles = np.broadcast_to(overall, (len(_ETA) + 1, len(_PT) + 1, 2)).copy()
        row, column = _bins(pt * np.exp(correction), eta)
        for i in range(len(_ETA) + 1):
            for j in range(len(_PT) + 1):
                inside = (row == i) & (column == j)
                if inside.sum() >= _LEAST:
                    self._quantiles[i, j] = np.quantile(left[inside], QUANTILES)
        self._tagger = None
        if tagged:
            from sklearn.ensemble import HistGradientBoostingClassifier

            self._tagger = HistGradientBoostingClassifier(
                max_iter=150, learning_rate=0.1, early_stopping=True, validation_fraction=0.1, random_state=seed
            ).fit(train.features, train.y, sample_weight=learning_weights(reference, train.y)[1])

    def __call__(self, part: Part) -> Array:
        """Scores of a part's jets, (jets, outputs)."""
        pt, eta, rho, area = kinematics(part.features)
        correction = np.log(self.fitted(pt, eta, rho, area))
        around = self._quantiles[_bins(pt * np.exp(correction), eta)]
        energy = np.column_stack([correction, correction + around[:, 0], correction + around[:, 1]])
        if self._tagger is None:
            return energy
        chance = np.zeros((len(part), len(FLAVOURS)))  # a flavour that was not in training keeps none
        chance[:, self._tagger.classes_] = self._tagger.predict_proba(part.features)
        return np.column_stack([np.log(np.clip(chance, 1e-12, None)), energy])


def _bins(pt: Array, eta: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.digitize(eta, _ETA), np.digitize(pt, _PT)
