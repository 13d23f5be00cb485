"""Write the report: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.core.figures import QUANTITIES, Fidelity, Figure, find
from codesign.core.records import InputImportance, Metric, Plot
from codesign.report import plots, words
from codesign.report.answer import FirstScreen, answer, asked, costs_of, ordered, packages_of
from codesign.report.bars import BudgetBar, budget_bars
from codesign.report.choices import importances, parallel
from codesign.report.collect import Point, Run, collect
from codesign.report.designs import design_rows
from codesign.report.difference_words import Difference, against
from codesign.report.explained import Story, stories
from codesign.report.failures import reasons
from codesign.report.family_rows import family_rows, flows_of
from codesign.report.front_drawing import FrontDrawing, draw_front
from codesign.report.front_groups import groups_of
from codesign.report.hypervolume import progress
from codesign.report.layers import Drawing, LayerRow, draw, layers
from codesign.report.page import page
from codesign.report.place import owner_of, write_page
from codesign.report.waterfall import WaterfallStep, waterfall

__all__ = ("write_report",)

_SCRIPTS = ("base.js", "budgets.js", "plots.js", "search.js", "compare.js", "table.js")
_ORDER = (
    Fidelity.ANALYTIC, Fidelity.COMPILED, Fidelity.SYNTHESISED, Fidelity.PLACED, Fidelity.VENDOR, Fidelity.SIMULATED,
)  # fmt: skip
#: what a reader looks for in every design, so that its absence is stated
_EXPECTED = ("lut", "ff", "dsp", "bram", "latency_cycles", "latency_ns", "initiation_interval", "fmax")


def write_report(run: Path, output: Path | None = None, force: bool = False) -> Path:
    """Write the report of a run, finished or not, and return its path.

    ``output`` is an .html file, or a folder that gets an ``index.html``; by default ``reports/<run folder's name>``. An
    earlier report of the same run is replaced; InputError where anything else lies there, unless ``force``.
    """
    collected = collect(Path(run))
    return write_page(output, Path(run).resolve().name, owner_of(collected.path), render(collected), force)


def render(run: Run) -> str:
    """The report as HTML."""
    data = plots.front_data(run)
    grown = progress(run.trials, run.objectives)
    data |= {"parallel": parallel(run), "progress": grown, "designs": [design_rows(run, p) for p in ordered(run)]}
    data["physics"] = {
        f"plot-{p.trial.number}-{i}": plots.physics_figure(plot, plots.roc_areas(run, p))
        for p in run.points
        for i, plot in enumerate(p.plots)
        if plots.holds(plot)
    }
    found = answer(run, _typed(run.path))
    sections = {p.trial.number: _section(run, p) for p in run.points}
    families, whole = family_rows(run)
    groups = groups_of(run, plots.PALETTE)
    return page(
        "report.html.j2",
        _SCRIPTS,
        data,
        run=run,
        owner=owner_of(run.path),
        asked=asked(run),
        answer=found,
        packages=packages_of(run),
        typed=_typed(run.path),
        drawings=_drawings(run, found, groups.colours),
        colours=groups.legend,
        sections=sections,
        overview=_overview(run),
        progress=grown if len({volume for _, volume in grown}) > 1 else [],
        parallel=bool(data["parallel"]["rows"]) and len(data["parallel"]["axes"]) > 1,
        last_gain=next((n for n, v in grown if v == grown[-1][1]), None),
        importances=importances(run),
        reasons=reasons(run),
        sample=words.sample(run.sample),
        states=words.STATES,
        families=families,
        whole=whole,
        flows=flows_of(run),
    )


def _typed(path: Path) -> str:
    """The run folder as one types it where it was made: within ``runs``, where it lies there."""
    return f"runs/{path.name}" if path.parent.name == "runs" else path.name


def _drawings(run: Run, found: FirstScreen, colours: dict[int, str]) -> list[tuple[str, FrontDrawing]]:
    """The picture for a wide and for a narrow screen."""
    made = ((kind, draw_front(run, found, w, h, colours)) for kind, w, h in (("wide", 680, 500), ("narrow", 350, 350)))
    return [(kind, drawing) for kind, drawing in made if drawing is not None]


@dataclass(frozen=True)
class TableColumn:
    """One column of figures: one fidelity, one tool, one version."""

    fidelity: str
    tool: str
    version: str


@dataclass(frozen=True)
class Cell:
    """One figure in a table; None stands for what was not measured. ``expected``: what a closer tool should find."""

    exact: float
    value: str
    share: str
    expected: str
    source: str


@dataclass(frozen=True)
class Section:
    """What the section of one point shows."""

    point: Point
    layers: list[LayerRow]
    drawing: Drawing | None
    columns: list[TableColumn]
    rows: list[tuple[str, list[Cell | None]]]
    metrics: list[str]
    descriptions: list[str]
    clash: str | None
    calibration: str
    bars: list[BudgetBar]
    inputs: InputImportance | None
    steps: list[WaterfallStep]
    stories: list[Story]
    #: (input, loss, share of the largest in percent), the most important first
    ranked: list[tuple[str, Metric, float]]
    #: the same of items
    ranked_items: list[tuple[str, Metric, float]]
    #: plots that hold something, with their places among all of the design
    plots: list[tuple[int, Plot, list[plots.DrawnCurve]]]
    #: of each baseline and metric, what this design has more
    differences: list[dict[str, Difference]]
    events: str
    #: what a reader has to know of the metrics
    definitions: list[str]
    #: (words, fidelity, exact value) of logic and latency
    costs: list[tuple[str, str, float]]


def _section(run: Run, point: Point) -> Section:
    boundary = point.boundary
    n = boundary.quantisation.port.size if boundary else None
    m = boundary.outputs.size if boundary else None
    found = layers(point.trial.config, n, m, point.layers)
    ends = ("", "")
    if boundary:
        ends = (
            _widths([t.width for t in boundary.quantisation.types]),
            _widths([t.width for t in boundary.outputs.types]),
        )
    columns, rows = _figure_table(run, point.figures)
    return Section(
        point=point,
        layers=found,
        drawing=draw(found, *ends),
        columns=columns,
        rows=rows,
        metrics=[name for name in run.metric_names() if name in point.test or name in point.trial.metrics],
        descriptions=[plots.describe(p) for p in point.plots],
        clash=_clash(point),
        calibration="; ".join(dict.fromkeys(f.expected.source for f in point.figures if f.expected)),
        bars=budget_bars(run, point),
        inputs=point.inputs,
        steps=waterfall(run, point, found),
        stories=stories(point),
        ranked=_rank(point.inputs.inputs if point.inputs else {}),
        ranked_items=_rank(point.inputs.items if point.inputs else {}),
        plots=_plots(run, point),
        differences=[
            {n: d for n in run.metric_names() if (d := against(run, point, n, base)) is not None}
            for base in run.baselines
        ],
        events="given events" if run.imported else "test",
        definitions=words.definitions(run.metric_names()),
        costs=costs_of(point),
    )


def _plots(run: Run, point: Point) -> list[tuple[int, Plot, list[plots.DrawnCurve]]]:
    areas = plots.roc_areas(run, point)
    return [(i, plot, plots.curves(plot, areas)) for i, plot in enumerate(point.plots) if plots.holds(plot)]


def _rank(losses: Mapping[str, Metric]) -> list[tuple[str, Metric, float]]:
    ordered = sorted(losses.items(), key=lambda item: -item[1].value)
    largest = max((m.value for _, m in ordered), default=0.0)
    return [(name, m, max(0.0, 100 * m.value / largest) if largest > 0 else 0.0) for name, m in ordered]


def _widths(widths: list[int]) -> str:
    low, high = min(widths, default=0), max(widths, default=0)
    return f"{low} bit" if low == high else f"{low}–{high} bit"


def _figure_table(run: Run, figures: list[Figure]) -> tuple[list[TableColumn], list[tuple[str, list[Cell | None]]]]:
    ordered = sorted(figures, key=lambda f: _ORDER.index(f.fidelity))
    keys = list(dict.fromkeys((f.fidelity, f.tool, f.version) for f in ordered))
    known = {(str(f.quantity), (f.fidelity, f.tool, f.version)): f for f in figures}
    parts = run.target.resources if run.target else None
    rows: list[tuple[str, list[Cell | None]]] = []
    for quantity in QUANTITIES:
        if quantity not in _EXPECTED and not any(f.quantity == quantity for f in figures):
            continue
        cells: list[Cell | None] = []
        for key in keys:
            figure = known.get((quantity, key))
            if figure is None:
                cells.append(None)
                continue
            whole = getattr(parts, quantity, None) if parts else None
            share = words.share(figure.value / whole) if figure.value and whole else ""
            more = figure.expected
            cells.append(
                Cell(
                    figure.value,
                    words.figure(figure.quantity, figure.value),
                    share,
                    words.expectation(more) if more else "",
                    more.source if more else "",
                )
            )
        rows.append((words.quantity(quantity), cells))
    return [TableColumn(f.value, tool, version) for f, tool, version in keys], rows


def _clash(point: Point) -> str | None:
    """A measured latency beyond what the compiler promised.

    That pipelined RTL has exactly the latency it claims is part of its verdict; of RTL with a handshake only an upper
    bound is known before the simulation.
    """
    promised = find(point.figures, "latency_cycles", Fidelity.COMPILED)
    measured = point.verified.latency_cycles if point.verified else None
    if promised is None or measured is None or measured <= promised.value:
        return None
    return f"the simulation measured {measured} cycles, the compiler promised {promised.value:g}"


@dataclass(frozen=True)
class Overview:
    """The front at a glance: metrics on one split, and the objectives' quantities, one column per fidelity."""

    points: list[Point]
    metrics: list[str]
    columns: list[tuple[str, str]]
    cells: list[list[tuple[str, float] | None]]
    #: of each point, the fidelities whose front it is on; empty where there is one front only
    fronts: list[str]


def _overview(run: Run) -> Overview:
    names = [a.name for a in run.objectives if a.fidelity]
    keys = [
        (q, f)
        for q in names
        for f in _ORDER
        if any(find(p.figures, q, f) is not None for p in run.points)
    ]  # fmt: skip
    cells = []
    for point in (points := ordered(run)):
        found = (find(point.figures, q, f) for q, f in keys)
        cells.append([(words.figure(f.quantity, f.value), f.value) if f else None for f in found])
    metrics = [a.name for a in run.objectives if not a.fidelity] or run.metric_names()[:1]
    fronts = [", ".join(f.fidelity for f in run.fronts if p.trial.number in f.trials) for p in points]
    return Overview(
        points, metrics, [(words.quantity(q), f.value) for q, f in keys], cells, fronts if run.fronts else []
    )
