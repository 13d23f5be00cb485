"""Brevitas quantisers of the one arithmetic: power-of-two scales, saturation, FLOOR rounding of activations.

Weights round to nearest (they are constants: their rounding costs no logic); activations floor, and half up is had
by half an LSB added to the bias in front of them.
"""

from __future__ import annotations

from math import ceil, log2

from brevitas.inject.enum import FloatToIntImplType, ScalingImplType
from brevitas.nn import QuantIdentity, QuantReLU
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerChannelFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor

__all__ = (
    "ActivationQuantiser",
    "InputQuantiser",
    "SignedActivationQuantiser",
    "WeightQuantiser",
    "activation_scale",
    "range_parameter",
    "set_activation_range",
)


class WeightQuantiser(Int8WeightPerChannelFixedPoint):
    """Signed symmetric weights, one power-of-two scale per output channel: ``2**ceil(log2 max|w|) / 2**(bits-1)``."""


class ActivationQuantiser(Uint8ActPerTensorFixedPoint):
    """Unsigned activations, one learned power-of-two range per tensor, FLOOR."""

    float_to_int_impl_type = FloatToIntImplType.FLOOR
    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 1.0


class SignedActivationQuantiser(Int8ActPerTensorFixedPoint):
    """Signed activations, one learned power-of-two range per tensor, FLOOR."""

    float_to_int_impl_type = FloatToIntImplType.FLOOR
    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 1.0


class InputQuantiser(Int8ActPerTensorFixedPoint):
    """Signed inputs of a fixed range; the identity on codes, and the firmware's input type in the exported graph."""

    float_to_int_impl_type = FloatToIntImplType.FLOOR
    scaling_impl_type = ScalingImplType.CONST


def range_parameter(activation: QuantReLU | QuantIdentity) -> Tensor:
    """The learned parameter of an activation's quantiser: log2 of the range, before it is rounded up."""
    return activation.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value  # type: ignore[no-any-return]


def activation_scale(activation: QuantReLU | QuantIdentity) -> Tensor:
    """Value of the activation's LSB, a scalar tensor that carries the gradient of the learned range."""
    return activation.act_quant.scale()  # type: ignore[no-any-return]


def set_activation_range(activation: QuantReLU, maximum: float) -> None:
    """Set the range to the smallest power of two not below ``maximum`` (> 0)."""
    # half a unit below the integer that CEIL gives: the learned range starts in the middle of its step
    range_parameter(activation).data.fill_(ceil(log2(maximum)) - 0.5)
