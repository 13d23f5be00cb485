"""QKeras' quantisers, read as they were built: of a signal as nodes, of weights as the numbers that they give.

QKeras adds what it has rounded off to what it was given (its way to let gradients through), in float32. Where that sum
falls beside the step of the quantiser by float32's rounding, the step is taken, and QKeras' own float32 is what rounds
another way: such rows are counted, and a float64 evaluation explains each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.nodes import QONNX
from codesign.importing.keras.graph_writer import Array, GraphWriter, WrittenSignal
from codesign.importing.keras.layer_reader import numbers

__all__ = ("QuantisedWeights", "activate", "quantised_weights")

_READ = (
    "quantized_bits, quantized_relu, quantized_tanh, quantized_sigmoid, binary, ternary, relu, linear, and softmax or "
    "sigmoid at the end"
)
#: of the largest number that enters: what float32 leaves of a difference that is added again
_NEAR = 2.0**-21


def activate(graph: GraphWriter, x: WrittenSignal, activation: Any) -> WrittenSignal:
    """An activation of a layer: a quantiser of QKeras, a function of Keras, or none.

    UnsupportedError for what depends on the events around, or has no exact hardware.
    """
    if activation is None:
        return x
    kind = type(activation).__name__
    if kind in _QUANTISERS:
        if float(np.asarray(getattr(activation, "qnoise_factor", 1.0))) != 1:
            raise UnsupportedError(f"{kind} that is not switched on whole (qnoise_factor); set it to 1")
        return _QUANTISERS[kind](graph, x, activation)
    name = str(getattr(activation, "__name__", kind))
    match name:
        case "linear":
            return x
        case "relu":
            return graph.relu(x)
        case "softmax":
            return graph.node("Softmax", [x], x.shape, axis=-1)
        case "sigmoid":
            return graph.node("Sigmoid", [x], x.shape)
        case "tanh":
            return graph.node("Tanh", [x], x.shape)
    raise UnsupportedError(f"activation '{name[:40]}'; read are {_READ}")


def _alpha(quantiser: Any) -> float | Array | None:
    """The factor behind a quantiser of a signal; None for 1."""
    alpha = quantiser.alpha
    if isinstance(alpha, str):
        raise UnsupportedError(
            f"{type(quantiser).__name__} with alpha='{alpha}' of a signal: its factor depends on the events that are "
            "seen together; use a number"
        )
    factor = np.asarray(1.0 if alpha is None else alpha, dtype=np.float32).astype(np.float64)
    return None if (factor == 1).all() else factor


def _times(graph: GraphWriter, x: WrittenSignal, quantiser: Any) -> WrittenSignal:
    factor = _alpha(quantiser)
    return x if factor is None else graph.multiply(x, np.asarray(factor))


def _integer(quantiser: Any) -> int:
    return int(np.asarray(quantiser.integer))


def _bits(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    _alpha(q)
    below = int(q.bits) - int(bool(q.keep_negative))  # bits without the sign
    if below <= 0:
        out = graph.node("BipolarQuant", [x, graph.constant(np.array(1.0))], x.shape, QONNX)
        return _times(graph, out, q)
    step = 2.0 ** (_integer(q) - below)
    signed = bool(q.keep_negative)
    return _times(graph, graph.quant(x, step, int(q.bits), signed, signed and bool(q.symmetric)), q)


def _relu(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    if q.use_sigmoid:
        raise UnsupportedError("quantized_relu with use_sigmoid; use quantized_sigmoid")
    slope = float(q.negative_slope)
    bits = int(q.bits) - int(slope != 0)
    step = 2.0 ** (_integer(q) - bits)
    out = graph.quant(x, step, bits, False)
    if slope:
        below = graph.quant(graph.multiply(x, np.array(slope)), step, int(q.bits), True)
        lowest = np.array(-slope * 2.0 ** _integer(q))
        out = graph.add(out, graph.minimum(graph.maximum(below, lowest), np.array(0.0)))
    if q.relu_upper_bound and not q.is_quantized_clip:
        out = graph.minimum(out, np.array(np.float32(q.relu_upper_bound), dtype=np.float64))
    return out


def _tanh(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    if q.use_real_tanh:
        x = graph.node("Tanh", [x], x.shape)
    return graph.quant(x, 2.0 ** (1 - int(q.bits)), int(q.bits), True, bool(q.symmetric))


def _sigmoid(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    if q.use_real_sigmoid:
        x = graph.node("Sigmoid", [x], x.shape)
    else:  # clip(x / 2 + 1/2, 0, 1), of which the quantiser does the rest
        x = graph.add(graph.multiply(x, np.array(0.5)), np.array(0.5))
    step = 2.0 ** -int(q.bits)
    out = graph.quant(x, step, int(q.bits), False)
    return graph.maximum(out, np.array(step)) if q.symmetric else out


def _binary(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    _alpha(q)
    out = graph.node("BipolarQuant", [x, graph.constant(np.array(1.0))], x.shape, QONNX)
    if q.use_01:
        out = graph.add(graph.multiply(out, np.array(0.5)), np.array(0.5))
    return _times(graph, out, q)


def _ternary(graph: GraphWriter, x: WrittenSignal, q: Any) -> WrittenSignal:
    _alpha(q)
    if isinstance(q.threshold, str):
        raise UnsupportedError("ternary with a threshold that depends on the events; use a number")
    given = q.default_threshold if q.threshold is None else q.threshold
    threshold = float(np.float32(given))
    if not threshold > 0:
        raise UnsupportedError(f"ternary with a threshold of {threshold:g}; above 0 it is read")
    up, down = (
        graph.node("Cast", [graph.node(op, [x, graph.constant(np.array(t))], x.shape)], x.shape, to=1)
        for op, t in (("GreaterOrEqual", threshold), ("LessOrEqual", -threshold))
    )
    return _times(graph, graph.subtract(up, down), q)


_QUANTISERS = {
    "quantized_bits": _bits,
    "quantized_relu": _relu,
    "quantized_tanh": _tanh,
    "quantized_sigmoid": _sigmoid,
    "binary": _binary,
    "ternary": _ternary,
}


@dataclass(frozen=True)
class QuantisedWeights:
    """Weights as numbers of few bits, times a factor for each output channel (the last axis); None for 1."""

    values: Array
    factor: Array | None = None


def quantised_weights(variable: Any, quantiser: Any) -> QuantisedWeights:
    """What a quantiser gives of a weight, a factor that is no power of two kept apart.

    UnsupportedError where it draws numbers, or gives none of its own.
    """
    if quantiser is None:
        return QuantisedWeights(numbers(variable))
    kind = type(quantiser).__name__
    found = numbers(quantiser(variable))
    if not np.array_equal(found, numbers(quantiser(variable))):
        raise UnsupportedError(f"weights quantised by {kind}, which draws numbers")
    given = np.abs(numbers(variable))
    if kind in ("quantized_po2", "quantized_relu_po2"):
        nearest = np.sign(found) * np.exp2(np.rint(np.log2(np.where(found == 0, 1.0, np.abs(found)))))
        return QuantisedWeights(_snapped(found, nearest, given, kind))
    step = _step(quantiser)
    if step is None:
        return QuantisedWeights(found)
    scale = np.asarray(numbers(quantiser.scale)) if quantiser.scale is not None else np.array(1.0)
    grid = np.broadcast_to(scale * step, found.shape)
    codes = np.rint(np.divide(found, grid, out=np.zeros_like(found), where=grid != 0))
    _snapped(found, codes * grid, given, kind)
    if (np.frexp(scale)[0] == 0.5).all() or not scale.any():
        return QuantisedWeights(codes * grid)
    if found.ndim == 1:  # a bias: each number by itself
        return QuantisedWeights((codes * grid).astype(np.float32).astype(np.float64))
    channels = np.broadcast_to(scale, found.shape).reshape(-1, found.shape[-1])
    if not (channels == channels[:1]).all():
        raise UnsupportedError(f"weights quantised by {kind} with factors along another axis than the last")
    return QuantisedWeights(codes * step, channels[0].copy())


def _step(quantiser: Any) -> float | None:
    """Of what codes a quantiser's numbers are multiples, before its scale; None where it is not known."""
    kind = type(quantiser).__name__
    if kind == "quantized_bits":
        below = int(quantiser.bits) - int(bool(quantiser.keep_negative))
        return float(2.0 ** (_integer(quantiser) - below)) if below > 0 else 1.0 if quantiser.keep_negative else 0.5
    return 1.0 if kind in ("binary", "ternary", "stochastic_binary", "stochastic_ternary") else None


def _snapped(found: Array, exact: Array, given: Array, kind: str) -> Array:
    """What a quantiser means where float32 leaves it a little beside."""
    if (np.abs(found - exact) > _NEAR * np.maximum(given, np.abs(exact))).any():
        raise UnsupportedError(f"weights quantised by {kind} that are none of its numbers")
    return exact
