"""Which of two points surely dominates."""

from __future__ import annotations

from codesign.search.ladder import surely_dominated


def surely_dominates(one, other, directions):
    return bool(next(surely_dominated([other, one], directions))[0, 1])
