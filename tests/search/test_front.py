import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.core.figures import Fidelity
from codesign.pipeline.front import dominates, pareto
from codesign.pipeline.scoring import Score

DIRECTIONS = ("maximise", "minimise", "minimise")
FIDELITIES = (None, Fidelity.COMPILED, Fidelity.COMPILED)

# few distinct values, so that ties and equal points are frequent
values = st.tuples(*[st.integers(0, 4).map(float)] * 3)
scores = st.lists(values, max_size=30).map(lambda vs: [Score(n, v, FIDELITIES) for n, v in enumerate(vs)])


def better_or_equal(a, b):
    return a.values[0] >= b.values[0] and a.values[1] <= b.values[1] and a.values[2] <= b.values[2]


def brute_force(points):
    kept = []
    for p in points:
        beaten = any(better_or_equal(q, p) and q.values != p.values for q in points)
        earlier_equal = any(q.values == p.values and q.trial < p.trial for q in points)
        if not beaten and not earlier_equal:
            kept.append(p)
    return kept


@given(scores)
def test_is_what_brute_force_finds(points):
    assert pareto(points, DIRECTIONS) == brute_force(points)


@given(scores, st.randoms())
def test_does_not_depend_on_the_order(points, random):
    shuffled = list(points)
    random.shuffle(shuffled)
    assert pareto(shuffled, DIRECTIONS) == pareto(points, DIRECTIONS)


@given(scores)
def test_nothing_on_it_dominates_another_and_all_else_is_dominated_or_equal(points):
    front = pareto(points, DIRECTIONS)
    assert not any(dominates(a, b, DIRECTIONS) for a in front for b in front)
    for point in points:
        if point not in front:
            assert any(dominates(a, point, DIRECTIONS) or a.values == point.values for a in front)


@given(scores)
def test_is_its_own_front(points):
    front = pareto(points, DIRECTIONS)
    assert pareto(front, DIRECTIONS) == front


def test_infinite_and_large_values_have_an_order():
    points = [Score(0, (1.0, float("inf"), 0.0), FIDELITIES), Score(1, (1.0, 1e300, 0.0), FIDELITIES)]
    assert [s.trial for s in pareto(points, DIRECTIONS)] == [1]


def test_figures_of_different_fidelity_are_not_compared():
    other = (None, Fidelity.SYNTHESISED, Fidelity.COMPILED)
    points = [Score(0, (1.0, 1.0, 1.0), FIDELITIES), Score(1, (0.0, 2.0, 2.0), other)]
    with pytest.raises(ValueError, match="different fidelity"):
        pareto(points, DIRECTIONS)
    with pytest.raises(ValueError, match="different fidelity"):
        dominates(*points, DIRECTIONS)


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        pareto([Score(0, (float("nan"), 1.0, 1.0), FIDELITIES)], DIRECTIONS)


def test_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="direction"):
        pareto([], ("up",))
