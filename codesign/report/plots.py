"""What the browser draws: the trials as columns, the views of the front, and the tasks' plots as plotly figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from codesign.core.figures import QUANTITIES, Fidelity
from codesign.core.quoting import plotly
from codesign.core.records import Metric, Plot, Series
from codesign.report import words
from codesign.report.collect import Point, Run, Trial

__all__ = ("DASHES", "PALETTE", "curves", "describe", "front_data", "holds", "physics_figure", "roc_areas")

#: Okabe and Ito's colours, which stay apart for every kind of colour vision; black is the baseline's
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
#: what a search measures for every trial, cheap enough for that
_EVERY_TRIAL = (Fidelity.COMPILED, Fidelity.ANALYTIC)
_FRONT = (Fidelity.VENDOR, Fidelity.PLACED, Fidelity.SYNTHESISED, Fidelity.SIMULATED, *_EVERY_TRIAL)
_LONGEST = 400  # points of a line: more than a plot has pixels


def _round(value: float) -> float:
    return float(f"{value:.5g}")


# --- the trials and the front -------------------------------------------------------------------------------------


def front_data(run: Run) -> dict[str, Any]:
    """Everything the scripts need: two tables (all trials, front), and the views that the plot offers of them.

    A view shows one table at one fidelity, so that two fidelities never meet in a plot.
    """
    metrics = run.metric_names()
    # of a ladder with rungs of measurement, more than the front was measured there
    every = run.figure_columns((*_EVERY_TRIAL, *(f.fidelity for f in run.fronts[1:])))
    front = [(q, f) for f in _FRONT for q in QUANTITIES if any(_has(p, q, f) for p in run.points)]
    verdicts = {p.trial.number: _verdict(p) for p in run.points}
    tables: dict[str, Any] = {
        "all": {
            "columns": _columns(run, metrics, every),
            "rows": [_row(t, t.metrics, t.figures, metrics, every, verdicts) for t in run.trials],
        }
    }
    whose = "All models" if run.imported else "All trials"
    views = _views("all", f"{whose}: {run.judged_on}", every, run, run.baseline.validation if run.baseline else {})
    if not run.provisional and not run.imported:  # which has its metrics on the same events
        tables["front"] = {
            "columns": _columns(run, metrics, front),
            "rows": [_row(p.trial, p.test, p.figures, metrics, front, verdicts) for p in run.points],
        }
        views += _views("front", "Front: test split", front, run, run.baseline.test if run.baseline else {})
    return {
        "tables": tables,
        "views": views,
        "baseline": run.baseline.short if run.baseline else "",
        "constraints": [{"name": c.name, "min": c.min, "max": c.max} for c in run.constraints],
        "points": [p.trial.number for p in run.points],
        "provisional": run.provisional,
        "judged_on": run.judged_on,
    } | _families(run)


def _families(run: Run) -> dict[str, Any]:
    """Of a study of several families, the one of each trial, and a colour of each; of one, nothing."""
    names = list(dict.fromkeys(t.family for t in run.trials if t.family))
    if not names:
        return {}
    colours = [[name, PALETTE[i % len(PALETTE)]] for i, name in enumerate(names)]
    return {"families": colours, "family": {t.number: t.family for t in run.trials}}


def _has(point: Point, quantity: str, fidelity: Fidelity) -> bool:
    return any(f.quantity == quantity and f.fidelity == fidelity for f in point.figures)


def _verdict(point: Point) -> str:
    if point.verified is None:
        return "unverified"
    return "exact" if point.verified.exact else "different"


def _columns(run: Run, metrics: list[str], figures: list[tuple[str, Fidelity]]) -> list[dict[str, Any]]:
    directions = {a.name: a.maximise for a in run.objectives}
    made: list[dict[str, Any]] = [
        {"kind": "metric", "name": m, "label": words.quantity(m), "fidelity": None} for m in metrics
    ] + [
        {"kind": "figure", "name": q, "label": words.quantity(q), "fidelity": f.value, "count": words.counted(q)}
        for q, f in figures
    ]
    for column in made:
        column["objective"] = column["name"] in directions
        column["maximise"] = directions.get(column["name"])
    return made


def _row(
    trial: Trial,
    metrics: dict[str, Metric],
    figures: list[Any],
    names: list[str],
    columns: list[tuple[str, Fidelity]],
    verdicts: dict[int, str],
) -> list[Any]:
    """``[number, state, verdict, configuration, seconds, reason, [values]]``; a metric is a pair of value and error."""
    known = {(f.quantity, f.fidelity): _round(f.value) if f.value % 1 else int(f.value) for f in figures}
    values: list[Any] = [
        [_round(metrics[n].value), _round(metrics[n].error)] if n in metrics else None for n in names
    ] + [known.get(column) for column in columns]
    seconds = round(trial.seconds, 1) if trial.seconds is not None else None
    reason = trial.reason or ""
    if trial.stage and trial.state in ("failed", "running"):
        reason = f"{trial.stage}: {reason}" if reason else f"stage: {trial.stage}"
    config = words.config(trial.config)
    return [trial.number, trial.state, verdicts.get(trial.number, ""), config, seconds, reason, values]


def _views(
    table: str, label: str, figures: list[tuple[str, Fidelity]], run: Run, baseline: dict[str, Metric]
) -> list[dict[str, Any]]:
    fidelities = list(dict.fromkeys(f for _, f in figures))
    bands = {n: [m.value, m.error] for n, m in baseline.items()}
    goals = [a.name for a in run.objectives]
    return [
        {
            "table": table,
            "label": f"{label}, {f.value} figures",
            "fidelity": f.value,
            "baseline": bands,
            "goals": goals,
            "members": run.members(f),
        }
        for f in fidelities
    ]


# --- the tasks' plots ---------------------------------------------------------------------------------------------


#: of the design, then of each baseline: plotly's names, which matplotlib's line styles follow in the same order
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
#: the same in SVG, for the legend
STROKES = ("", "8 4", "2 3", "8 3 2 3", "14 4")
#: of a plot with one line, and of what is no baseline of anything, such as a threshold
_INK = "#333333"
_BASELINE_OF_OLD = re.compile(r"(.+) \((.+)\)")


@dataclass(frozen=True)
class DrawnCurve:
    """A line as it is drawn: of one colour what is of one class, of one dash what is of one source."""

    series: Series
    label: str
    colour: str
    dash: int

    @property
    def stroke(self) -> str:
        """The dash as SVG writes it."""
        return STROKES[self.dash]


def holds(plot: Plot) -> bool:
    """Whether there is anything to see: a line of two points, or a matrix that is not all zeros."""
    if plot.matrix is not None:
        return any(value for row in plot.matrix for value in row)
    return any(len(series.x) > 1 and len(set(series.x)) + len(set(series.y)) > 2 for series in plot.series)


def curves(plot: Plot, areas: dict[tuple[str, str], Metric] | None = None) -> list[DrawnCurve]:
    """The lines of a plot with their colours, dashes and labels; with the areas under ROC curves by (of, source)."""
    found: list[tuple[Series, str, str]] = []
    for series in plot.series:
        of, source = series.of or series.label, series.source
        # what earlier releases wrote: the class, and whose it is in brackets
        if series.dashed and not source and (old := _BASELINE_OF_OLD.fullmatch(series.label)):
            of, source = old[1], old[2]
        found.append((series, of, source))
    things = list(dict.fromkeys(of for series, of, source in found if not series.dashed or source))
    sources = list(dict.fromkeys(source for _, _, source in found if source))
    made = []
    for series, of, source in found:
        known = of in things
        colour = PALETTE[things.index(of) % len(PALETTE)] if known else _INK
        dash = 1 + sources.index(source) % (len(DASHES) - 1) if source else int(series.dashed)
        area = (areas or {}).get((of, source))
        label = f"{series.label}: AUC {words.measurement(area)}" if area and plot.name == "roc" else series.label
        made.append(DrawnCurve(series, label, colour, dash))
    return made


def roc_areas(run: Run, point: Point) -> dict[tuple[str, str], Metric]:
    """``auc_<class>`` of a design and of the baselines, by class and source (empty: the design's)."""
    found = {(n.removeprefix("auc_"), ""): m for n, m in point.test.items() if n.startswith("auc_")}
    for number, base in enumerate(run.baselines):
        names = {base.name, base.short} | ({"baseline"} if number == 0 else set())
        found |= {(n.removeprefix("auc_"), s): m for n, m in base.test.items() if n.startswith("auc_") for s in names}
    return found


def physics_figure(plot: Plot, areas: dict[tuple[str, str], Metric] | None = None) -> dict[str, Any]:
    """A plotly figure (data and layout) of one of a task's plots."""
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": plotly(plot.x_label)}, **_scale(plot.log_x)},
        "yaxis": {"title": {"text": plotly(plot.y_label)}, **_scale(plot.log_y)},
    }
    if plot.matrix is not None:
        return {"data": [_heatmap(plot)], "layout": _matrix_layout(plot, layout)}
    data: list[dict[str, Any]] = []
    for curve in curves(plot, areas):
        data += _lines(curve, plot)
    return {"data": data, "layout": layout}


