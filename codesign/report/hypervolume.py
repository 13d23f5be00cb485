"""How far a search came: the hypervolume of its front after each trial."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from codesign.core.records import State
from codesign.report.collect import PlotAxis, Trial

__all__ = ("hypervolume", "progress")

Cost = tuple[float, ...]
_MOST_OBJECTIVES = 4  # the exact volume of more takes too long for a report


def hypervolume(costs: Sequence[Cost], worst: Cost) -> float:
    """Volume that the points dominate below ``worst``; every component is a cost. Exact, by slicing the last one."""
    inside = [c for c in costs if all(a < b for a, b in zip(c, worst, strict=True))]
    if not inside:
        return 0.0
    if len(worst) == 1:
        return worst[0] - min(c[0] for c in inside)
    if len(worst) == 2:
        return _area(sorted(inside), worst)
    inside.sort(key=lambda c: c[-1])
    total = 0.0
    ends = [*(c[-1] for c in inside[1:]), worst[-1]]
    for i, end in enumerate(ends):
        depth = end - inside[i][-1]
        if depth > 0:
            total += depth * hypervolume([c[:-1] for c in inside[: i + 1]], worst[:-1])
    return total


def _area(ordered: Sequence[Cost], worst: Cost) -> float:
    total, lowest = 0.0, worst[1]
    for x, y in ordered:
        if y < lowest:
            total += (worst[0] - x) * (lowest - y)
            lowest = y
    return total


def progress(
    trials: Sequence[Trial], objectives: Sequence[PlotAxis], box: tuple[Cost, Cost] | None = None
) -> list[tuple[int, float]]:
    """(trial, hypervolume of the feasible trials up to it), where it grew, and at the last trial.

    The volume is a share of ``box``, the (best, worst) cost of each objective, by default over this run's feasible
    trials: 1 would be a trial that is best in everything. Empty where fewer than two feasible trials span a box, or
    with more than four objectives.
    """
    scored = costs(trials, objectives)
    box = box or span([c for _, c in scored])
    if box is None or len(objectives) > _MOST_OBJECTIVES:
        return []
    best, worst = box
    front: list[Cost] = []
    made: list[tuple[int, float]] = []
    for number, cost in scored:
        scaled = tuple((c - a) / (b - a) if b > a else 0.0 for c, a, b in zip(cost, best, worst, strict=True))
        if any(all(k <= s for k, s in zip(kept, scaled, strict=True)) for kept in front):
            continue
        front = [kept for kept in front if not all(s <= k for k, s in zip(kept, scaled, strict=True))]
        front.insert(bisect_left(front, scaled), scaled)
        made.append((number, hypervolume(front, (1.0,) * len(best))))
    last = max((t.number for t in trials), default=0)
    return [*made, (last, made[-1][1])] if made and made[-1][0] < last else made


def costs(trials: Sequence[Trial], objectives: Sequence[PlotAxis]) -> list[tuple[int, Cost]]:
    """(trial, its objectives as costs) of the feasible trials that have them all, by number."""
    found = []
    for trial in sorted(trials, key=lambda t: t.number):
        values = [trial.value(axis) for axis in objectives]
        known = [-v if a.maximise else v for v, a in zip(values, objectives, strict=True) if v is not None]
        if trial.state == State.COMPLETE.value and len(known) == len(objectives):
            found.append((trial.number, tuple(known)))
    return found


def span(found: Sequence[Cost]) -> tuple[Cost, Cost] | None:
    """The smallest box around the costs: (best, worst); None of fewer than two."""
    if len(found) < 2:
        return None
    columns = list(zip(*found, strict=True))
    return tuple(min(c) for c in columns), tuple(max(c) for c in columns)
