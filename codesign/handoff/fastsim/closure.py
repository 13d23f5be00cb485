"""Closure of a parametrisation: what the tables foretell for events they have not seen, beside what happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Plot, Series
from codesign.handoff.fastsim.grid import LEAST, Estimate, cells
from codesign.tasks.outcome import Axis

__all__ = ("closure_along", "closure_plot")

Array = NDArray[np.float64]


def closure_along(
    name: str, axes: Sequence[Axis], along: int, table: tuple[Array, Array], values: Array, estimate: Estimate
) -> list[dict[str, float | str]]:
    """One entry for each bin of one axis with enough rows: ``predicted`` and ``observed`` with their errors.

    Predicted is the mean of the table over the rows of the bin; its error takes the errors of the table's bins as
    independent, each weighted by its share of the rows.
    """
    place = cells(axes)
    bins = axes[along].bins()
    value, error = (t.ravel() for t in table)
    found: list[dict[str, float | str]] = []
    for number in range(axes[along].size):
        here = bins == number
        if here.sum() < LEAST:
            continue
        share = np.bincount(place[here], minlength=len(value)) / here.sum()
        observed, spread = estimate(values[here])
        axis = axes[along]
        where: dict[str, float | str] = (
            {"bin": axis.names[number]}
            if axis.names
            else {"low": float(axis.edges[number]), "high": float(axis.edges[number + 1])}
        )
        found.append(
            {
                "axis": name,
                **where,
                "rows": int(here.sum()),
                "predicted": float(share @ value),
                "predicted_error": float(np.sqrt((share**2) @ (error**2))),
                "observed": observed,
                "observed_error": spread,
            }
        )
    return found


def closure_plot(quantity: str, axis: str, entries: Sequence[dict[str, float | str]], log_x: bool) -> Plot:
    """Predicted and observed against one axis, each with a band of one standard deviation."""
    if all("low" in e for e in entries):
        x = [(float(e["low"]) + float(e["high"])) / 2 for e in entries]
    else:
        x = [float(i) for i in range(len(entries))]
    series = []
    for what, dashed in (("observed", False), ("predicted", True)):
        y, error = (np.array([float(e[key]) for e in entries]) for key in (what, f"{what}_error"))
        series.append(
            Series(label=what, x=x, y=y.tolist(), low=(y - error).tolist(), high=(y + error).tolist(), dashed=dashed)
        )
    return Plot(
        name=f"{quantity}-{axis}",
        title=f"Closure of the {quantity}",
        x_label=axis,
        y_label=quantity,
        log_x=log_x,
        series=series,
        caption="Tables made on the validation split (dashed), beside the emulated trigger on the test split.",
    )
