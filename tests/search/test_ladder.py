"""Who is surely better: by one standard deviation of the difference in all that is uncertain."""

import math

from hypothesis import given
from hypothesis import strategies as st

from codesign.search.ladder import Rung, surely_dominated
from tests.search.dominance import surely_dominates

BOTH = ("maximise", "minimise")


def rung(accuracy, lut, error=0.01):
    return Rung((accuracy, lut), (error, 0.0))


def test_domination_is_with_uncertainty():
    assert surely_dominates(rung(0.70, 100), rung(0.60, 100), BOTH)
    assert surely_dominates(rung(0.70, 100), rung(0.60, 200), BOTH)
    assert not surely_dominates(rung(0.61, 100), rung(0.60, 200), BOTH), "accuracies do not differ by one deviation"
    assert not surely_dominates(rung(0.70, 101), rung(0.60, 100), BOTH)
    assert not surely_dominates(rung(0.70, 100, 0.0), rung(0.70, 100, 0.0), BOTH)


# whole numbers, so that ties and differences of exactly one deviation are frequent
coarse = st.builds(rung, st.integers(0, 6).map(float), st.integers(0, 6).map(float), st.integers(0, 4).map(float))


def defined(one, other):
    """Sure domination, written out."""
    better = (one.values[0] - other.values[0], other.values[1] - one.values[1])
    sigmas = [math.hypot(a, b) for a, b in zip(one.errors, other.errors, strict=True)]
    return all(b >= s for b, s in zip(better, sigmas, strict=True)) and any(b > 0 for b in better)


@given(coarse, st.lists(coarse, max_size=90))
def test_domination_is_as_defined(own, others):
    every = [own, *others]
    assert all(surely_dominates(own, other, BOTH) == defined(own, other) for other in every)
    ranks = [rank for block in surely_dominated(every, BOTH) for rank in block.sum(axis=1)]
    assert ranks == [sum(defined(other, one) for other in every) for one in every]
