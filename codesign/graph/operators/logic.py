"""Comparisons, choices and logic: signals that are 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from codesign.graph.nodes import Call, operator

__all__ = ()

_ONE, _TWO = np.array(1.0), np.array(2.0)


def _reversed_not(call: Call[Any], a: Any, b: Any) -> Any:
    """a > b: not b >= a."""
    return call.domain.subtract(_ONE, call.domain.at_least(b, a))


@operator("GreaterOrEqual")
def _at_least(call: Call[Any]) -> Any:
    return call.domain.at_least(*call.matched(0, 1))


@operator("LessOrEqual")
def _at_most(call: Call[Any]) -> Any:
    a, b = call.matched(0, 1)
    return call.domain.at_least(b, a)


@operator("Greater")
def _greater(call: Call[Any]) -> Any:
    return _reversed_not(call, *call.matched(0, 1))


@operator("Less")
def _less(call: Call[Any]) -> Any:
    a, b = call.matched(0, 1)
    return _reversed_not(call, b, a)


@operator("Equal")
def _equal(call: Call[Any]) -> Any:
    a, b = call.matched(0, 1)
    both = call.domain.add(call.domain.at_least(a, b), call.domain.at_least(b, a))
    return call.domain.add(both, -_ONE)


@operator("Not")
def _not(call: Call[Any]) -> Any:
    return call.domain.subtract(_ONE, call.signal())


@operator("And")
def _and(call: Call[Any]) -> Any:
    return call.domain.at_least(call.domain.add(*call.matched(0, 1)), _TWO)


@operator("Or")
def _or(call: Call[Any]) -> Any:
    return call.domain.at_least(call.domain.add(*call.matched(0, 1)), _ONE)


@operator("Xor")
def _xor(call: Call[Any]) -> Any:
    both = call.domain.add(*call.matched(0, 1))
    return call.domain.subtract(call.domain.at_least(both, _ONE), call.domain.at_least(both, _TWO))


@operator("Where")
def _where(call: Call[Any]) -> Any:
    choice, a, b = call.matched(0, 1, 2)
    if call.folding:
        return np.where(np.asarray(choice) != 0, a, b)
    if not call.is_constant(0):
        return call.domain.select(choice, a, b)
    chosen = (np.asarray(choice) != 0).astype(np.float64)
    # a constant choice: each element is taken from one of the two
    first, second = (
        v * w if call.is_constant(i) else call.domain.multiply(v, w)
        for i, v, w in ((1, a, chosen), (2, b, 1.0 - chosen))
    )
    return call.domain.add(first, second)
