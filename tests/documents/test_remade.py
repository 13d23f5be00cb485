"""Records that are made anew are compared by their errors, and a wrong one is found."""

from __future__ import annotations

import pytest

from tests.documents.records import MADE_BY
from tests.documents.remade import Comparison, compare, order

KEPT = {
    "accuracy": {"value": 0.71, "error": 0.01},
    "auc": 0.9,
    "auc_error": 0.02,
    "points": [{"lut": 117, "seconds": 3.0}],
    "exact": True,
}


def compared(new) -> Comparison:
    found = Comparison("a.json", "python -m a")
    compare(KEPT, new, found)
    return found


def test_what_is_the_same_agrees():
    found = compared(KEPT)
    assert found.agrees
    assert (found.equal, found.within, found.machine) == (7, 0, 0)


def test_values_agree_within_their_errors_and_times_are_the_machine_s():
    new = KEPT | {"accuracy": {"value": 0.73, "error": 0.009}, "auc": 0.93, "points": [{"lut": 117, "seconds": 9.0}]}
    found = compared(new)
    assert found.agrees
    assert (found.within, found.machine) == (3, 1)


@pytest.mark.parametrize(
    ("new", "place"),
    [
        ({"accuracy": {"value": 0.76, "error": 0.01}}, "/accuracy/value"),
        ({"points": [{"lut": 118, "seconds": 3.0}]}, "/points/0/lut"),
        ({"points": []}, "/points"),
        ({"exact": False}, "/exact"),
    ],
)
def test_what_differs_is_named(new, place):
    found = compared(KEPT | new)
    assert not found.agrees
    assert [p for p, _, _ in found.differs] == [place]


def test_the_commit_draws():
    names = sorted(MADE_BY)
    assert order("a" * 40, names) == order("a" * 40, names) != order("b" * 40, names)
    assert sorted(order("a" * 40, names)) == names
