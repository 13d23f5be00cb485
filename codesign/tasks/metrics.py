"""Classification metrics with their statistical uncertainties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric
from codesign.tasks import weighting
from codesign.tasks.weighting import Weights

__all__ = ("accuracy", "auc_influence", "auc_with_error", "probabilities", "rejection", "rejections", "roc")

Array = NDArray[np.float64]


def probabilities(scores: Array) -> Array:
    """Softmax over the last axis of (events, classes)."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def accuracy(scores: Array, labels: NDArray[np.int64], weights: Weights = None) -> Metric:
    """Share of events whose largest score is the true class's; binomial error. Ties go to the first class."""
    value = weighting.mean(scores.argmax(axis=1) == labels, weights)
    number = weighting.effective(weights, len(labels))
    return Metric(value=value, error=float(np.sqrt(max(value * (1 - value), 0.0) / number)))


def auc_influence(score: Array, signal: NDArray[np.bool_], weights: Weights = None) -> tuple[float, Array]:
    """Area under the ROC curve and each event's influence on it, (events,).

    The influences sum to 0 and the sum of their squares is DeLong's variance (Biometrics 44 (1988) 837), computed from
    midranks (Sun and Xu, IEEE Signal Process. Lett. 21 (2014) 1389); ties count one half.
    """
    n_signal, n_background = int(signal.sum()), int((~signal).sum())
    if not n_signal or not n_background:
        raise ValueError("an AUC needs events of both classes")
    if weights is not None:
        return _weighted_influence(score, signal, weights)
    from scipy.stats import rankdata

    ranks = rankdata(score)
    influence = np.empty(len(score))
    above = (ranks[signal] - rankdata(score[signal])) / n_background  # share of background below each signal event
    below = 1 - (ranks[~signal] - rankdata(score[~signal])) / n_signal  # share of signal above each background event
    auc = float(above.mean())
    influence[signal] = (above - auc) / n_signal
    influence[~signal] = (below - auc) / n_background
    return auc, influence


def _weighted_influence(score: Array, signal: NDArray[np.bool_], weights: Array) -> tuple[float, Array]:
    """The same of weighted events, from shares of the other class's weight instead of ranks."""
    influence = np.empty(len(score))
    w_signal, w_background = weights[signal], weights[~signal]
    above = _share_below(score[signal], score[~signal], w_background)
    below = 1 - _share_below(score[~signal], score[signal], w_signal)
    auc = weighting.mean(above, w_signal)
    influence[signal] = w_signal * (above - auc) / w_signal.sum()
    influence[~signal] = w_background * (below - auc) / w_background.sum()
    return auc, influence


def _share_below(score: Array, others: Array, weights: Array) -> Array:
    """Share of the others' weight that lies below each score; ties count one half."""
    order = np.argsort(others, kind="stable")
    filled = np.append(0.0, np.cumsum(weights[order]))
    low, high = (filled[np.searchsorted(others[order], score, side=side)] for side in ("left", "right"))
    return np.asarray((low + high) / 2 / filled[-1])


def auc_with_error(
    scores: Array, labels: NDArray[np.int64], names: tuple[str, ...], weights: Weights = None
) -> dict[str, Metric]:
    """``auc_<class>`` of each class against the rest, and ``auc_mean``; errors include that all share the events."""
    found: dict[str, Metric] = {}
    values, influences = [], []
    for index, name in enumerate(names):
        value, influence = auc_influence(scores[:, index], labels == index, weights)
        values.append(value)
        influences.append(influence)
        found[f"auc_{name}"] = Metric(value=value, error=float(np.sqrt((influence**2).sum())))
    mean = np.mean(influences, axis=0)
    found["auc_mean"] = Metric(value=float(np.mean(values)), error=float(np.sqrt((mean**2).sum())))
    return found


def roc(score: Array, signal: NDArray[np.bool_], weights: Weights = None) -> tuple[Array, Array]:
    """Background and signal efficiency at every threshold, rising from (0, 0) to (1, 1): scikit-learn's."""
    from sklearn.metrics import roc_curve

    background, efficiency, _ = roc_curve(signal, score, sample_weight=weights, drop_intermediate=False)
    return np.asarray(background), np.asarray(efficiency)


def rejection(score: Array, signal: NDArray[np.bool_], efficiency: float, weights: Weights = None) -> Metric | None:
    """Background rejection at one signal efficiency, as of :func:`rejections`."""
    return rejections(score, signal, (efficiency,), weights)[0]


def rejections(
    score: Array, signal: NDArray[np.bool_], efficiencies: Sequence[float], weights: Weights = None
) -> list[Metric | None]:
    """Background rejection 1 / (background efficiency) at each signal efficiency; None where no background passes.

    The ROC curve is interpolated within ties. The error adds, in quadrature, the binomial error of the background
    efficiency and that of the threshold, which is set on the same finite signal sample (binomial error of the signal
    efficiency times the slope of the curve).
    """
    curve = roc(score, signal, weights)
    counts = tuple(weighting.effective(weighting.some(weights, some), int(some.sum())) for some in (signal, ~signal))
    return [_rejection(curve, counts, efficiency) for efficiency in efficiencies]


def _rejection(curve: tuple[Array, Array], counts: tuple[float, ...], efficiency: float) -> Metric | None:
    (background_curve, signal_curve), (n_signal, n_background) = curve, counts
    background = float(np.interp(efficiency, signal_curve, background_curve))
    if background * n_background < 1:
        return None
    spread = float(np.sqrt(efficiency * (1 - efficiency) / n_signal))
    ends = np.interp([efficiency - spread, efficiency + spread], signal_curve, background_curve)
    threshold_error = float(ends[1] - ends[0]) / 2
    counting_error = float(np.sqrt(background * (1 - background) / n_background))
    return Metric(value=1 / background, error=float(np.hypot(counting_error, threshold_error)) / background**2)
