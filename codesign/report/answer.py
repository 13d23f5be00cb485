"""The first screen: what was asked, the answer in one sentence, which designs to look at, and what to do next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codesign.core.figures import Fidelity, Figure, find
from codesign.core.local_packages import naming
from codesign.core.quoting import shell
from codesign.core.records import Metric
from codesign.report import words
from codesign.report.collect import PlotAxis, Point, Run
from codesign.report.difference_words import Difference, against
from codesign.study.definition import Study

__all__ = (
    "Command",
    "FirstScreen",
    "Recommended",
    "answer",
    "asked",
    "closest",
    "cost_axis",
    "costs_of",
    "latency_of",
    "metric_axis",
    "ordered",
    "packages_of",
)

CLOSEST = (Fidelity.VENDOR, Fidelity.PLACED, Fidelity.SYNTHESISED, Fidelity.COMPILED, Fidelity.ANALYTIC)
LATENCY = (Fidelity.SIMULATED, Fidelity.VENDOR, Fidelity.COMPILED, Fidelity.ANALYTIC)
_SHOWN = 3


@dataclass(frozen=True)
class Command:
    """Something to do next, as it is typed."""

    what: str
    line: str


@dataclass(frozen=True)
class Recommended:
    """A design to look at first, and why."""

    point: Point
    role: str


@dataclass(frozen=True)
class FirstScreen:
    """The best design within the budgets, in pieces of one sentence; ``best`` is None where there is no design yet."""

    best: Point | None
    recommended: list[Recommended]
    others: list[Point]
    metric: str | None
    value: Metric | None
    split: str
    costs: list[tuple[str, str, float]]
    difference: Difference | None
    baseline: str
    next: list[Command]


def metric_axis(run: Run) -> PlotAxis | None:
    """The first metric among the objectives."""
    return next((axis for axis in run.objectives if axis.fidelity is None), None)


def cost_axis(run: Run) -> PlotAxis | None:
    """The first hardware figure among the objectives."""
    return next((axis for axis in run.objectives if axis.fidelity is not None), None)


def asked(run: Run) -> str:
    """What the study asked for, in one sentence."""
    study = run.study
    where = f"{run.target.part} at {words.number(run.target.clock_mhz)} MHz" if run.target else study.target
    if not isinstance(study, Study):
        return f"Imported {words.count(len(run.trials), 'model')}, compiled by {study.flow.name} for the {where}."
    goals = [f"{'most' if a.maximise else 'least'} {words.quantity(a.name)}" for a in run.objectives]
    bounds = [words.bound(c) for c in run.constraints]
    text = f"Task {study.task} by {words.listed(study.named)}, for the {where}: {words.listed(goals)}"
    return f"{text}, with {words.listed(bounds)}." if bounds else f"{text}."


def closest(point: Point, quantity: str, order: tuple[Fidelity, ...] = CLOSEST) -> Figure | None:
    """The figure that is closest to the chip."""
    return next((f for fidelity in order if (f := find(point.figures, quantity, fidelity))), None)


def latency_of(point: Point) -> Figure | None:
    """The latency in ns: simulated where it was."""
    return closest(point, "latency_ns", LATENCY)


def ordered(run: Run) -> list[Point]:
    """The points of the front, the best first: by the first metric on the split that the search used, so that the test
    split chooses nothing; then by cost. What was proven not to be exact stands last."""
    axis, cost = metric_axis(run), cost_axis(run)

    def rank(point: Point) -> tuple[bool, float, float, int]:
        value = point.trial.value(axis) if axis else None
        if value is None and axis is not None and axis.name in point.test:
            value = point.test[axis.name].value
        sign = -1.0 if axis is not None and axis.maximise else 1.0
        price = point.trial.value(cost) if cost else None
        refuted = point.verified is not None and not point.verified.exact
        return (
            refuted,
            math.inf if value is None else sign * value,
            math.inf if price is None else price,
            point.trial.number,
        )

    return sorted(run.points, key=rank)


def answer(run: Run, command: str) -> FirstScreen:
    """Everything that the first screen says; ``command`` is the run folder as one types it."""
    points, axis = ordered(run), metric_axis(run)
    best = points[0] if points else None
    recommended = _recommended(run, points)
    shown = {r.point.trial.number for r in recommended}
    value, costs, found = None, [], None
    if best is not None:
        values = best.trial.metrics if run.provisional else best.test
        value = values.get(axis.name) if axis else None
        costs = costs_of(best)
        found = against(run, best, axis.name) if axis else None
    return FirstScreen(
        best=best,
        recommended=recommended,
        others=[p for p in points if p.trial.number not in shown],
        metric=axis.name if axis else None,
        value=value,
        split="validation" if run.provisional else "given" if run.imported else "test",
        costs=costs,
        difference=found,
        baseline=run.baseline.short if run.baseline else "",
        next=_next(run, best, command),
    )


def costs_of(point: Point) -> list[tuple[str, str, float]]:
    """(words, fidelity, exact value) of logic and latency."""
    found = []
    for figure, noun in ((closest(point, "lut"), "LUT"), (latency_of(point), "ns latency")):
        if figure is not None:
            text = words.whole(figure.value) if noun == "LUT" else f"{figure.value:.3g}"
            found.append((f"{text} {noun}", figure.fidelity.value, figure.value))
    return found


def _recommended(run: Run, points: list[Point]) -> list[Recommended]:
    """The best; the cheapest that is as good within its error; where the front bends; then the next best."""
    if not points:
        return []
    axis, cost = metric_axis(run), cost_axis(run)
    if len(points) == 1 or axis is None:
        return [Recommended(p, "") for p in points[:_SHOWN]]
    found = [Recommended(points[0], f"best {words.quantity(axis.name)}")]
    sound = [p for p in points if p.verified is None or p.verified.exact]
    if cost is not None and len(sound) > 1 and (best := sound[0].trial.metrics.get(axis.name)):
        sign = 1 if axis.maximise else -1

        def price(point: Point) -> float:
            value = point.trial.value(cost)
            return math.inf if value is None else value

        near = [
            p for p in sound if (m := p.trial.metrics.get(axis.name)) and sign * (best.value - m.value) <= best.error
        ]
        if near:
            least = min(near, key=price)
            role = f"least {words.quantity(cost.name)} within one error of the best"
            found.append(Recommended(least, role))
        if (bend := _bend(sound, axis, cost)) is not None:
            found.append(
                Recommended(bend, f"where {words.quantity(axis.name)} against {words.quantity(cost.name)} bends")
            )
    found += [Recommended(p, "the next best") for p in points[1:]]
    unique: dict[int, Recommended] = {}
    for one in found:
        unique.setdefault(one.point.trial.number, one)
    return list(unique.values())[:_SHOWN]


def _bend(points: list[Point], axis: PlotAxis, cost: PlotAxis) -> Point | None:
    """The point farthest above the line between the ends of the front, in the metric against the cost's logarithm."""
    known = [
        (math.log(c), v, p) for p in points if (c := p.trial.value(cost)) and (v := p.trial.value(axis)) is not None
    ]
    if len(known) < 3:
        return None
    known.sort(key=lambda item: item[0])
    (x0, y0, _), (x1, y1, _) = known[0], known[-1]
    if x1 <= x0 or y1 == y0:
        return None
    sign = 1 if axis.maximise else -1
    above = [(sign * (y - y0 - (y1 - y0) * (x - x0) / (x1 - x0)), p) for x, y, p in known]
    height, point = max(above, key=lambda item: item[0])
    return point if height > 0 else None


