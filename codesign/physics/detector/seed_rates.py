"""Rates of common Level-1 seeds by what the simulation makes of crossings.

Thresholds are those of CMS's menus of 2018 and 2022 (github.com/cms-l1-dpg/L1MenuRun3). CMS shows their rates as curves
against pile-up (JINST 15 (2020) P10017, figure 2), not as numbers, so that none stand beside ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.events.l1_scales import L1_SUMS

__all__ = ("SEEDS", "seed_rates")


def _objects(name: str, least: tuple[float, ...], eta: float, quality: int = 0) -> Callable[[Any], NDArray[np.bool_]]:
    """Whether an event has objects above each threshold, the hardest first."""

    def fires(events: Any) -> NDArray[np.bool_]:
        import awkward as ak

        found = events[name][abs(events[name].eta) < eta]
        if quality:
            found = found[found.hwQual >= quality]
        pt = ak.sort(found.pt, axis=1, ascending=False)
        padded = ak.fill_none(ak.pad_none(pt, len(least), clip=True), 0.0)
        return np.asarray(np.all(ak.to_numpy(padded) >= np.array(least), axis=1))

    return fires


def _sum(kind: str, least: float) -> Callable[[Any], NDArray[np.bool_]]:
    def fires(events: Any) -> NDArray[np.bool_]:
        import awkward as ak

        sums = events.L1EtSum
        return np.asarray(ak.any((sums.etSumType == L1_SUMS[kind]) & (sums.pt >= least), axis=1))

    return fires


#: seed -> whether each event fires it; muons of quality 12, as CMS asks of single ones
SEEDS: Mapping[str, Callable[[Any], NDArray[np.bool_]]] = {
    "SingleMu22": _objects("L1Mu", (22,), 2.45, 12),
    "DoubleMu_15_7": _objects("L1Mu", (15, 7), 2.45, 8),
    "SingleEG36er2p5": _objects("L1EG", (36,), 2.5),
    "DoubleEG_25_12_er2p5": _objects("L1EG", (25, 12), 2.5),
    "SingleJet180": _objects("L1Jet", (180,), 5.2),
    "DoubleJet150er2p5": _objects("L1Jet", (150, 150), 2.5),
    "HTT280er": _sum("HT", 280),
    "HTT360er": _sum("HT", 360),
    "ETM100": _sum("MET", 100),
    "ETMHF100": _sum("FET", 100),
    "ETMHF120": _sum("FET", 120),
}


def seed_rates(events: Any, weights: NDArray[np.float64], crossings: float) -> dict[str, Any]:
    """By seed: ``khz`` with statistical ``error``, and how many ``events`` fire; ``weights`` (events,) say of how many
    crossings an event is one, ``crossings`` is their rate in kHz."""
    found = {}
    for name, fires in SEEDS.items():
        passed = weights[fires(events)]
        if len(passed):
            found[name] = {
                "khz": float(passed.sum()) * crossings,
                "error": float(np.sqrt((passed**2).sum())) * crossings,
                "events": len(passed),
            }
    return found
