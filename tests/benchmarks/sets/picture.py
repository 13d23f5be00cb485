"""The fronts of both sides, unrolled and folded, one panel for a number of items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ("draw",)

#: side and interval -> colour, marker, label; HGQ2's trainings have a marker of their own
_SERIES: tuple[tuple[str, int, str, str, str], ...] = (
    ("codesign", 1, "#1f5fa8", "o", "ours, interval 1"),
    ("codesign", 9, "#1f5fa8", "*", "ours, folded over 9"),
    ("HGQ2", 1, "#c4591d", "s", "HGQ2, interval 1"),
    ("HGQ2 imported", 9, "#c4591d", "P", "HGQ2 imported, folded over 9"),
)

_TICKS = (1000, 2000, 3000, 5000, 10_000, 20_000, 30_000, 50_000, 100_000)


def draw(record: dict[str, Any], file: Path) -> None:
    """Accuracy on the test jets with its error against LUT by Yosys; nothing where nothing is measured."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    import matplotlib
    from matplotlib import pyplot

    shown = {
        items: measured
        for items, own in record["items"].items()
        if (measured := [row for row in own["designs"] if "refused" not in row])
    }
    if not shown:
        return
    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 11}):
        figure, axes = pyplot.subplots(1, len(shown), figsize=(5.6 * len(shown), 4.4), squeeze=False)
        for axis, (items, rows) in zip(axes[0], shown.items(), strict=True):
            for side, interval, colour, marker, label in _SERIES:
                own = [r for r in rows if r["side"] == side and r["interval"] == interval]
                if not own:
                    continue
                axis.errorbar(
                    [r["lut"] for r in own], [r["accuracy"] for r in own], yerr=[r["accuracy_error"] for r in own],
                    fmt=marker, color=colour, ms=10 if marker in "*P" else 6, mfc=colour if interval == 1 else "white",
                    ls="none", label=label,
                )  # fmt: skip
            axis.set(xscale="log", xlabel="LUT (Yosys)", ylabel="accuracy", title=f"{items} constituents of 3 numbers")
            low, high = axis.get_xlim()
            axis.set_xticks([t for t in _TICKS if low <= t <= high], minor=False)
            axis.set_xticks([], minor=True)
            axis.xaxis.set_major_formatter("{x:,.0f}")
            axis.grid(alpha=0.25)
        axes[0][0].legend(loc="lower right", fontsize=9)
        figure.tight_layout()
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)
