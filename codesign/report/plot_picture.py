"""A task's plots as still pictures, in the experiments' style."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codesign.core.quoting import file_name, mathtext
from codesign.core.records import Metric, Plot
from codesign.report import words
from codesign.report.plots import curves, holds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ("LINES", "plot_pictures", "save_picture")

#: matplotlib's line styles, in the order of :data:`codesign.report.plots.DASHES`
LINES = ("-", "--", ":", "-.", (0, (8, 3)))


def plot_pictures(
    plots: Sequence[Plot],
    folder: Path,
    suffix: str = ".svg",
    prefix: str = "",
    areas: dict[tuple[str, str], Metric] | None = None,
) -> list[Path]:
    """Draw plots as ``folder/<prefix><name><suffix>``: lines with their bands, baselines dashed, and matrices.

    ``areas``: those under ROC curves, by what a curve is of and whose it is. A plot that holds nothing is left out.
    """
    import matplotlib
    import mplhep
    from matplotlib.figure import Figure as Canvas

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with matplotlib.rc_context({**mplhep.style.CMS, "svg.hashsalt": "codesign", "font.size": 14}):
        for plot in plots:
            if not holds(plot):
                continue
            canvas = Canvas(figsize=(8.6, 6.0), layout="constrained")
            axes = canvas.add_subplot()
            if plot.matrix is None:
                _draw_lines(axes, plot, areas)
            else:
                _draw_matrix(canvas, axes, plot)
            axes.set_xlabel(mathtext(plot.x_label))
            axes.set_ylabel(mathtext(plot.y_label))
            axes.set_title(mathtext(plot.title), fontsize=15)
            path = folder / f"{prefix}{file_name(plot.name)}{suffix}"
            save_picture(canvas, path)
            made.append(path)
    return made


def save_picture(canvas: Canvas, path: Path) -> None:
    """Write a picture without a date: the same numbers give the same file."""
    date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    canvas.savefig(path, metadata=date.get(path.suffix))


def _draw_lines(axes: Axes, plot: Plot, areas: dict[tuple[str, str], Metric] | None) -> None:
    found = curves(plot, areas)
    for curve in found:
        series = curve.series
        axes.plot(
            series.x,
            series.y,
            linestyle=LINES[curve.dash],
            color=curve.colour,
            linewidth=1.5 if curve.dash else 2.0,
            label=mathtext(curve.label),
        )
        if series.low is not None and series.high is not None:
            opacity = 0.10 if curve.dash else 0.20
            axes.fill_between(series.x, series.low, series.high, color=curve.colour, alpha=opacity, linewidth=0)
    axes.set_xscale("log" if plot.log_x else "linear")
    axes.set_yscale("log" if plot.log_y else "linear")
    axes.legend(fontsize=10 if len(found) <= 6 else 8, ncols=1 if len(found) <= 8 else 2)


def _draw_matrix(canvas: Canvas, axes: Axes, plot: Plot) -> None:
    assert plot.matrix is not None
    drawn = axes.imshow(plot.matrix, cmap="Blues", aspect="auto")
    canvas.colorbar(drawn, ax=axes, pad=0.02)
    largest = max((value for row in plot.matrix for value in row), default=0.0)
    for axis, ticks, n in (
        (axes.xaxis, plot.x_ticks, max(map(len, plot.matrix), default=0)),
        (axes.yaxis, plot.y_ticks, len(plot.matrix)),
    ):
        axis.set_ticks(range(n), [mathtext(t) for t in ticks] if ticks and len(ticks) == n else None)
        axis.set_tick_params(which="minor", length=0)
    if len(plot.matrix) <= 12:
        for i, row in enumerate(plot.matrix):
            for j, value in enumerate(row):
                colour = "white" if value > 0.6 * largest else "black"
                axes.text(
                    j, i, words.number(float(f"{value:.3g}")), ha="center", va="center", color=colour, fontsize=11
                )
