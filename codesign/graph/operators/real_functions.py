"""Functions of real numbers: exact between two quantisers, where they become tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from codesign.graph.nodes import STANDARD, Call, operator

__all__ = ()

for _name, _function in (
    ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Exp", "exp"), ("Log", "log"), ("Sqrt", "sqrt"), ("Erf", "erf"),
    ("Reciprocal", "reciprocal"), ("Softplus", "softplus"),
):  # fmt: skip

    def _named(function: str) -> Callable[[Call[Any]], Any]:
        return lambda call: call.domain.apply(call.signal(), function)

    operator(_name)(_named(_function))


def _number(call: Call[Any], name: str, default: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(float(np.float32(call.attribute(name, default))))


def _hard(call: Call[Any], alpha: Any, beta: Any) -> Any:
    domain = call.domain
    bent = domain.add(domain.multiply(domain.held(call.signal()), alpha), beta)
    return domain.minimum(domain.maximum(bent, np.array(0.0)), np.array(1.0))


@operator("HardSigmoid")
def _hard_sigmoid(call: Call[Any]) -> Any:
    return _hard(call, _number(call, "alpha", 0.2), _number(call, "beta", 0.5))


@operator("HardSwish")
def _hard_swish(call: Call[Any]) -> Any:
    sixth = np.array(float(np.float32(1 / 6)))
    return call.domain.multiply(_hard(call, sixth, np.array(0.5)), call.domain.held(call.signal()))


@operator("Softsign")
def _softsign(call: Call[Any]) -> Any:
    domain, x = call.domain, call.domain.held(call.signal())
    below = domain.add(domain.absolute(x), np.array(1.0))
    return domain.multiply(x, domain.apply(below, "reciprocal"))


def _elu(call: Call[Any], alpha: Any) -> Any:
    """``x``, or ``alpha * (exp(x) - 1)`` where it is negative."""
    domain, x = call.domain, call.domain.held(call.signal())
    below = domain.add(domain.apply(domain.minimum(x, np.array(0.0)), "exp"), np.array(-1.0))
    return domain.add(domain.relu(x), domain.multiply(below, alpha))


@operator("Elu")
def _plain_elu(call: Call[Any]) -> Any:
    return _elu(call, _number(call, "alpha", 1.0))


@operator("Selu")
def _selu(call: Call[Any]) -> Any:
    return call.domain.multiply(_elu(call, _number(call, "alpha", 1.67326324)), _number(call, "gamma", 1.05070098))


@operator("Mish")
def _mish(call: Call[Any]) -> Any:
    domain, x = call.domain, call.domain.held(call.signal())
    return domain.multiply(domain.apply(domain.apply(x, "softplus"), "tanh"), x)


@operator("Gelu")
def _gelu(call: Call[Any]) -> Any:
    """``x * (1 + erf(x / sqrt(2))) / 2``."""
    if str(call.attribute("approximate", "none")) != "none":
        raise call.refuse("Gelu approximated by tanh; export the exact one, or a ReLU")
    from fractions import Fraction

    from codesign.graph.reals import root

    domain, x = call.domain, call.domain.held(call.signal())
    factor = np.empty((), dtype=object)
    factor[()] = root(Fraction(1, 2))
    inner = domain.apply(domain.scale(x, factor, np.array(Fraction(0))), "erf")
    return domain.multiply(domain.multiply(domain.add(inner, np.array(1.0)), np.array(0.5)), x)


@operator("Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "GRU", "LSTM", "RNN", domain=STANDARD)
def _of_many(call: Call[Any]) -> Any:
    what = "the hidden states" if call.node.op in ("GRU", "LSTM", "RNN") else "many real numbers"
    raise call.refuse(
        f"{call.node.op} is a function of {what} without a quantiser inside; write it out with quantisers between its "
        "steps, or where it is last leave it out: the order stays"
    )
