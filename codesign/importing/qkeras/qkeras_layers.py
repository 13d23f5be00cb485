"""Readers of QKeras' layers, and of Keras 2 where it is not as Keras 3."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import Array, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, numbers
from codesign.importing.keras.window_layers import GlobalPooling, Pooling, convolve
from codesign.importing.qkeras.qkeras_quantisers import QuantisedWeights, activate, quantised_weights

__all__ = ("READERS",)


class QKerasReader(LayerReader):
    """Of QKeras' networks alone."""

    libraries = ("qkeras",)


def _weights(layer: Any, name: str) -> QuantisedWeights:
    """A weight of a layer, through its quantiser where it has one."""
    return quantised_weights(getattr(layer, name), _quantiser(layer, name.removesuffix("_kernel")))


def _quantiser(layer: Any, name: str) -> Any:
    return getattr(layer, f"{name}_quantizer_internal", None)


def _bias(layer: Any) -> Array | None:
    if not layer.use_bias:
        return None
    found = _weights(layer, "bias")
    return found.values if found.factor is None else found.values * found.factor


class QKerasDense(QKerasReader):
    """QDense and Dense."""

    handles = ("QDense", "Dense")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Over the last axis."""
        layer, x, graph = call.layer, call.x, call.graph
        kernel = _weights(layer, "kernel")
        lead = ascii_letters[: len(x.shape)]
        out = graph.einsum(f"{lead}Y,YZ->{lead}Z", x, kernel.values)
        if kernel.factor is not None:
            out = graph.multiply(out, kernel.factor)
        bias = _bias(layer)
        if bias is not None and bias.any():
            out = graph.add(out, bias)
        return activate(graph, out, layer.activation)


class QKerasConvolution(QKerasReader):
    """QConv1D, QConv2D and Keras' own."""

    handles = ("QConv1D", "QConv2D", "Conv1D", "Conv2D")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Kernels (..., channels / groups, filters)."""
        layer = call.layer
        kernel = _weights(layer, "kernel")
        out = convolve(call, call.x, kernel.values, int(layer.groups), kernel.factor, _bias(layer))
        return activate(call.graph, out, layer.activation)


class QKerasDepthwise(QKerasReader):
    """QDepthwiseConv2D and Keras' own: each channel by itself."""

    handles = ("QDepthwiseConv2D", "DepthwiseConv2D", "DepthwiseConv1D")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Kernels (..., channels, multiplier)."""
        layer = call.layer
        out = convolve(call, call.x, *_channelwise(layer), bias=_bias(layer))
        return activate(call.graph, out, layer.activation)


def _channelwise(layer: Any) -> tuple[Array, int, Array | None]:
    """A kernel of each channel by itself as one with groups, how many there are, and the factors behind it."""
    kernel = _weights(layer, "depthwise_kernel")
    *window, channels, times = kernel.values.shape
    factor = None if kernel.factor is None else np.tile(kernel.factor, channels)
    return kernel.values.reshape(*window, 1, channels * times), channels, factor


class QKerasSeparable(QKerasReader):
    """QSeparableConv1D, QSeparableConv2D and Keras' own: channel by channel, then of one position."""

    handles = ("QSeparableConv1D", "QSeparableConv2D", "SeparableConv1D", "SeparableConv2D")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Two convolutions, with nothing between them."""
        layer = call.layer
        out = convolve(call, call.x, *_channelwise(layer))
        point = _weights(layer, "pointwise_kernel")
        out = convolve(call, out, point.values, 1, point.factor, _bias(layer), point=True)
        return activate(call.graph, out, layer.activation)


class QKerasFolded(QKerasReader):
    """QConv2DBatchnorm and QDepthwiseConv2DBatchnorm: a normalisation that was folded into the weights."""

    handles = ("QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm")

    def read(self, call: LayerCall) -> WrittenSignal:
        """With the weights as QKeras folds and quantises them, of the moving mean and variance."""
        layer = call.layer
        folded, shifted = layer.get_folded_weights()
        bias = quantised_weights(shifted, layer.bias_quantizer_internal).values
        if type(layer).__name__.startswith("QDepthwise"):
            kernel = quantised_weights(folded, layer.depthwise_quantizer_internal)
            *window, channels, times = kernel.values.shape
            factor = None if kernel.factor is None else np.tile(kernel.factor, channels)
            values = kernel.values.reshape(*window, 1, channels * times)
            out = convolve(call, call.x, values, channels, factor, bias)
        else:
            kernel = quantised_weights(folded, layer.kernel_quantizer_internal)
            out = convolve(call, call.x, kernel.values, int(layer.groups), kernel.factor, bias)
        return activate(call.graph, out, layer.activation)


class QKerasActivation(QKerasReader):
    """QActivation, Activation, Softmax and LeakyReLU."""

    handles = ("QActivation", "Activation", "Softmax", "LeakyReLU")

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError for what has no exact hardware, or depends on the events around."""
        layer, graph, x = call.layer, call.graph, call.x
        match type(layer).__name__:
            case "QActivation":
                return activate(graph, x, layer.quantizer)
            case "Activation":
                return activate(graph, x, layer.activation)
            case "LeakyReLU":
                return graph.node("LeakyRelu", [x], x.shape, alpha=float(layer.alpha))
        axis = int(layer.axis) if not isinstance(layer.axis, list | tuple) else -len(x.shape) - 1
        if axis not in (-1, len(x.shape)):
            raise UnsupportedError("a Softmax along another axis than the last")
        return graph.node("Softmax", [x], x.shape, axis=-1)


