"""A task's plots as still pictures, in the experiments' style."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codesign.core.quoting import file_name, mathtext
from codesign.core.records import Plot
from codesign.report.plots import PALETTE

__all__ = ("plot_pictures",)


def plot_pictures(plots: Sequence[Plot], folder: Path) -> list[Path]:
    """Draw plots of lines as ``folder/<name>.svg``: bands, baselines black and dashed. Plots without lines are left
    out."""
    import matplotlib
    import mplhep
    from matplotlib.figure import Figure as Canvas

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with matplotlib.rc_context({**mplhep.style.CMS, "svg.hashsalt": "codesign", "font.size": 14}):
        for plot in plots:
            if not plot.series:
                continue
            canvas = Canvas(figsize=(8.6, 5.6), layout="constrained")
            axes = canvas.add_subplot()
            solid = 0
            for series in plot.series:
                colour = "0.2" if series.dashed else PALETTE[solid % len(PALETTE)]
                solid += not series.dashed
                style = "--" if series.dashed else "-"
                axes.plot(series.x, series.y, style, color=colour, linewidth=1.6, label=mathtext(series.label))
                if series.low is not None and series.high is not None:
                    axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0)
            axes.set_xscale("log" if plot.log_x else "linear")
            axes.set_yscale("log" if plot.log_y else "linear")
            axes.set_xlabel(mathtext(plot.x_label))
            axes.set_ylabel(mathtext(plot.y_label))
            axes.set_title(mathtext(plot.title), fontsize=15)
            axes.legend(fontsize=10)
            path = folder / f"{file_name(plot.name)}.svg"
            canvas.savefig(path, metadata={"Date": None})
            made.append(path)
    return made