def _scale(log: bool) -> dict[str, Any]:
    """Decades have numbers, and what lies between them small ticks."""
    return {"type": "log", "dtick": 1, "minor": {"ticks": "outside", "dtick": "D1"}} if log else {"type": "linear"}


def _lines(curve: DrawnCurve, plot: Plot) -> list[dict[str, Any]]:
    series, colour = curve.series, curve.colour
    keep = _thin(len(series.x))
    x = [_round(series.x[i]) for i in keep]
    y = [_round(series.y[i]) for i in keep]
    name = plotly(curve.label)
    made: list[dict[str, Any]] = []
    if series.low is not None and series.high is not None:
        low, high = [_round(series.low[i]) for i in keep], [_round(series.high[i]) for i in keep]
        if plot.log_y:  # a band that reaches zero ends a decade below its line, the axis has no zero
            low = [a if a > 0 else max(b, 1e-12) / 10 for a, b in zip(low, y, strict=True)]
        made.append(
            {
                "type": "scatter", "mode": "lines", "x": x + x[::-1], "y": high + low[::-1], "fill": "toself",
                "fillcolor": _transparent(colour, 0.10 if curve.dash else 0.20), "line": {"width": 0},
                "hoverinfo": "skip", "showlegend": False,
            }
        )  # fmt: skip
    made.append(
        {
            "type": "scatter", "mode": "lines+markers" if len(x) <= 12 else "lines", "x": x, "y": y, "name": name,
            "showlegend": False,
            "line": {"color": colour, "width": 1.6 if curve.dash else 2.2, "dash": DASHES[curve.dash]},
        }
    )  # fmt: skip
    return made


