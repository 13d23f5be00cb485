"""The front as a still picture that is read in two seconds: what is feasible, the front, the baseline, the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from codesign.core.records import State
from codesign.report import words
from codesign.report.answer import FirstScreen, cost_axis, metric_axis
from codesign.report.collect import PlotAxis, Run, Trial

__all__ = ("FrontDrawing", "draw_front")

#: of the trials that are neither on the front nor near it, those beyond these shares do not set the axes
_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Tick:
    """A tick: where it is, and its number."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A trial; ``kind`` is front, other or infeasible."""

    x: float
    y: float
    kind: str
    trial: int
    title: str


@dataclass(frozen=True)
class Label:
    """A trial's number beside its mark."""

    x: float
    y: float
    text: str
    anchor: str
    chosen: bool


@dataclass(frozen=True)
class FrontDrawing:
    """The drawing, in its own units; ``line``: the front as points of a line; ``band``: (top, height, middle) of the
    baseline; ``limit``: where the budget lies; ``outside``: trials beyond the axes."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[Mark]
    line: str
    band: tuple[float, float, float] | None
    limit: tuple[float, str] | None
    labels: list[Label]
    outside: int
    words: str
    colours: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        place = math.log(value) if self.log else value
        return self.start + (place - low) / (high - low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def draw_front(
    run: Run, found: FirstScreen, width: float, height: float, colours: dict[int, str]
) -> FrontDrawing | None:
    """Draw the first metric against the first hardware figure of the objectives, all scored trials on one split.

    ``colours``: of trials, where a study tells groups of them apart. None where fewer than two trials have both.
    """
    y_axis, x_axis = metric_axis(run), cost_axis(run)
    if y_axis is None or x_axis is None:
        return None
    values = ((trial, trial.value(x_axis), trial.value(y_axis)) for trial in run.trials)
    known = [(trial, cost, value) for trial, cost, value in values if cost is not None and value is not None]
    if len(known) < 2 or any(cost <= 0 for _, cost, _ in known):
        return None
    on_front = {p.trial.number for p in run.points}
    base = run.baseline.validation.get(y_axis.name) if run.baseline else None
    left, right, top, bottom = 62.0, width - 16, 12.0, height - 50
    x = _x_scale(known, on_front, left, right)
    y = _y_scale(known, on_front, [base.value - base.error, base.value + base.error] if base else [], bottom, top)
    inside = [(t, a, b) for t, a, b in known if x.holds(a) and y.holds(b)]
    marks = [_mark(t, x(a), y(b), on_front, x_axis, y_axis) for t, a, b in inside]
    order = ("infeasible", "other", "front")
    marks.sort(key=lambda mark: (order.index(mark.kind), mark.trial))
    limit = next((c for c in run.constraints if c.name == x_axis.name and c.max is not None), None)
    return FrontDrawing(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        x_label=f"{words.quantity(x_axis.name)} ({x_axis.fidelity.value if x_axis.fidelity else ''})",
        y_label=f"{words.quantity(y_axis.name)} ({run.judged_on})",
        x_ticks=[Tick(x(v), words.short(v)) for v in _x_ticks(x, width)],
        y_ticks=[Tick(y(v), text) for v, text in _even_ticks(y.low, y.high, 6)],
        marks=marks,
        line=_step_line([(a, b) for t, a, b in inside if t.number in on_front], x, y, x_axis, y_axis),
        band=_band(base.value, base.error, y) if base else None,
        limit=(x(limit.max), words.number(limit.max)) if limit and limit.max and x.holds(limit.max) else None,
        labels=_labels(found, marks, left, right),
        outside=len(known) - len(inside),
        words=f"{words.quantity(y_axis.name)} against {words.quantity(x_axis.name)} of {len(known)} trials, "
        f"{len(on_front)} of them on the front.",
        colours=colours,
    )


def _x_scale(known: Sequence[tuple[Trial, float, float]], on_front: set[int], start: float, end: float) -> _Scale:
    held = [x for t, x, _ in known if t.number in on_front] or [x for _, x, _ in known]
    rest = _usual(known, 1)
    low, high = min(*held, _share(rest, _LOW), held[0]), max(*held, _share(rest, _HIGH), held[0])
    if high > 8 * low:
        pad = (high / low) ** 0.06
        return _Scale(low / pad, high * pad, True, start, end)
    pad = 0.08 * (high - low) or 0.5 * high or 1.0
    return _Scale(max(0.0, low - pad), high + pad, False, start, end)


def _y_scale(
    known: Sequence[tuple[Trial, float, float]], on_front: set[int], more: list[float], start: float, end: float
) -> _Scale:
    held = [y for t, _, y in known if t.number in on_front] or [y for _, _, y in known]
    rest = _usual(known, 2)
    low, high = min(*held, *more, held[0]), max(*held, *more, held[0])
    # what is far from all of the front is told, not drawn: the front is what one looks at
    reach = 0.6 * ((high - low) or abs(high) or 1.0)
    low, high = min(low, max(_share(rest, _LOW), low - reach)), max(high, min(_share(rest, _HIGH), high + reach))
    pad = 0.07 * ((high - low) or abs(high) or 1.0)
    return _Scale(low - pad, high + pad, False, start, end)


def _usual(known: Sequence[tuple[Trial, float, float]], place: int) -> list[float]:
    """The values of the trials within the budget, or of all where that are few, rising."""
    feasible = [each for each in known if each[0].state == State.COMPLETE.value]
    return sorted(float(each[place]) for each in (feasible if len(feasible) > 4 else known))  # type: ignore[arg-type]


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def _mark(trial: Trial, x: float, y: float, on_front: set[int], x_axis: PlotAxis, y_axis: PlotAxis) -> Mark:
    kind = "front" if trial.number in on_front else "other" if trial.state != State.INFEASIBLE.value else "infeasible"
    value, cost = trial.metrics[y_axis.name], trial.value(x_axis) or 0.0
    title = f"trial {trial.number}: {words.measurement(value)}, {words.number(cost)} {words.quantity(x_axis.name)}"
    return Mark(round(x, 1), round(y, 1), kind, trial.number, title)


def _step_line(points: list[tuple[float, float]], x: _Scale, y: _Scale, x_axis: PlotAxis, y_axis: PlotAxis) -> str:
    """The best that a cost buys, as steps: only what no cheaper point reaches."""
    sign = 1 if y_axis.maximise else -1
    corners: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda p: (p[0], -sign * p[1])):
        if corners and sign * value <= sign * corners[-1][1]:
            continue
        if corners:
            corners.append((cost, corners[-1][1]))
        corners.append((cost, value))
    return " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in corners) if len(corners) > 1 else ""


def _band(value: float, error: float, y: _Scale) -> tuple[float, float, float]:
    high, low = y(min(y.high, value + error)), y(max(y.low, value - error))
    return round(high, 1), round(max(1.0, low - high), 1), round(y(value), 1)


def _labels(found: FirstScreen, marks: list[Mark], left: float, right: float) -> list[Label]:
    places = {mark.trial: mark for mark in marks}
    made: list[Label] = []
    for number, one in enumerate(found.recommended):
        mark = places.get(one.point.trial.number)
        if mark is None:
            continue
        text = f"trial {one.point.trial.number}"
        end = mark.x > left + 0.72 * (right - left)
        x, y = mark.x + (-11 if end else 11), mark.y + 18
        while any(abs(x - other.x) < 70 and abs(y - other.y) < 15 for other in made):
            y += 15
        made.append(Label(x, y, text, "end" if end else "start", number == 0))
    return made


def _x_ticks(scale: _Scale, width: float) -> list[float]:
    if not scale.log:
        return [v for v, _ in _even_ticks(scale.low, scale.high, 5 if width < 500 else 7)]
    decades = math.log10(scale.high / scale.low)
    digits = (1, 2, 5) if decades < (1.7 if width < 500 else 3.2) else (1,)
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    return [v for power in range(first, last + 1) for d in digits if scale.holds(v := d * 10.0**power)]


def _even_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Round numbers at even distances, at most so many, with as many decimals as they need."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (abs(step / power - 2.5) < 1e-6))
    first = math.ceil(low / step - 1e-9)
    ticks = []
    while first * step <= high + 1e-9 * step:
        ticks.append((first * step, f"{first * step:,.{decimals}f}"))
        first += 1
    return ticks
