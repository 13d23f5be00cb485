"""Arithmetic of each element by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from codesign.graph.domain import Array
from codesign.graph.nodes import Call, operator
from codesign.graph.quantiser import QuantSpec, RoundingMode
from codesign.graph.reals import as_reals

__all__ = (
    "stored",
    "whole_spec",
)

#: bits of a whole number that Floor, Ceil and Round give: more than any signal here has
_WHOLE_BITS = 48


def whole_spec(mode: RoundingMode, exponent: int = 0) -> QuantSpec:
    """Round to multiples of ``2**exponent``, without a bound that could bite."""
    return QuantSpec(exponent=np.array(exponent), bits=np.array(_WHOLE_BITS), signed=True, narrow=False, mode=mode)


def stored(values: Array, exact: Array) -> Array:
    """Constants computed from others: where not exact, the nearest of float32, as the file's own runtime has them."""
    return np.where(exact, values, values.astype(np.float32).astype(np.float64))


@operator("Add")
def _add(call: Call[Any]) -> Any:
    return call.domain.add(*call.matched(0, 1))


@operator("Sub")
def _sub(call: Call[Any]) -> Any:
    a, b = call.matched(0, 1)
    if call.is_constant(1) or call.folding:
        return call.domain.add(a, -b)
    return call.domain.add(a, call.domain.negative(b))


@operator("Sum")
def _sum(call: Call[Any]) -> Any:
    values = call.matched(*range(len(call.operands)))
    return _over(call, values, call.domain.add)


@operator("Mul")
def _mul(call: Call[Any]) -> Any:
    if call.node.inputs[0] == call.node.inputs[1]:
        return call.domain.square(call.signal(0))
    return call.domain.multiply(*call.matched(0, 1))


@operator("Div")
def _div(call: Call[Any]) -> Any:
    if call.domain.rational and not call.is_constant(1):
        divided = call.domain.apply(call.signal(1), "reciprocal")
        return call.domain.multiply(call.matched(0, 1)[0], divided)
    divisor = call.constant(1, "the divisor")
    if call.folding:
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = np.asarray(call.value(0) / divisor)
        if not np.isfinite(quotient).all():
            raise call.refuse("divides by zero")
        return stored(quotient, quotient * divisor == call.value(0))
    mantissa, _ = np.frexp(np.abs(divisor))
    if (divisor == 0).any():
        raise call.refuse("divides by zero")
    if call.domain.rational:
        signal, _ = call.matched(0, 1)
        factor = 1 / as_reals(divisor)
        return call.domain.scale(signal, factor, factor * 0)
    if not (mantissa == 0.5).all():
        bad = divisor[mantissa != 0.5].ravel()[0]
        raise call.refuse(
            f"division by {bad:g}, which is no power of two, has no exact hardware here; divide by a power of two"
        )
    signal, _ = call.matched(0, 1)
    return call.domain.multiply(signal, 1.0 / divisor)


@operator("Neg")
def _neg(call: Call[Any]) -> Any:
    return call.domain.negative(call.signal())


@operator("Abs")
def _abs(call: Call[Any]) -> Any:
    return call.domain.absolute(call.signal())


@operator("Sign")
def _sign(call: Call[Any]) -> Any:
    x, zero = call.signal(), np.array(0.0)
    return call.domain.subtract(call.domain.at_least(x, zero), call.domain.at_least(zero, x))


@operator("Floor")
def _floor(call: Call[Any]) -> Any:
    return call.domain.quantise(call.signal(), whole_spec(RoundingMode.FLOOR))


@operator("Ceil")
def _ceil(call: Call[Any]) -> Any:
    return call.domain.quantise(call.signal(), whole_spec(RoundingMode.CEIL))


@operator("Round")
def _round(call: Call[Any]) -> Any:
    return call.domain.quantise(call.signal(), whole_spec(RoundingMode.ROUND))


@operator("Mod")
def _mod(call: Call[Any]) -> Any:
    divisor = call.constant(1, "the divisor")
    mantissa, exponent = np.frexp(divisor)
    if divisor.size != 1 or mantissa.ravel()[0] != 0.5:
        raise call.refuse("Mod has exact hardware for one positive power of two only")
    # fmod keeps the sign of x, the other form that of the divisor
    mode = RoundingMode.DOWN if call.attribute("fmod", 0) else RoundingMode.FLOOR
    x = call.signal()
    return call.domain.subtract(x, call.domain.quantise(x, whole_spec(mode, int(exponent.ravel()[0]) - 1)))


