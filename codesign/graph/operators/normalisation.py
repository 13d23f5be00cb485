"""Batch normalisation as it is at inference: a factor and an offset for each channel, of real numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from codesign.graph.nodes import CHANNELS_LAST, Call, operator
from codesign.graph.reals import as_reals, root

__all__ = ()


@operator("BatchNormalization")
def _channels_first(call: Call[Any]) -> Any:
    return _normalise(call, 1)


@operator("BatchNormalization", domain=CHANNELS_LAST)
def _channels_last(call: Call[Any]) -> Any:
    return _normalise(call, len(call.value(0).shape) - 1)


def _normalise(call: Call[Any], channel: int) -> Any:
    """``(x - mean) * gamma / sqrt(variance + epsilon) + beta``."""
    x = call.signal()
    if call.attribute("training_mode", 0) or len([o for o in call.node.outputs if o]) > 1:
        raise call.refuse("BatchNormalization in training mode; export the model for inference (model.eval())")
    if not call.attribute("spatial", 1):
        raise call.refuse("BatchNormalization with spatial=0 has no exact hardware here; export with opset 9 or newer")
    names = ("gamma", "beta", "the mean", "the variance")
    gamma, beta, mean, variance = (call.constant(i + 1, name) for i, name in enumerate(names))
    if any(v.shape != (x.shape[channel],) for v in (gamma, beta, mean, variance)):
        raise call.refuse(f"BatchNormalization of {x.shape[channel]} channels with {gamma.shape} parameters")
    if (variance < 0).any():
        raise call.refuse(f"a variance of {variance.min():g}; it must not be negative")
    epsilon = Fraction(float(np.float32(call.attribute("epsilon", 1e-5))))
    if ((variance == 0) & (epsilon == 0)).any():
        raise call.refuse("a variance of 0 with epsilon 0 divides by zero")
    factor = np.empty(gamma.shape, dtype=object)
    for place, (g, v) in enumerate(zip(as_reals(gamma), as_reals(variance), strict=True)):
        factor[place] = root(1 / (v + epsilon), g)
    shape = [-1 if axis == channel else 1 for axis in range(len(x.shape))]
    zero, one = np.array(Fraction(0)), np.array(Fraction(1))
    centred = call.domain.scale(x, one, -as_reals(mean).reshape(shape))
    return call.domain.scale(
        call.domain.scale(centred, factor.reshape(shape), zero), one, as_reals(beta).reshape(shape)
    )
