"""The suite that every domain of the graph passes: what it does in a form of its own is what the composition does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.domain import Array, Domain
from codesign.graph.exact import Exact
from codesign.graph.forest import Forest
from codesign.graph.quantiser import Overflow, QuantSpec, RoundingMode
from codesign.graph.tables import Table
from codesign.testing.nonconformity import must

if TYPE_CHECKING:
    import pytest

__all__ = ("COMPOSITIONS", "PRIMITIVES", "STRUCTURE", "Apply", "Bounds", "DomainTests", "exactly")

#: of a domain and two of its signals, (events, 3) each
Apply: TypeAlias = Callable[[Any, Any, Any], Any]
#: of two arrays (events, 3)
Numpy: TypeAlias = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Bounds:
    """What a domain says of its result, (events or 1, n): where it lies; and the grid it is on, where it says one."""

    low: Array
    high: Array
    step: Array | None = None


def exactly(values: Array) -> Bounds:
    """The result itself, of a domain that computes."""
    return Bounds(values, values)


def _spec(overflow: Overflow, mode: RoundingMode) -> QuantSpec:
    return QuantSpec(np.array(0), np.array(2), True, False, mode, overflow)


def _quantise(spec: QuantSpec) -> Apply:
    return lambda d, a, b: d.quantise(a, spec)


_MATRIX = np.array([[1.0, -0.5], [0.25, 0.0], [-2.0, 3.0]])
#: four trees: of two decisions, with a constant side, with a decision that is always the same, and the first again
_TREES = Forest(
    features=np.array([0, 2, 1]),
    thresholds=np.array([0.25, -1.0, 9.0]),
    comparator=np.array([1, 2, 0, 0]),
    reached=np.array([-2, -1, 0, -4]),
    below=np.array([-1, -3, -3, 0]),
    level=np.array([1, 1, 2, 2]),
    constants=np.array([0.5, -1.0, 0.0, 2.25]),
    roots=np.array([2, 3, 1, 2]),
)


def _decide(a: Array, b: Array) -> Array:
    """What the trees give, written out."""
    first = np.where(a[:, 2] >= -1.0, -1.0, 0.5)
    trees = [np.where(a[:, 0] >= 0.25, first, 0.0), np.where(a[:, 0] >= 0.25, 2.25, first), np.zeros(len(a))]
    return np.stack([*trees, trees[0]], axis=1)


_COUNT = np.arange(20.0)
#: one that rises and falls, of more codes than come
_TABLE = Table(-10, -1, np.square(_COUNT - 7) / 4 - 3)
#: thresholds of each of three elements
_STEPS = np.array([[[-1.0, 0.5], [0.0, 0.0], [-9.0, 2.0]]])
_SPECS = [_spec(o, m) for o in Overflow for m in (RoundingMode.FLOOR, RoundingMode.ROUND, RoundingMode.RND)]

#: name -> a primitive; the exact domain says what it gives
PRIMITIVES: dict[str, Apply] = {
    "add": lambda d, a, b: d.add(a, b),
    "add-constant": lambda d, a, b: d.add(a, np.array([0.5, -1.0, 0.0])),
    "multiply": lambda d, a, b: d.multiply(a, b),
    "multiply-constant": lambda d, a, b: d.multiply(np.array([0.5, -3.0, 0.0]), b),
    "matmul": lambda d, a, b: d.matmul(a, _MATRIX),
    "relu": lambda d, a, b: d.relu(a),
    "sign": lambda d, a, b: d.sign(a, np.array(0.5)),
    "table": lambda d, a, b: d.table(a, _TABLE),
    "table-each": lambda d, a, b: d.table(b, Table(-10, -1, np.stack([_TABLE.values, -_TABLE.values, 0.25 * _COUNT]))),
    **{f"quantise-{s.overflow.name.lower()}-{s.mode.name.lower()}": _quantise(s) for s in _SPECS},
}

#: name -> how a composition is applied by any method, and what numpy gives
COMPOSITIONS: dict[str, tuple[str, Callable[[Any, Callable[..., Any], Any, Any], Any], Numpy]] = {
    "square": ("square", lambda d, how, a, b: how(d, a), lambda a, b: a * a),
    "negative": ("negative", lambda d, how, a, b: how(d, a), lambda a, b: -a),
    "subtract": ("subtract", lambda d, how, a, b: how(d, a, b), lambda a, b: a - b),
    "subtract-constant": ("subtract", lambda d, how, a, b: how(d, a, np.array(1.5)), lambda a, b: a - 1.5),
    "maximum": ("maximum", lambda d, how, a, b: how(d, a, b), np.maximum),
    "maximum-constant": ("maximum", lambda d, how, a, b: how(d, a, np.array(0.5)), lambda a, b: np.maximum(a, 0.5)),
    "minimum": ("minimum", lambda d, how, a, b: how(d, a, b), np.minimum),
    "minimum-constant": ("minimum", lambda d, how, a, b: how(d, a, np.array(0.5)), lambda a, b: np.minimum(a, 0.5)),
    "absolute": ("absolute", lambda d, how, a, b: how(d, a), lambda a, b: np.abs(a)),
    "at_least": ("at_least", lambda d, how, a, b: how(d, a, b), lambda a, b: (a >= b).astype(np.float64)),
    "reaches": (
        "reaches",
        lambda d, how, a, b: how(d, a, np.array([0.25, -1.0, 9.0])),
        lambda a, b: (a >= np.array([0.25, -1.0, 9.0])).astype(np.float64),
    ),
    "decide": ("decide", lambda d, how, a, b: how(d, a, _TREES), _decide),
    "select": (
        "select",
        lambda d, how, a, b: how(d, d.at_least(a, np.array(0.0)), a, b),
        lambda a, b: np.where(a >= 0, a, b),
    ),
    "total": ("total", lambda d, how, a, b: how(d, a), lambda a, b: a.sum(axis=1, keepdims=True)),
    "count": (
        "count",
        lambda d, how, a, b: how(d, a, _STEPS),
        lambda a, b: (a[..., None] >= _STEPS).sum(axis=-1).astype(np.float64),
    ),
    "slopes": (
        "slopes",
        lambda d, how, a, b: how(d, a, np.array([0.25, -0.5, 0.0])),
        lambda a, b: np.where(a < 0, a * np.array([0.25, -0.5, 0.0]), a),
    ),
    "largest": ("largest", lambda d, how, a, b: how(d, a), lambda a, b: a.max(axis=1, keepdims=True)),
}

#: name -> a structure's operation, and what numpy gives; any shape comes out
STRUCTURE: dict[str, tuple[Apply, Numpy]] = {
    "concat": (lambda d, a, b: d.concat([b, a], 1), lambda a, b: np.concatenate([b, a], axis=1)),
    "concat-constant": (
        lambda d, a, b: d.concat([a, np.array([[0.5, -1.0]])], 1),
        lambda a, b: np.concatenate([a, np.tile([0.5, -1.0], (len(a), 1))], axis=1),
    ),
    "concat-deep": (
        lambda d, a, b: d.concat([d.reshape(a, (3, 1)), d.reshape(b, (3, 1))], 2),
        lambda a, b: np.stack([a, b], axis=2),
    ),
    "transpose": (
        lambda d, a, b: d.transpose(d.reshape(d.concat([a, b], 1), (2, 3, 1)), (0, 2, 1, 3)),
        lambda a, b: np.concatenate([a, b], axis=1).reshape(len(a), 2, 3, 1).transpose(0, 2, 1, 3),
    ),
    "take": (lambda d, a, b: d.take(a, np.array([2, 0, 2, 1]), 1), lambda a, b: a[:, [2, 0, 2, 1]]),
    "take-one": (
        lambda d, a, b: d.take(d.reshape(d.concat([a, b], 1), (3, 2)), np.array(1), 2),
        lambda a, b: np.concatenate([a, b], axis=1).reshape(len(a), 3, 2)[:, :, 1],
    ),
    "take-many": (
        lambda d, a, b: d.take(a, np.array([[0, 1], [1, 2]]), 1),
        lambda a, b: a[:, [[0, 1], [1, 2]]],
    ),
}


class DomainTests:
    """Derive from it, give the method :meth:`evaluate`, and the fixture ``domain``: what makes a new one, your class.

    Attributes
    ----------
    kind: type of the values that go in.
    exact: whether :meth:`evaluate` gives the numbers; else bounds on them, which must hold them, and of which a form of
        the domain's own must not be wider than the composition's.
    """

    kind: ClassVar[FixedPoint] = FixedPoint(signed=True, integer_bits=2, fraction_bits=1)
    exact: ClassVar[bool] = True

    def evaluate(self, domain: Domain[Any], apply: Apply, values: Array) -> Bounds:
        """What ``apply(domain, a, b)`` is, (events or 1, n), of signals a and b, (events, 3) each.

        ``values``, (events, 6), of the type ``kind``: a's and b's, side by side. :func:`exactly` of the numbers, or
        bounds.
        """
        raise NotImplementedError("give the method 'evaluate'")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each operation one test."""
        for test, names in (("primitive", PRIMITIVES), ("composition", COMPOSITIONS), ("structure", STRUCTURE)):
            if test in metafunc.function.__name__:
                metafunc.parametrize("name", list(names))

    def test_a_primitive_is_exact(self, domain: Callable[[], Domain[Any]], name: str) -> None:
        """As in the exact domain, of signals and of constants."""
        x = self._values()
        truth = PRIMITIVES[name](Exact(), x[:, :3], x[:, 3:])
        self._holds(domain, PRIMITIVES[name], truth, name)

    def test_a_form_of_its_own_is_the_composition(self, domain: Callable[[], Domain[Any]], name: str) -> None:
        """And both are what numpy gives."""
        method, apply, numpy = COMPOSITIONS[name]
        x = self._values()
        truth = numpy(x[:, :3], x[:, 3:])
        own = self._holds(domain, lambda d, a, b: apply(d, _method(type(d), method), a, b), truth, name)
        composed = self._holds(
            domain, lambda d, a, b: apply(d, _method(Domain, method), a, b), truth, f"{name}, composed"
        )
        narrow = (own.low >= composed.low).all() and (own.high <= composed.high).all()
        must(bool(narrow), f"{name}: a form of its own that knows less than the composition")

    def test_structure_is_numpys(self, domain: Callable[[], Domain[Any]], name: str) -> None:
        """Joined, reshaped, permuted and taken as numpy does; flat, and the shape as it says."""
        apply, numpy = STRUCTURE[name]
        x = self._values()
        truth = numpy(x[:, :3], x[:, 3:])
        shapes: list[tuple[int, ...]] = []

        def flat(d: Domain[Any], a: Any, b: Any) -> Any:
            out = apply(d, a, b)
            shapes.append(tuple(out.shape[1:]))
            return d.reshape(out, (prod(out.shape[1:]),))

        self._holds(domain, flat, truth.reshape(len(x), -1), name)
        must(set(shapes) == {truth.shape[1:]}, f"{name}: has the shape {shapes[0]}, not {truth.shape[1:]}")

    def _values(self) -> Array:
        codes = np.random.default_rng(3).integers(self.kind.minimum, self.kind.maximum + 1, (200, 6))
        return np.asarray(codes * self.kind.lsb, dtype=np.float64)

    def _holds(self, domain: Callable[[], Domain[Any]], apply: Apply, truth: Array, name: str) -> Bounds:
        found = self.evaluate(domain(), apply, self._values())
        must(found.low.shape[1:] == truth.shape[1:], f"{name}: has the shape {found.low.shape}, expected {truth.shape}")
        if self.exact:
            wrong = _events(found.low != truth)
            must(wrong == 0, f"{name}: {wrong} of {len(truth)} events differ")
            return found
        wrong = _events((found.low > truth) | (truth > found.high))
        must(wrong == 0, f"{name}: {wrong} of {len(truth)} events lie outside of its bounds")
        if found.step is not None:
            off = _events(truth % np.where(found.step == 0, 1, found.step) != 0)
            must(off == 0, f"{name}: {off} of {len(truth)} events are not on its grid")
        return found


def _events(wrong: NDArray[np.bool_]) -> int:
    return int(wrong.any(axis=1).sum())


def _method(owner: type[Any], name: str) -> Callable[..., Any]:
    """A method as a function, of a class or of what it derives from."""
    found: Callable[..., Any] = next(vars(c)[name] for c in owner.__mro__ if name in vars(c))
    return found
