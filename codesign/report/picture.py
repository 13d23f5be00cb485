"""A still picture of the front, for a README or a talk."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.figures import Fidelity, find
from codesign.core.quoting import mathtext
from codesign.report import words
from codesign.report.collect import Point, Run, collect

__all__ = ("front_picture",)

#: closest to the chip first; the picture shows the first that every point of the front has
_PREFERRED = (Fidelity.VENDOR, Fidelity.PLACED, Fidelity.SYNTHESISED, Fidelity.COMPILED)
#: a latency that was measured says more than one that was promised
_LATENCY = (Fidelity.SIMULATED, Fidelity.COMPILED)


def front_picture(run: Path, output: Path, quantity: str = "lut", metric: str | None = None) -> Path:
    """Draw the front (SVG, PNG or PDF by the name of ``output``): a metric on the test split against one figure.

    Every point has its error bar, and its colour says its latency; crosses failed verification. The figure's
    fidelity is the highest that the whole front was measured at, and stands on the axis.
    """
    collected = collect(Path(run))
    if output.suffix not in (".svg", ".png", ".pdf"):
        raise InputError(f"cannot draw '{output}': give a name that ends in .svg, .png or .pdf")
    metric = metric or next((a.name for a in collected.objectives if a.fidelity is None), None)
    points = [p for p in collected.points if metric in p.test]
    if metric is None or not points or collected.provisional:
        raise InputError(f"{run} has no front with metrics on the test split yet: let 'codesign run' finish first")
    fidelity = next((f for f in _PREFERRED if all(find(p.figures, quantity, f) for p in points)), None)
    if fidelity is None:
        raise InputError(f"no fidelity at which '{quantity}' was measured for the whole front of {run}")
    try:
        _draw(collected, points, metric, quantity, fidelity, output)
    except ImportError as error:
        raise InputError(f"the picture needs the package '{error.name}': pip install mplhep") from None
    return output


def _draw(run: Run, points: list[Point], metric: str, quantity: str, fidelity: Fidelity, output: Path) -> None:
    import matplotlib
    import mplhep
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({**mplhep.style.CMS, "svg.hashsalt": "codesign", "font.size": 15}):
        canvas = Canvas(figsize=(8.6, 5.6), layout="constrained")
        axes = canvas.add_subplot()
        timed = next((f for f in _LATENCY if all(find(p.figures, "latency_ns", f) for p in points)), None)
        for exact, mark, label in ((True, "o", "front"), (False, "X", "not exact")):
            chosen = [p for p in points if (p.verified is None or p.verified.exact) == exact]
            if not chosen:
                continue
            x = [_value(p, quantity, fidelity) for p in chosen]
            y = [p.test[metric].value for p in chosen]
            error = [p.test[metric].error for p in chosen]
            axes.errorbar(x, y, error, fmt="none", ecolor="0.35", elinewidth=1.2, zorder=2)
            colour = [_value(p, "latency_ns", timed) for p in chosen] if timed else "#0072B2"
            drawn = axes.scatter(
                x, y, c=colour, cmap="viridis_r", marker=mark, s=75, edgecolors="black", linewidths=0.8, zorder=3
            )
            drawn.set_label(label)
            if timed and exact:
                canvas.colorbar(drawn, ax=axes, label=f"latency [ns] ({timed.value})", pad=0.02)
        base = run.baseline.test.get(metric) if run.baseline else None
        if base and run.baseline:
            axes.axhspan(base.value - base.error, base.value + base.error, color="0.85", zorder=0)
            axes.axhline(
                base.value,
                color="0.25",
                linestyle="--",
                linewidth=1.2,
                zorder=1,
                label=mathtext(run.baseline.short),
            )
        axes.margins(x=0.12)
        axes.set_xscale("log")
        _ticks(axes)
        axes.set_xlabel(f"{words.quantity(quantity)} ({fidelity.value})")
        axes.set_ylabel(mathtext(f"{words.quantity(metric)} (test)"))
        axes.legend(fontsize=12, loc="lower right")
        output.parent.mkdir(parents=True, exist_ok=True)
        # no date in the file: the same front gives the same picture
        date: dict[str, dict[str, str]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # type: ignore[dict-item]
        canvas.savefig(output, dpi=160, metadata=date.get(output.suffix))


def _value(point: Point, quantity: str, fidelity: Fidelity) -> float:
    figure = find(point.figures, quantity, fidelity)
    assert figure is not None
    return figure.value


def _ticks(axes: object) -> None:
    """Plain numbers on a logarithmic axis: fronts span one or two decades."""
    from matplotlib.axes import Axes
    from matplotlib.ticker import FuncFormatter, LogLocator

    assert isinstance(axes, Axes)
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
