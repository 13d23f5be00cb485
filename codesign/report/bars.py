"""Timing and utilisation of a design against its target and its study's budgets, as bars."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.core.figures import Fidelity, Figure, find
from codesign.report import words
from codesign.report.collect import Point, Run

__all__ = ("BudgetBar", "budget_bars")

_CLOSEST = (Fidelity.VENDOR, Fidelity.PLACED, Fidelity.SYNTHESISED, Fidelity.COMPILED, Fidelity.ANALYTIC)
_RESOURCES = ("lut", "ff", "dsp", "bram")
_LATENCIES = (Fidelity.SIMULATED, Fidelity.VENDOR, Fidelity.COMPILED, Fidelity.ANALYTIC)


@dataclass(frozen=True)
class BudgetBar:
    """A figure beside what it may be; ``percent`` of it. ``kept``: whether it is within."""

    name: str
    fidelity: str
    value: str
    budget: str
    percent: float
    kept: bool
    exact: float

    @property
    def share(self) -> str:
        """The share in words."""
        return words.share(self.percent / 100) if self.percent else "0 %"


def budget_bars(run: Run, point: Point) -> list[BudgetBar]:
    """The design's resources as shares of the part, each figure that the study bounds, and the clock."""
    made = []
    if run.target:
        for quantity in _RESOURCES:
            whole = getattr(run.target.resources, quantity, None)
            figure = _closest(point, quantity, _CLOSEST)
            if whole and figure:
                made.append(_bar(figure, float(whole), "on the part"))
        clock = _closest(point, "fmax", _CLOSEST)
        if clock and clock.value:
            share = 100 * run.target.clock_mhz / clock.value
            made.append(
                BudgetBar(
                    "clock", clock.fidelity.value, f"up to {words.number(clock.value)} MHz",
                    f"{words.number(run.target.clock_mhz)} MHz wanted", share, share <= 100, clock.value,
                )
            )  # fmt: skip
    for constraint in run.constraints:
        if constraint.fidelity is not None and constraint.max:
            # a latency has one bar for each way in which it is known: what the compiler promised, what was simulated
            known = _LATENCIES if constraint.name.startswith("latency") else (constraint.fidelity,)
            for fidelity in known:
                figure = find(point.figures, constraint.name, fidelity)
                if figure:
                    made.append(_bar(figure, constraint.max, "budget"))
    return made


def _closest(point: Point, quantity: str, order: tuple[Fidelity, ...]) -> Figure | None:
    return next((f for fidelity in order if (f := find(point.figures, quantity, fidelity))), None)


def _bar(figure: Figure, whole: float, of: str) -> BudgetBar:
    percent = 100 * figure.value / whole
    return BudgetBar(
        words.quantity(figure.quantity), figure.fidelity.value, words.figure(figure.quantity, figure.value),
        f"{words.number(whole)} {of}", percent, percent <= 100, figure.value,
    )  # fmt: skip
