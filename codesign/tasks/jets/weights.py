"""Weights of jets in learning: no pT and no flavour counts for more because the generator made more of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ("learning_weights",)

_BINS_PER_OCTAVE = 3
#: a bin with few jets must not shake the training: largest weight over the mean
_MOST = 5.0


def learning_weights(
    pt: NDArray[np.float64], flavour: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two weights per jet, (jets,), of mean 1: flat in log pT; and flat in log pT for every flavour by itself."""
    place = np.floor(_BINS_PER_OCTAVE * np.log2(pt)).astype(np.int64)
    return _flat(place), _flat(place * (flavour.max() + 1 if len(flavour) else 1) + flavour)


def _flat(place: NDArray[np.int64]) -> NDArray[np.float64]:
    _, where, counts = np.unique(place, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[where]
    weights /= weights.mean()
    weights = np.minimum(weights, _MOST)
    return np.asarray(weights / weights.mean())
