"""The dimensions of a search space, as a study writes them.

A list is a choice, ``{low, high}`` a range (of integers where both are; with an optional ``step``, or ``log: true`` for
a logarithmic scale), and a plain value is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from codesign.core.errors import nearest

__all__ = (
    "Choice",
    "Choose",
    "Dimension",
    "Fixed",
    "FloatDimension",
    "IntDimension",
    "Parsed",
    "Range",
    "bounds",
    "parse",
    "plain",
)

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Fixed:
    """One value: nothing to search."""

    value: Scalar


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Range:
    """A range, both ends included."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def integer(self) -> bool:
        """Whether the range holds integers only."""
        return all(isinstance(end, int) for end in (self.low, self.high))


Parsed = Fixed | Choice | Range


class Choose(Protocol):
    """Draws one value of a search dimension (from Optuna, or from a fixed configuration)."""

    def __call__(self, name: str, dimension: Any) -> Any:
        """Return a value of ``dimension`` for the parameter ``name``."""


def _anything(value: Any) -> Scalar:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(f"expected a number or a text, found {value!r}")


def _number(value: Any, kind: str) -> None:
    hint = ""
    if isinstance(value, str):
        try:
            float(value)
            hint = f": YAML reads {value!r} as text, write it with a decimal point as in 1.0e-3"
        except ValueError:
            pass
    raise ValueError(f"expected {kind}, found {value!r}{hint}")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _number(value, "a whole number")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _number(value, "a number")
    return float(value)


def _either(value: Any) -> float:
    return value if isinstance(value, int) and not isinstance(value, bool) else _float(value)


def _range(data: dict[Any, Any], convert: Callable[[Any], float]) -> Range:
    known = ("low", "high", "step", "log")
    for key in data:
        if key not in known:
            raise ValueError(f"unknown key '{key}'{nearest(str(key), known)}; a range has low, high, and step or log")
    for key in ("low", "high"):
        if key not in data:
            raise ValueError(f"a range needs low and high, and '{key}' is missing")
    low, high = convert(data["low"]), convert(data["high"])
    whole = all(isinstance(end, int) for end in (low, high))
    if not whole:
        low, high = float(low), float(high)
    log = data.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"log is true or false, not {log!r}")
    if low > high:
        raise ValueError(f"low ({low:g}) is above high ({high:g})")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range must begin above 0, not at {low:g}")
    step = None
    if data.get("step") is not None:
        step = _integer(data["step"]) if whole else _float(data["step"])
        if step <= 0:
            raise ValueError(f"step must be positive, not {step:g}")
        if log:
            raise ValueError("a range has a step or a logarithmic scale, not both")
        count = (high - low) / step
        if abs(count - round(count)) > 1e-6:
            raise ValueError(f"high ({high:g}) is not low ({low:g}) plus a whole number of steps of {step:g}")
    return Range(low, high, step, log)


def _parse(value: Any, convert: Callable[[Any], Any], convert_range: Callable[[Any], float]) -> Parsed:
    if isinstance(value, Fixed):
        return Fixed(convert(value.value))
    if isinstance(value, Choice):
        value = list(value.values)
    if isinstance(value, Range):
        value = {"low": value.low, "high": value.high, "step": value.step, "log": value.log}
    if isinstance(value, dict):
        return _range(value, convert_range)
    if isinstance(value, list | tuple):
        values = tuple(convert(v) for v in value)
        if not values:
            raise ValueError("a choice needs at least one value")
        # True == 1 in Python, but not in a study
        if len({(isinstance(v, bool), v) for v in values}) < len(values):
            raise ValueError(f"a value is listed twice in {list(values)}")
        return Choice(values)
    return Fixed(convert(value))


def parse(value: Any) -> Parsed:
    """Read one dimension of any type; ValueError says what is wrong with it."""
    return _parse(value, _anything, _either)


def plain(dimension: Any) -> Any:
    """Write a dimension as a study does: the inverse of :func:`parse`."""
    dimension = parse(dimension)
    if isinstance(dimension, Fixed):
        return dimension.value
    if isinstance(dimension, Choice):
        return list(dimension.values)
    data: dict[str, Any] = {"low": dimension.low, "high": dimension.high}
    if dimension.step is not None:
        data["step"] = dimension.step
    return data | ({"log": True} if dimension.log else {})


def bounds(dimension: Any) -> tuple[float, float]:
    """Return the smallest and the largest value of a numeric dimension; ValueError where it holds anything else."""
    dimension = parse(dimension)
    if isinstance(dimension, Range):
        return dimension.low, dimension.high
    values = dimension.values if isinstance(dimension, Choice) else (dimension.value,)
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        raise ValueError(f"{list(values)} has no smallest and largest value")
    return min(numbers), max(numbers)


def _schema(number: str, scalar: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [
                scalar,
                {"type": "array", "items": scalar, "minItems": 1, "uniqueItems": True},
                {
                    "type": "object",
                    "properties": {
                        "low": {"type": number},
                        "high": {"type": number},
                        "step": {"type": number, "exclusiveMinimum": 0},
                        "log": {"type": "boolean"},
                    },
                    "required": ["low", "high"],
                    "additionalProperties": False,
                },
            ]
        }
    )


#: a dimension of whole numbers
IntDimension = Annotated[
    Parsed,
    PlainValidator(lambda value: _parse(value, _integer, _integer)),
    PlainSerializer(plain),
    _schema("integer", {"type": "integer"}),
]
#: a dimension of numbers
FloatDimension = Annotated[
    Parsed,
    PlainValidator(lambda value: _parse(value, _float, _float)),
    PlainSerializer(plain),
    _schema("number", {"type": "number"}),
]
#: a dimension of any values: names, switches, numbers
Dimension = Annotated[
    Parsed,
    PlainValidator(parse),
    PlainSerializer(plain),
    _schema("number", {"type": ["string", "number", "boolean", "null"]}),
]