@operator("Pow")
def _pow(call: Call[Any]) -> Any:
    exponent = call.constant(1, "the exponent")
    if call.folding:
        with np.errstate(all="ignore"):
            power = np.asarray(np.power(call.value(0), exponent))
        if not np.isfinite(power).all():
            raise call.refuse("is no finite number")
        return stored(power, np.asarray((exponent == 1) | (exponent == 2)))
    if (exponent == 1).all():
        return call.signal()
    if call.domain.rational and exponent.size == 1 and float(exponent.ravel()[0]) in _POWERS:
        return _POWERS[float(exponent.ravel()[0])](call.domain, call.signal())
    if (exponent != 2).any():
        bad = exponent[exponent != 2].ravel()[0]
        raise call.refuse(f"power {bad:g} has no exact hardware here; only squares have")
    return call.domain.square(call.signal())


@operator("Relu")
def _relu(call: Call[Any]) -> Any:
    return call.domain.relu(call.signal())


@operator("LeakyRelu")
def _leaky(call: Call[Any]) -> Any:
    return _two_slopes(call, np.array(float(np.float32(call.attribute("alpha", 0.01)))))


@operator("PRelu")
def _prelu(call: Call[Any]) -> Any:
    slope = call.constant(1, "the slope")
    call.matched(0, 1)
    return _two_slopes(call, slope)


def _two_slopes(call: Call[Any], slope: Array) -> Any:
    return call.domain.slopes(call.signal(), slope)


#: powers of a signal where any functions of real numbers are
_POWERS: dict[float, Callable[[Any, Any], Any]] = {
    -2.0: lambda d, x: d.apply(d.square(x), "reciprocal"),
    -1.0: lambda d, x: d.apply(x, "reciprocal"),
    -0.5: lambda d, x: d.apply(d.apply(x, "sqrt"), "reciprocal"),
    0.5: lambda d, x: d.apply(x, "sqrt"),
    3.0: lambda d, x: d.multiply(d.square(x), x),
    4.0: lambda d, x: d.square(d.square(x)),
}


@operator("Clip")
def _clip(call: Call[Any]) -> Any:
    x = call.signal()
    low = _bound(call, 1, "min")
    high = _bound(call, 2, "max")
    if low is not None:
        x = call.domain.maximum(x, low)
    return x if high is None else call.domain.minimum(x, high)


def _bound(call: Call[Any], index: int, name: str) -> Array | None:
    """A bound of Clip: an attribute up to opset 10, an input since."""
    if call.given(index):
        return call.constant(index, f"the bound '{name}'").reshape(())
    value = call.attribute(name)
    if value is None or abs(value) > 3e38:  # the attribute's default: the ends of float32
        return None
    return np.array(float(value))


@operator("Max")
def _max(call: Call[Any]) -> Any:
    return _over(call, call.matched(*range(len(call.operands))), call.domain.maximum)


@operator("Min")
def _min(call: Call[Any]) -> Any:
    return _over(call, call.matched(*range(len(call.operands))), call.domain.minimum)


def _over(call: Call[Any], values: list[Any], function: Any) -> Any:
    """Fold a function over operands, signals first: of two operands one is a signal."""
    constant = [call.is_constant(i) and not call.folding for i in range(len(values))]
    ordered = [v for v, c in zip(values, constant, strict=True) if not c]
    ordered += [v for v, c in zip(values, constant, strict=True) if c]
    return reduce(function, ordered)


@operator("Identity", "Dropout")
def _identity(call: Call[Any]) -> Any:
    if call.node.op == "Dropout" and call.given(2) and call.constant(2, "training_mode").any():
        raise call.refuse("Dropout in training mode; export the model for inference (model.eval())")
    return call.value(0)


@operator("Cast")
def _cast(call: Call[Any]) -> Any:
    import onnx

    kind = onnx.TensorProto.DataType.Name(call.attribute("to", 1))
    x = call.value(0)
    if kind in ("FLOAT", "DOUBLE"):
        return x
    if kind.startswith(("INT", "UINT")):
        if call.folding:
            return np.trunc(np.asarray(x))
        return call.domain.quantise(x, whole_spec(RoundingMode.DOWN))  # towards zero; no signal is as wide as its type
    if kind == "BOOL":
        zero = np.array(0.0)
        both = call.domain.add(call.domain.at_least(x, zero), call.domain.at_least(zero, x))
        return call.domain.subtract(np.array(2.0), both)
    raise call.refuse(f"Cast to {kind.lower()} rounds, and has no exact hardware here; use a quantiser")
