"""The front in a terminal: a table, and a plot of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codesign.core.records import State
from codesign.report import words
from codesign.report.answer import answer, closest, cost_axis, latency_of, metric_axis, ordered
from codesign.report.collect import Run, collect
from codesign.report.difference_words import against

__all__ = ("front_lines", "front_rows", "plot_lines")

#: what is drawn later covers what is drawn before
_MARKS = {"other": "·", "front": "o", "best": "◆"}


def front_rows(run: Path) -> list[dict[str, Any]]:
    """The designs of the front, the best first: metric on the test split, figures closest to the chip."""
    return _rows(collect(Path(run)))


def front_lines(run: Path, width: int, height: int = 16) -> list[str]:
    """What ``codesign front`` prints: the answer, the plot, and what its marks are."""
    found = collect(Path(run))
    best = answer(found, "").best
    lines = []
    points = _points(found, best.trial.number if best else None)
    y_axis, x_axis = metric_axis(found), cost_axis(found)
    if len(points) > 1 and y_axis and x_axis:
        base = found.baseline.validation.get(y_axis.name) if found.baseline else None
        level = base.value if base else None
        fidelity = f" ({x_axis.fidelity})" if x_axis.fidelity else ""
        lines += ["", f"{words.quantity(y_axis.name)} ({found.judged_on})"]
        lines += plot_lines(points, width, height, level)
        lines.append(f"{words.quantity(x_axis.name)}{fidelity}".rjust(width))
        marks = "◆ best   o front   · other trials within the constraints"
        lines.append(f"{marks}   - - {found.baseline.short}" if base and found.baseline else marks)
    return lines


def _rows(run: Run) -> list[dict[str, Any]]:
    axis, rows = metric_axis(run), []
    for point in ordered(run):
        values = point.trial.metrics if run.provisional else point.test
        row: dict[str, Any] = {"trial": point.trial.number}
        if axis:
            split = "validation" if run.provisional else "events" if run.imported else "test"
            row[f"{axis.name} ({split})"] = words.measurement(values[axis.name]) if axis.name in values else None
            found = against(run, point, axis.name)
            row["less baseline"] = (
                f"{found.text} {found.verdict}{'' if found.paired else ', not paired'}" if found else None
            )
        for name, figure in (
            ("LUT", closest(point, "lut")), ("FF", closest(point, "ff")), ("latency [ns]", latency_of(point)),
        ):  # fmt: skip
            row[name] = f"{words.figure(figure.quantity, figure.value)} {figure.fidelity}" if figure else None
        verdict = point.verified
        row["exact in"] = (
            None if verdict is None else verdict.proven if verdict.exact else f"{verdict.proven} NOT EXACT"
        )
        rows.append(row)
    return rows


def _points(run: Run, best: int | None) -> list[tuple[float, float, str]]:
    """(cost, metric, kind) of the feasible trials, in the order in which they are drawn."""
    y_axis, x_axis = metric_axis(run), cost_axis(run)
    if y_axis is None or x_axis is None:
        return []
    on_front = {p.trial.number for p in run.points}
    made = []
    for trial in run.trials:
        x, y = trial.value(x_axis), trial.value(y_axis)
        if x is None or y is None or x <= 0 or trial.state != State.COMPLETE.value:
            continue
        kind = "best" if trial.number == best else "front" if trial.number in on_front else "other"
        made.append((x, y, kind))
    return sorted(made, key=lambda point: list(_MARKS).index(point[2]))


def plot_lines(points: Sequence[tuple[float, float, str]], width: int, height: int, level: float | None) -> list[str]:
    """A plot of characters, ``height`` rows of at most ``width``: the cost to the right (logarithmic over a decade and
    more), and a dashed line at ``level``."""
    xs, ys = [x for x, _, _ in points], [y for _, y, _ in points]
    log = max(xs) > 8 * min(xs)
    place = math.log if log else float
    low_y, high_y = (
        min([*ys, *([level] if level is not None else [])]),
        max([*ys, *([level] if level is not None else [])]),
    )
    digits = max(0, 2 - math.floor(math.log10((high_y - low_y) or 1)))
    margin = max(len(f"{v:.{digits}f}") for v in (low_y, high_y)) + 1
    columns = max(10, width - margin - 2)
    rows = [[" "] * columns for _ in range(height)]

    def row(y: float) -> int:
        return height - 1 - round((y - low_y) / ((high_y - low_y) or 1) * (height - 1))

    if level is not None:
        for column in range(0, columns, 2):
            rows[row(level)][column] = "-"
    span = place(max(xs)) - place(min(xs)) or 1
    for x, y, kind in points:
        rows[row(y)][round((place(x) - place(min(xs))) / span * (columns - 1))] = _MARKS[kind]
    lines = []
    for number, cells in enumerate(rows):
        value = high_y - (high_y - low_y) * number / max(1, height - 1)
        tick = f"{value:.{digits}f}" if number % 5 == 0 or number == height - 1 else ""
        lines.append(f"{tick:>{margin}} |{''.join(cells)}".rstrip())
    lines.append(" " * margin + " +" + "-" * columns)
    ends = [f"{words.number(float(f'{v:.3g}'))}" for v in (min(xs), max(xs))]
    lines.append(" " * (margin + 2) + ends[0] + ends[1].rjust(columns - len(ends[0])))
    return lines
