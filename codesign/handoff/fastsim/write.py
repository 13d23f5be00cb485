"""Fit the tables on the validation split, and confront them with the test split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Plot
from codesign.core.runfolder import write_atomically
from codesign.data.sample import Part
from codesign.handoff.fastsim.closure import closure_along, closure_plot
from codesign.handoff.fastsim.correction_tables import write_tables
from codesign.handoff.fastsim.delphes_card import MAPPED, write_card
from codesign.handoff.fastsim.grid import Estimate, efficiency, estimated, middle, width
from codesign.tasks.jets.response import resolution
from codesign.tasks.outcome import Outcome, Tabulated
from codesign.tasks.problem import Problem

__all__ = ("write_fast_simulation",)

Scores = NDArray[np.float64]

_QUANTITIES: dict[str, tuple[str, Estimate, str]] = {
    "efficiency": ("passed", efficiency, "share that passes the trigger"),
    "response": ("response", middle, "median of measured over generated pT"),
    "resolution": ("response", width, "half the 16 to 84 % width of the response over its median"),
}


def write_fast_simulation(
    problem: Problem, points: dict[str, float], validation: tuple[Part, Scores], test: tuple[Part, Scores], folder: Path
) -> bool:
    """Write what the task can give of a trigger for generator-level work; whether it could give anything.

    ``parametrisation.json`` (correctionlib): efficiency, response and resolution with an ``_error`` table each;
    ``closure.json`` and ``closure/*.svg``: the tables, fitted on the validation split, beside the test split;
    ``delphes.tcl``: the efficiency in pT and eta as a module of a Delphes card; ``correction.json`` (correctionlib) and
    ``correction-loss.json``: the network's correction as a table, and what the table loses in resolution on the test
    split. ``points`` are the working points of the trial.
    """
    written = False
    made, unseen = (problem.outcome(scores, part, points) for part, scores in (validation, test))
    if made is not None and unseen is not None:
        written |= _parametrise(made, unseen, folder)
    table, judged = (problem.table(scores, part) for part, scores in (validation, test))
    if table is not None and judged is not None:
        _tabulate(table, judged, folder)
        written = True
    return written


def _parametrise(made: Outcome, unseen: Outcome, folder: Path) -> bool:
    axes = list(made.axes.values())
    tables: dict[str, tuple[str, NDArray[np.float64]]] = {}
    entries: dict[str, list[dict[str, float | str]]] = {}
    plots: list[Plot] = []
    for quantity, (source, estimate, meaning) in _QUANTITIES.items():
        fitted, seen = getattr(made, source), getattr(unseen, source)
        if fitted is None or seen is None:
            continue
        table = estimated(np.asarray(fitted, dtype=np.float64), axes, estimate)
        tables[quantity] = (meaning, table[0])
        tables[f"{quantity}_error"] = (f"standard error of: {meaning}", table[1])
        if quantity == "resolution":
            continue  # the width of a mixture of bins is not the mean of their widths: no closure of this kind
        others = list(unseen.axes.values())
        for along, name in enumerate(made.axes):
            found = closure_along(name, others, along, table, np.asarray(seen, dtype=np.float64), estimate)
            entries.setdefault(quantity, []).extend(found)
            if len(found) > 1:
                plots.append(closure_plot(quantity, name, found, log_x=name.endswith("Pt")))
    if not tables:
        return False
    if made.passed is not None and all(name in made.axes for name in MAPPED):
        pt, eta = (made.axes[name] for name in MAPPED)
        write_card(folder / "delphes.tcl", pt, eta, estimated(made.passed.astype(np.float64), [pt, eta], efficiency)[0])
    write_tables(folder / "parametrisation.json", made.axes, tables, "Trigger as seen from generated objects")
    write_atomically(folder / "closure.json", _text({q: {"bins": e} | _pulls(e) for q, e in entries.items()}))
    from codesign.report.plot_picture import plot_pictures

    plot_pictures(plots, folder / "closure")
    return True


def _pulls(entries: list[dict[str, float | str]]) -> dict[str, float]:
    """How far predicted and observed lie apart: the mean of the squared pulls (1 where the errors say it all), and the
    largest difference."""
    difference = np.array([float(e["predicted"]) - float(e["observed"]) for e in entries])
    error = np.array([np.hypot(float(e["predicted_error"]), float(e["observed_error"])) for e in entries])
    return {
        "mean_squared_pull": float(((difference / np.maximum(error, 1e-12)) ** 2).mean()),
        "largest_difference": float(np.abs(difference).max()),
    }


def _tabulate(made: Tabulated, unseen: Tabulated, folder: Path) -> None:
    axes = list(made.axes.values())
    value, error = estimated(made.factor, axes, middle)
    tables = {
        "correction": ("factor on JetPt: median of the network's", value),
        "correction_error": ("standard error of that median", error),
    }
    bins = tuple(axis.bins() for axis in unseen.axes.values())
    found: dict[str, dict[str, float]] = {}
    for name, factor in (("network", unseen.factor), ("table", value[bins])):
        judged = resolution(factor / unseen.right)
        found[name] = {"resolution": judged.value, "error": judged.error}
    found["loss"] = {"resolution": found["table"]["resolution"] / found["network"]["resolution"] - 1}
    found["distance"] = distance = _distance(value[bins], unseen.factor)
    write_tables(
        folder / "correction.json",
        made.axes,
        tables,
        "The network's correction of jets, in bins. It is not the network: on the test split the table's factor is "
        f"{100 * distance['median']:.1f} % from the network's in the middle, {100 * distance['within_95']:.1f} % at "
        f"most for 95 % of the jets, {100 * distance['largest']:.0f} % for the worst; resolution "
        f"{100 * found['loss']['resolution']:+.1f} %",
    )
    write_atomically(folder / "correction-loss.json", _text(found))


def _distance(table: Scores, network: Scores) -> dict[str, float]:
    """How far the table's factors are from the network's, jet by jet, as shares of the network's."""
    apart = np.abs(table / network - 1)
    return {
        "median": float(np.median(apart)),
        "within_95": float(np.quantile(apart, 0.95)),
        "largest": float(apart.max()),
        "jets": float(len(apart)),
    }


def _text(content: Any) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()