class QKerasNormalization(QKerasReader):
    """BatchNormalization and QBatchNormalization, with the moving mean and variance."""

    handles = ("BatchNormalization", "QBatchNormalization")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Exact with a quantiser behind it, which then compares with exact thresholds."""
        layer, graph, x = call.layer, call.graph, call.x
        axes = [int(a) for a in (layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis])]
        if len(axes) != 1:
            raise UnsupportedError(f"a normalisation over axes {axes}; one is read")
        axis = axes[0] % (len(x.shape) + 1) - 1
        size = x.shape[axis]
        given = (
            (layer.gamma, "gamma", 1.0),
            (layer.beta, "beta", 0.0),
            (layer.moving_mean, "mean", 0.0),
            (layer.moving_variance, "variance", 1.0),
        )
        parameters = [
            np.full(size, plain)
            if variable is None
            else quantised_weights(variable, _quantiser(layer, name)).values.reshape(size)
            for variable, name, plain in given
        ]
        order = [axis, *(a for a in range(len(x.shape)) if a != axis)]
        first = graph.transpose(x, order)
        constants = [graph.constant(p) for p in parameters]
        out = graph.node("BatchNormalization", [first, *constants], first.shape, epsilon=float(layer.epsilon))
        return graph.transpose(out, [order.index(a) for a in range(len(order))])


class AnyMean(Pooling):
    """Means of windows of any size: the quantiser behind makes them exact."""

    handles = ("AveragePooling1D", "AveragePooling2D", "QAveragePooling2D")
    libraries = ("qkeras",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """With QKeras' quantised factor where it has one."""
        return _scaled_mean(call, super().read(call), int(np.prod(call.layer.pool_size)))

    def check_mean(self, number: int) -> None:
        """Of any number."""


class AnyGlobalMean(GlobalPooling):
    """Means of all positions, of any number of them."""

    handles = ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "QGlobalAveragePooling2D")
    libraries = ("qkeras",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """With QKeras' quantised factor where it has one."""
        out = super().read(call)
        return _scaled_mean(call, out, call.x.size // out.size)

    def mean(self, call: LayerCall, x: WrittenSignal, axes: list[int]) -> WrittenSignal:
        """As one operator, whose factor is a fraction."""
        keep = bool(call.layer.keepdims)
        shape = tuple(1 if a + 1 in axes else n for a, n in enumerate(x.shape) if keep or a + 1 not in axes)
        return call.graph.node("ReduceMean", [x], shape, axes=axes, keepdims=int(keep))


def _scaled_mean(call: LayerCall, mean: WrittenSignal, number: int) -> WrittenSignal:
    """A mean of ``number``, taken back to the sum and times a quantised 1 / number, where a layer has that."""
    layer, graph = call.layer, call.graph
    quantiser = _quantiser(layer, "average")
    if quantiser is not None:
        factor = numbers(quantiser(np.float32(1.0 / number)))
        mean = graph.multiply(graph.multiply(mean, np.array(float(number))), factor.reshape(()))
    return activate(graph, mean, getattr(layer, "activation", None))


class Pruned(QKerasReader):
    """PruneLowMagnitude: the layer inside it, whose weights the mask has set to 0."""

    handles = ("PruneLowMagnitude",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError where a weight under the mask is not 0: it is, as soon as the layer has run once."""
        for weight, mask, _ in call.layer.pruning_vars:
            if (numbers(weight) * (1 - numbers(mask)) != 0).any():
                raise UnsupportedError(
                    "weights under its mask that are not 0; save the network after tfmot.sparsity.keras.strip_pruning"
                )
        return call.of(call.layer.layer, *call.inputs)


READERS: tuple[type[LayerReader], ...] = (
    QKerasDense, QKerasConvolution, QKerasDepthwise, QKerasSeparable, QKerasFolded, QKerasActivation,
    QKerasNormalization, AnyMean, AnyGlobalMean, Pruned,
)  # fmt: skip
