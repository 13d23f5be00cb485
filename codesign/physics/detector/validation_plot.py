"""The picture of ``validate``: what the simulation gives beside what CMS has published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ("draw",)

_TIERS = {"l1": ("L1", "#D55E00"), "hlt": ("HLT", "#0072B2"), "offline": ("offline", "#009E73")}
_TICKS = (30, 50, 100, 200, 500)


def draw(content: dict[str, Any], path: Path) -> None:
    """Write six panels as SVG from what ``measured`` found."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "detector"
    figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
    _resolution(axes[0, 0], content["dijets"], "barrel", "Dijets, |η| < 1.3")
    _resolution(axes[0, 1], content["dijets"], "endcap", "Dijets, 1.3 < |η| < 2.5")
    _response(axes[0, 2], content["dijets"])
    _top_pairs(axes[1, 0], content["top_pairs"])
    _rates(axes[1, 1], content)
    _density(axes[1, 2], content["top_pairs"]["density"])
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _logarithmic(ax: Any) -> None:
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    ax.set_xscale("log")
    ax.set_xticks(_TICKS)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("generated pT [GeV]")


def _points(ax: Any, rows: list[dict[str, Any]], key: str, colour: str, **style: Any) -> None:
    x, y = [r["pt"] for r in rows], [r[key] for r in rows]
    ax.errorbar(x, y, [r[f"{key}_error"] for r in rows], color=colour, markersize=5, linestyle="none", **style)


def _resolution(ax: Any, dijets: dict[str, Any], where: str, title: str) -> None:
    for tier, (name, colour) in _TIERS.items():
        rows = dijets[tier][where]
        _points(ax, rows, "resolution", colour, marker="o", label=f"{name}, simulated")
        ax.plot([r["pt"] for r in rows], [r["published"] for r in rows], color=colour, label=f"{name}, aimed at")
    ax.set(title=title, ylabel="resolution of pT", ylim=(0, 0.5))
    _logarithmic(ax)
    ax.legend(frameon=False, fontsize=8)


def _response(ax: Any, dijets: dict[str, Any]) -> None:
    for tier, (name, colour) in _TIERS.items():
        _points(ax, dijets[tier]["barrel"], "response", colour, marker="o", label=f"{name}, |η| < 1.3")
        _points(ax, dijets[tier]["endcap"], "response", colour, marker="o", mfc="none", label="1.3 < |η| < 2.5")
    ax.axhline(1, color="grey", linewidth=0.8)
    ax.set(title="Dijets", ylabel="median of pT over generated pT", ylim=(0.85, 1.15))
    _logarithmic(ax)
    ax.legend(frameon=False, fontsize=7, ncols=3, loc="upper center", columnspacing=0.8)


def _top_pairs(ax: Any, rows: dict[str, Any]) -> None:
    for tier, (name, colour) in _TIERS.items():
        _points(ax, rows[tier], "resolution", colour, marker="o", label=f"{name}, simulated")
        shifted = [{**row, "pt": row["pt"] * 1.05} for row in rows[tier]]
        _points(ax, shifted, "published", colour, marker="s", mfc="none", label=f"{name}, CMS")
    ax.set(title="Top pairs", ylabel="resolution of pT", ylim=(0, 0.5))
    _logarithmic(ax)
    ax.legend(frameon=False, fontsize=8)


def _rates(ax: Any, content: dict[str, Any]) -> None:
    for key, label, shape in (
        ("zero", "zero bias", "o"),
        ("l1_single_jet_rate_of_dijets", "weighted dijets", "s"),
        ("generated_single_jet_rate_of_dijets", "weighted dijets, generated jets", "_"),
    ):
        rates = content["zero_bias"]["l1_single_jet_rate"] if key == "zero" else content[key]
        values = list(rates.values())
        y, error = [v["khz"] for v in values], [v["error"] for v in values]
        ax.errorbar([float(t) for t in rates], y, error, marker=shape, linestyle="none", markersize=5, label=label)
    ax.axhline(100, color="grey", linewidth=0.8, linestyle="--", label="all that CMS's L1 may accept")
    ax.set(title="Single jet, pile-up 46", yscale="log", ylabel="rate [kHz]")
    ax.set_xlabel("threshold on a jet, |η| < 2.5 [GeV]")
    ax.legend(frameon=False, fontsize=8)


def _density(ax: Any, rows: list[dict[str, Any]]) -> None:
    x, y = [r["collisions"] for r in rows], [r["density"] for r in rows]
    ax.errorbar(x, y, [r["density_error"] for r in rows], marker="o", linestyle="none", color="k", label="simulated")
    x, y = [r["cms_collisions"] for r in rows], [r["cms_density"] for r in rows]
    error = [r["cms_density_error"] for r in rows]
    ax.errorbar(x, y, error, marker="s", mfc="none", linestyle="none", color="k", label="CMS")
    ax.set(title="Top pairs", xlabel="mean number of collisions", ylabel="density ρ, offline [GeV]", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)
