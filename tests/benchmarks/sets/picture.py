"""The fronts of both sides, unrolled and folded: a row for a number of items, a panel for what time both are given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.benchmarks.sets.ours import THREE_TIMES

__all__ = ("draw",)

#: side and interval -> colour, marker, label
_SERIES: tuple[tuple[str, int, str, str, str], ...] = (
    ("codesign", 1, "#1f5fa8", "o", "ours, interval 1"),
    ("codesign", 9, "#1f5fa8", "*", "ours, folded over 9"),
    ("HGQ2", 1, "#c4591d", "s", "HGQ2, interval 1"),
    ("HGQ2 imported", 9, "#c4591d", "P", "HGQ2 imported, folded over 9"),
)

_TICKS = (300, 1000, 3000, 10_000, 30_000, 100_000)


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
        figure, axes = pyplot.subplots(
            len(shown), 2, figsize=(10.4, 4.2 * len(shown) + 0.6), squeeze=False, sharex=True, sharey="row"
        )
        for line, (items, rows) in zip(axes, shown.items(), strict=True):
            for axis, longer in zip(line, (False, True), strict=True):
                _panel(axis, [r for r in rows if r["training"].endswith(THREE_TIMES) == longer])
                both = f"{THREE_TIMES}, both" if longer else "the same time for both"
                axis.set_title(f"{items} constituents of 3 numbers, {both}", fontsize=11)
            line[0].set_ylabel("accuracy")
        for axis in axes[-1]:
            axis.set_xlabel("LUT (Yosys)")
        low, high = axes[0][0].get_xlim()
        axes[0][0].set_xticks([t for t in _TICKS if low <= t <= high], minor=False)
        axes[0][0].set_xticks([], minor=True)
        axes[0][0].xaxis.set_major_formatter("{x:,.0f}")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncols=len(_SERIES), fontsize=10)
        figure.tight_layout(rect=(0, 0.5 / figure.get_figheight(), 1, 1))
        figure.savefig(file, metadata={"Date": None})
        pyplot.close(figure)


def _panel(axis: Any, rows: list[dict[str, Any]]) -> None:
    for side, interval, colour, marker, label in _SERIES:
        own = [r for r in rows if r["side"] == side and r["interval"] == interval]
        if own:
            axis.errorbar(
                [r["lut"] for r in own], [r["accuracy"] for r in own], yerr=[r["accuracy_error"] for r in own],
                fmt=marker, color=colour, ms=10 if marker in "*P" else 6, mfc=colour if interval == 1 else "white",
                ls="none", label=label,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.grid(alpha=0.25)
