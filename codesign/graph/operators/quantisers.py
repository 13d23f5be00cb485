"""Quantisers: QONNX' own, ours with wrap and a type per element, ONNX' integers, and thresholds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from codesign.graph.domain import Array
from codesign.graph.nodes import CODESIGN, QONNX, Call, operator
from codesign.graph.operators.elementwise import whole_spec
from codesign.graph.quantiser import QUANT_MODES, Overflow, QuantSpec, RoundingMode, exponents
from codesign.graph.reals import as_reals
from codesign.graph.tables import MOST_ENTRIES, Table

__all__ = ("is_binary", "rescale")

_MOST_BITS = 32


def _parameters(call: Call[Any], *arrays: Array) -> None:
    """Refuse parameters that would stretch the signal, or stand for events."""
    x = call.value(0)
    for array in arrays:
        shape = np.shape(array)
        moved = not call.folding and (len(shape) > len(x.shape) or (len(shape) == len(x.shape) and shape[0] != 1))
        try:
            fits = np.broadcast_shapes(x.shape, shape) == tuple(x.shape)
        except ValueError:
            fits = False
        if moved or not (fits or call.folding):
            raise call.refuse(f"parameters of shape {shape} for a signal of shape {tuple(x.shape)}")


def _bits(call: Call[Any], index: int) -> Array:
    bits = call.constant(index, "the bit width")
    if (bits != np.floor(bits)).any() or (bits < 1).any() or (bits > _MOST_BITS).any():
        wrong = bits[(bits != np.floor(bits)) | (bits < 1) | (bits > _MOST_BITS)].ravel()[0]
        raise call.refuse(f"bit width {wrong:g} is not a whole number from 1 to {_MOST_BITS}")
    return bits


def is_binary(values: Array) -> bool:
    """Whether all are positive powers of two."""
    return bool((np.frexp(values)[0] == 0.5).all())


def _positive(call: Call[Any], scale: Array) -> None:
    if (scale <= 0).any():
        raise call.refuse(f"the scale {scale[scale <= 0].ravel()[0]:g} is not positive")


def rescale(call: Call[Any], x: Any, scale: Array, zero: Array, quantise: Callable[[Any], Any]) -> Any:
    """``(quantise(x / scale + zero) - zero) * scale``, of any positive scale: ``quantise`` gives whole numbers."""
    _positive(call, scale)
    factor, whole = as_reals(scale), as_reals(zero)
    found = quantise(call.domain.scale(x, 1 / factor, whole))
    return call.domain.scale(found, factor, -whole * factor)


@operator("Quant", "IntQuant", domain=QONNX)
@operator("Quant", "IntQuant")  # Brevitas leaves the domain out
def _quant(call: Call[Any]) -> Any:
    scale, zero = call.constant(1, "the scale"), call.constant(2, "the zero point")
    any_scale = call.domain.rational and not (is_binary(scale) and not zero.any())
    if zero.any() and not any_scale:
        raise call.refuse("a zero point other than 0 has no exact hardware here; quantise symmetrically")
    bits = _bits(call, 3)
    _parameters(call, scale, bits, zero)
    signed = bool(call.attribute("signed", 1))
    exponent = np.array(0) if any_scale else exponents(scale, call.node.name)
    if signed and (bits == 1).any():
        if not (bits == 1).all():
            raise call.refuse("mixes bipolar (1 bit) and wider channels in one Quant")
        return _signs(call, scale)  # QONNX reads a signed single bit as bipolar
    mode = RoundingMode.named(str(call.attribute("rounding_mode", "ROUND")))
    if mode not in QUANT_MODES:
        raise call.refuse(f"rounding mode '{mode}' is none of Quant's; codesign.FixedPoint has it")
    spec = QuantSpec(
        exponent=exponent,
        bits=bits.astype(np.int64),
        signed=signed,
        narrow=bool(call.attribute("narrow", 0)),
        mode=mode,
    )
    if any_scale:
        return rescale(call, call.signal(), scale, zero, lambda x: call.domain.quantise(x, spec))
    return call.domain.quantise(call.signal(), spec)


def _signs(call: Call[Any], scale: Array) -> Any:
    """``scale`` where x >= 0, else ``-scale``."""
    if not call.domain.rational or is_binary(scale):
        exponents(scale, call.node.name)
        return call.domain.sign(call.signal(), scale)
    _positive(call, scale)
    factor = as_reals(scale)
    return call.domain.scale(call.domain.sign(call.signal(), np.array(1.0)), factor, factor * 0)


@operator("BipolarQuant", domain=QONNX)
@operator("BipolarQuant")
def _bipolar(call: Call[Any]) -> Any:
    scale = call.constant(1, "the scale")
    _parameters(call, scale)
    return _signs(call, scale)


@operator("Trunc", domain=QONNX)
@operator("Trunc")  # Brevitas leaves the domain out
def _trunc(call: Call[Any]) -> Any:
    """Inputs x, scale, zero point, bits of x, [scale of the result,] bits of the result: fewer bits, from below.

    As qonnx.custom_op.general.trunc: of five inputs, the result keeps the scale; of six, it is clipped.
    """
    scale, zero, bits = (
        call.constant(i, w) for i, w in ((1, "the scale"), (2, "the zero point"), (3, "the bit width"))
    )
    mode = RoundingMode.named(str(call.attribute("rounding_mode", "FLOOR")))
    _parameters(call, scale, zero)
    if scale.size != 1 or zero.size != 1:
        raise call.refuse("Trunc of a scale for each element has no exact hardware here; use one scale")
    six = call.given(5)
    if six:
        out, left = call.constant(4, "the scale of the result"), _bits(call, 5)
        _positive(call, np.concatenate([scale.ravel(), out.ravel()]))
        shift = int(np.rint(np.log2(out.ravel()[0] / scale.ravel()[0])))
    else:
        out, left = scale, _bits(call, 4)
        shift = int(bits.ravel()[0] - left.ravel()[0])
    if not 0 <= shift < _MOST_BITS or left.size != 1:
        raise call.refuse(f"Trunc drops {shift} bits; from 0 to {_MOST_BITS - 1} can be dropped")
    size = 2.0**shift

    def cut(x: Any) -> Any:
        whole = call.domain.quantise(x, whole_spec(RoundingMode.ROUND))
        if six:
            kept = QuantSpec(
                np.array(shift), left.astype(np.int64), bool(call.attribute("signed", 1)),
                bool(call.attribute("narrow", 0)), mode,
            )  # fmt: skip
        else:
            kept = whole_spec(mode, shift)
        return call.domain.quantise(whole, kept)

    x = call.signal()
    if not zero.any() and is_binary(scale) and is_binary(out):
        found = cut(call.domain.multiply(x, 1.0 / scale))
        return call.domain.multiply(found, out / size)
    if not call.domain.rational:
        raise call.refuse(
            f"scale {float(scale.ravel()[0]):g} with zero point {float(zero.ravel()[0]):g} is no power of two"
        )
    first, second, point = as_reals(scale), as_reals(out), as_reals(zero)
    found = cut(call.domain.scale(x, 1 / first, point))
    offset = -point * second / (Fraction(size) if six else 1)
    return call.domain.scale(found, second / Fraction(size), offset)


@operator("FixedPoint", domain=CODESIGN)
def _fixed_point(call: Call[Any]) -> Any:
    """Inputs x, k (1: signed), i (integer bits without the sign), f (fraction bits), each per element or broadcast.

    ``overflow``: SAT, SAT_SYM or WRAP; ``rounding_mode`` as in Quant, or RND. A type without bits gives 0.
    """
    keep, integers, fractions = (call.constant(i, w) for i, w in ((1, "k"), (2, "i"), (3, "f")))
    _parameters(call, keep, integers, fractions)
    x = call.signal()
    shape = tuple(x.shape) if call.folding else (1, *x.shape[1:])
    k, i, f = (np.broadcast_to(v, shape) for v in (keep, integers, fractions))
    for values in (k, i, f):
        if not np.array_equal(values, np.rint(values)):
            raise call.refuse("k, i and f must be whole numbers")
    if not np.isin(k, (0, 1)).all() or (k + i + f > _MOST_BITS).any() or (np.abs(f) > 60).any():
        raise call.refuse(f"k must be 0 or 1, k + i + f at most {_MOST_BITS}, f at most 60")
    dead = k + i + f <= 0
    # a type without bits: the grid of its neighbours, and no code but 0
    spec = QuantSpec(
        exponent=np.where(dead, 0, -f).astype(np.int64),
        bits=np.where(dead, 1, k + i + f).astype(np.int64),
        signed=np.where(dead, False, k == 1),
        narrow=False,
        mode=RoundingMode.named(str(call.attribute("rounding_mode", "FLOOR"))),
        overflow=Overflow.named(str(call.attribute("overflow", "WRAP"))),
    )
    if not dead.any():
        return call.domain.quantise(x, spec)
    if dead.all():
        return call.domain.multiply(x, np.zeros(shape))
    return call.domain.quantise(call.domain.multiply(x, np.where(dead, 0.0, 1.0)), spec)


@operator("Table", domain=CODESIGN)
def _table(call: Call[Any]) -> Any:
    """Inputs x and values (entries,), or (..., entries) whose axes before the last broadcast to x's.

    ``k``, ``i``, ``f``: the type of x (1: signed, integer bits without the sign, fraction bits). A value for each of
    its ``2**(k + i + f)`` codes, the lowest code's first.
    """
    values = call.constant(1, "the values")
    k, i, f = (int(call.attribute(name, 0)) for name in "kif")
    width = k + i + f
    if k not in (0, 1) or abs(f) > 60 or i + f < 0:
        raise call.refuse(f"a table of codes of type k={k}, i={i}, f={f}; k is 0 or 1, i + f at least 0")
    if 1 << min(width, 60) > MOST_ENTRIES:
        raise call.refuse(f"a table of codes of {width} bits has no exact hardware here; at most 16 bits: quantise it")
    if not values.ndim or values.shape[-1] != 1 << width:
        raise call.refuse(f"{width} bits are {1 << width} values, not {values.shape[-1] if values.ndim else 1}")
    _parameters(call, values[..., 0])
    return call.domain.table(call.signal(), Table(-(1 << (i + f)) if k else 0, -f, values))


def _along(call: Call[Any], values: Array, axis: int) -> Array:
    """Parameters of one axis, in a shape that broadcasts."""
    rank = len(call.value(0).shape)
    if values.size == 1:
        return values.reshape(())
    place = call.axis(axis, rank)
    if values.ndim != 1 or len(values) != call.value(0).shape[place]:
        raise call.refuse(f"parameters of shape {values.shape} along axis {place} do not fit")
    return values.reshape([-1 if i == place else 1 for i in range(rank)])


def _zero_point(call: Call[Any]) -> tuple[Array, np.dtype[Any]]:
    if not call.given(2):
        return np.array(0.0), np.dtype(np.uint8)
    kind = call.stored(2)
    if kind is None or kind.kind not in "iu":
        raise call.refuse("a zero point that the file does not hold as whole numbers of a type")
    return call.constant(2, "the zero point"), kind


@operator("QuantizeLinear")
def _quantize_linear(call: Call[Any]) -> Any:
    axis = int(call.attribute("axis", 1))
    scale = _along(call, call.constant(1, "the scale"), axis)
    zero, kind = _zero_point(call)
    zero = _along(call, zero, axis)
    if call.attribute("block_size", 0):
        raise call.refuse("QuantizeLinear in blocks has no exact hardware here")
    limits = np.iinfo(kind)
    domain, x = call.domain, call.value(0)
    if domain.rational and not is_binary(scale):
        _positive(call, scale)
        factor = 1 / as_reals(scale)
        x = domain.scale(x, factor, factor * 0)
        # bounds are whole numbers: which of them comes first, they or the rounding, is one
        x = domain.minimum(domain.maximum(x, limits.min - zero), limits.max - zero)
        code = domain.quantise(x, whole_spec(RoundingMode.ROUND))
        return domain.add(code, zero) if zero.any() else code
    exponents(scale, call.node.name)
    code = domain.quantise(domain.multiply(x, 1.0 / scale), whole_spec(RoundingMode.ROUND))
    if zero.any():
        code = domain.add(code, zero)
    return domain.minimum(domain.maximum(code, np.array(float(limits.min))), np.array(float(limits.max)))


@operator("DequantizeLinear")
def _dequantize_linear(call: Call[Any]) -> Any:
    axis = int(call.attribute("axis", 1))
    scale = _along(call, call.constant(1, "the scale"), axis)
    zero = _along(call, call.constant(2, "the zero point"), axis) if call.given(2) else np.array(0.0)
    if call.attribute("block_size", 0):
        raise call.refuse("DequantizeLinear in blocks has no exact hardware here")
    x = call.value(0)
    if zero.any():
        x = call.domain.add(x, -zero)
    if call.domain.rational and not is_binary(scale):
        factor = as_reals(scale)
        return call.domain.scale(x, factor, factor * 0)
    return call.domain.multiply(x, scale)


@operator("MultiThreshold", domain=QONNX)
def _multi_threshold(call: Call[Any]) -> Any:
    """``out_scale * (number of thresholds that x reaches) + out_bias``, thresholds (channels or 1, number)."""
    x, steps = call.signal(), call.constant(1, "the thresholds")
    rank = len(x.shape)
    last = str(call.attribute("data_layout", "NCHW")) in ("NHWC", "NWC", "NC") or rank == 2
    channel = rank - 1 if last else 1
    if steps.ndim != 2 or steps.shape[0] not in (1, x.shape[channel]):
        raise call.refuse(f"thresholds of shape {steps.shape} for {x.shape[channel]} channels")
    shape = [1] * rank + [steps.shape[1]]
    shape[channel] = steps.shape[0]
    domain = call.domain
    counted = domain.count(x, steps.reshape(shape))
    scale, bias = float(call.attribute("out_scale", 1.0)), float(call.attribute("out_bias", 0.0))
    scaled = counted if scale == 1 else domain.multiply(counted, np.array(scale))
    return scaled if bias == 0 else domain.add(scaled, np.array(bias))
