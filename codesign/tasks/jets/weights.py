"""Weights of jets in learning: no pT and no flavour counts for more because the generator made more of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.tasks.weighting import Weights, mean

__all__ = ("learning_weights",)

_BINS_PER_OCTAVE = 3
#: a bin with few jets must not shake the training: largest weight over the mean
_MOST = 5.0


def learning_weights(
    pt: NDArray[np.float64], flavour: NDArray[np.int64], events: Weights = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two weights per jet, (jets,), of mean 1: flat in log pT; and flat in log pT for every flavour by itself.

    They come on top of the weights of the jets' ``events``, with which they are flat.
    """
    place = np.floor(_BINS_PER_OCTAVE * np.log2(pt)).astype(np.int64)
    each = place * (flavour.max() + 1 if len(flavour) else 1) + flavour
    return _flat(place, events), _flat(each, events)


def _flat(place: NDArray[np.int64], events: Weights) -> NDArray[np.float64]:
    _, where, counts = np.unique(place, return_inverse=True, return_counts=True)
    held = counts if events is None else np.bincount(where, events)
    weights = 1.0 / np.where(held == 0, 1, held)[where]
    weights /= mean(weights, events)
    weights = np.minimum(weights, _MOST)
    return np.asarray(weights / mean(weights, events))