def packages_of(run: Run) -> str:
    """What stands before a command on this run: the named packages that it needs; empty where all is installed."""
    study = run.study
    used = {("flows", study.flow.name)}
    if isinstance(study, Study):
        used |= {("tasks", study.task), *(("families", name) for name in study.named)}
        used |= {("flows", choice.flow.name) for choice in study.families}
    return naming(used)


def _next(run: Run, best: Point | None, command: str) -> list[Command]:
    folder, codesign = shell(command), f"{packages_of(run)}codesign"
    again = f"{codesign} run {folder}/study.yaml --run {folder}"
    if best is None:
        more = [] if run.imported else [Command("go on searching", again)]
        return [*more, Command("see what this machine lacks", "codesign doctor")]
    number = best.trial.number
    found = []
    if best.verified is None:
        found.append(Command(f"prove trial {number} bit for bit", f"{codesign} verify {folder} {number}"))
    found.append(Command(f"pack trial {number} for who builds the trigger", f"{codesign} handoff {folder} {number}"))
    if best.verified is not None and best.waves is None:
        found.append(Command("look at its waveform", f"{codesign} verify {folder} {number} --waves"))
    found.append(Command("every plot as PDF, for a paper or a talk", f"{codesign} report {folder} --figures"))
    if isinstance(run.study, Study):
        trials = max(2 * run.study.search.trials, len(run.trials) + 8)
        found.append(
            Command("finish the search", again)
            if run.provisional
            else Command("search on from here", f"{again} --trials {trials}")
        )
    return found
