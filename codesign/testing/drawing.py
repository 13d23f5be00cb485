"""Values of a search space's dimensions, drawn without a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from codesign.core.space import Choice, Fixed, parse
from codesign.testing.nonconformity import must

__all__ = ("Recorded", "at_random", "highest", "lowest")

#: draws a value of a dimension
Draw = Callable[[Any], Any]


def lowest(dimension: Any) -> Any:
    """The low end of a range, the smallest or first of a choice."""
    return _end(dimension, -1)


def highest(dimension: Any) -> Any:
    """The high end of a range, the largest or last of a choice."""
    return _end(dimension, 1)


def _end(dimension: Any, sign: int) -> Any:
    found = parse(dimension)
    if isinstance(found, Fixed):
        return found.value
    if isinstance(found, Choice):
        numbers = [v for v in found.values if isinstance(v, int | float)]
        if len(numbers) == len(found.values):
            return min(numbers) if sign < 0 else max(numbers)
        return found.values[0 if sign < 0 else -1]
    return found.low if sign < 0 else found.high


def at_random(seed: int) -> Draw:
    """Any value of a dimension, the same for the same seed and order."""
    random = np.random.default_rng(seed)

    def draw(dimension: Any) -> Any:
        found = parse(dimension)
        if isinstance(found, Fixed):
            return found.value
        if isinstance(found, Choice):
            return found.values[int(random.integers(len(found.values)))]
        if found.step or found.integer:
            step = found.step or 1
            value = found.low + step * int(random.integers(round((found.high - found.low) / step) + 1))
            return int(value) if found.integer else value
        low, high = (math.log(v) if found.log else v for v in (found.low, found.high))
        value = random.uniform(low, high)
        return math.exp(value) if found.log else float(value)

    return draw


class Recorded:
    """A :class:`codesign.core.space.Choose` that keeps what it gave."""

    def __init__(self, draw: Draw, who: str) -> None:
        self.drawn: dict[str, Any] = {}
        self._draw, self._who = draw, who

    def __call__(self, name: str, dimension: Any) -> Any:
        """Draw a value; Nonconformity where the name was drawn before."""
        must(name not in self.drawn, f"{self._who}: draws '{name}' twice for one candidate")
        self.drawn[name] = self._draw(dimension)
        return self.drawn[name]
