"""A domain that breaks a promise does not pass the suite (those that do are in tests/graph/test_domains.py)."""

import re

import numpy as np
import pytest

from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.testing.domain_tests import Bounds, DomainTests, exactly
from tests.testing.broken import said


class OfExact(DomainTests):
    def evaluate(self, domain, apply, values):
        return exactly(apply(domain, values[:, :3], values[:, 3:]))


class OfIntervals(DomainTests):
    exact = False

    def evaluate(self, domain, apply, values):
        low, high = values.min(axis=0, keepdims=True), values.max(axis=0, keepdims=True)
        found = apply(domain, *(Interval(low[:, s], high[:, s], np.full((1, 3), 0.5)) for s in np.s_[:3, 3:]))
        return Bounds(found.low, found.high, found.step)


class FirstOfTwo(Exact):
    """Where two are equal in size, the larger is the first."""

    def maximum(self, a, b):
        return np.where(np.abs(a) >= np.abs(b), a, b)


class ForgetsZero(Exact):
    """The sign of 0 is negative."""

    def sign(self, x, scale):
        return np.where(x > 0, scale, -scale)


class Transposed(Exact):
    """Reshapes as Fortran does."""

    def reshape(self, x, shape):
        return np.reshape(x, (len(x), *shape), order="F")


class FlatTake(Exact):
    """Loses the axes of the places."""

    def take(self, x, places, axis):
        return super().take(x, np.ravel(places), axis)


class Narrow(Intervals):
    """A square is between the squares of the ends."""

    def square(self, x):
        return Interval(np.minimum(x.low**2, x.high**2), np.maximum(x.low**2, x.high**2), x.step**2)


class Wide(Intervals):
    """Knows less of an absolute value than the composition."""

    def absolute(self, x):
        most = np.maximum(np.abs(x.low), np.abs(x.high))
        return Interval(-3 * most, 3 * most, x.step)


class CoarseGrid(Intervals):
    """A sum lies on a grid of its own."""

    def add(self, a, b):
        found = super().add(a, b)
        return Interval(found.low, found.high, 2 * found.step)


FORM, STRUCTURE, PRIMITIVE = "a_form_of_its_own_is_the_composition", "structure_is_numpys", "a_primitive_is_exact"


@pytest.mark.parametrize(
    ("suite", "liar", "fails", "name", "words"),
    [
        (OfExact, FirstOfTwo, FORM, "maximum", "maximum: 1.. of 200 events differ"),
        (OfExact, ForgetsZero, PRIMITIVE, "sign", "sign: .* of 200 events differ"),
        (OfExact, Transposed, STRUCTURE, "take-one", "take-one: .* of 200 events differ"),
        (OfExact, FlatTake, STRUCTURE, "take-many", r"has the shape \(4,\), not \(2, 2\)"),
        (OfIntervals, Narrow, FORM, "square", "events lie outside of its bounds"),
        (OfIntervals, Wide, FORM, "absolute", "knows less than the composition"),
        (OfIntervals, CoarseGrid, PRIMITIVE, "add", "events are not on its grid"),
    ],
)
def test_a_domain_that_breaks_a_promise_is_caught(suite, liar, fails, name, words):
    found = said(suite, fails, domain=liar, name=name)
    assert re.search(words, found), found