def _thin(n: int) -> list[int]:
    """Indices of at most ``_LONGEST`` points, the first and the last always among them."""
    if n <= _LONGEST:
        return list(range(n))
    return sorted({round(i * (n - 1) / (_LONGEST - 1)) for i in range(_LONGEST)})


def _transparent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _heatmap(plot: Plot) -> dict[str, Any]:
    assert plot.matrix is not None
    rows, columns = len(plot.matrix), max((len(r) for r in plot.matrix), default=0)
    labels = {"x": list(range(columns)), "y": list(range(rows))}  # positions: two classes may share a name
    text = {"texttemplate": "%{z:.3g}"} if rows * columns <= 150 else {}
    return {
        "type": "heatmap", "z": [[_round(v) for v in row] for row in plot.matrix],
        "colorscale": [[0, "#FFFFFF"], [0.5, "#6BAED6"], [1, "#08306B"]],
        "colorbar": {"thickness": 10, "outlinewidth": 0}, "hovertemplate": "%{z:.4g}<extra></extra>", **labels, **text,
    }  # fmt: skip


def _matrix_layout(plot: Plot, layout: dict[str, Any]) -> dict[str, Any]:
    for axis, ticks in (("xaxis", plot.x_ticks), ("yaxis", plot.y_ticks)):
        layout[axis] |= {"type": "linear", "showgrid": False, "zeroline": False}
        if ticks:
            layout[axis] |= {"tickvals": list(range(len(ticks))), "ticktext": [plotly(t) for t in ticks]}
    layout["yaxis"]["autorange"] = "reversed"  # row 0 at the top
    return layout


def describe(plot: Plot) -> str:
    """The plot in words, for who does not see it."""
    axes = f"{plot.title}: {plot.y_label} against {plot.x_label}."
    if plot.matrix is not None:
        names = plot.y_ticks or [str(i) for i in range(len(plot.matrix))]
        rows = [
            f"{name}: {', '.join(words.number(_round(v)) for v in row)}"
            for name, row in zip(names, plot.matrix, strict=False)
        ]
        return f"{axes} Rows: {'; '.join(rows)}." if len(rows) <= 12 else axes
    lines = [
        f"{s.label} from ({words.number(s.x[0])}, {words.number(_round(s.y[0]))}) to "
        f"({words.number(s.x[-1])}, {words.number(_round(s.y[-1]))})"
        for s in plot.series
        if s.x and s.y
    ]
    return f"{axes} Lines: {'; '.join(lines)}."
