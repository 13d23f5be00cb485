"""Calibrations of jets: offset of pile-up and response, per tier, in bins of eta and steps of pT.

They are medians found in this simulation's own events (``calibrate`` makes them anew) and lie in ``calibration.json``.
Like any calibration of a detector they are right on average only: what a network can improve is what they average over.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.composition import PATH as COMPOSITION

__all__ = ("ETA_EDGES", "PATH", "TIERS", "calibration_hash", "correct", "eta_bins", "pile_up_share", "tables")

PATH = Path(__file__).resolve().parent / "calibration.json"
TIERS = ("l1", "hlt", "offline")
#: Bins in |eta|: barrel, transition, endcap with and without tracks, forward.
ETA_EDGES = (0.0, 0.8, 1.3, 1.74, 2.1, 2.5, 3.0, 3.5, 4.2, 5.2)


@functools.cache
def tables() -> dict[str, Any]:
    """``{tier: {"offset": [per eta bin], "measured": [[pT per step] per eta bin], "true": ..., "extra": ...}}``."""
    content: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return content


def calibration_hash() -> str:
    """Hash of the calibrations and of jets' composition, which decide what comes out of a card."""
    return hashlib.sha256(PATH.read_bytes() + COMPOSITION.read_bytes()).hexdigest()[:8]


def eta_bins(eta: NDArray[Any]) -> NDArray[np.int64]:
    """Bin of ``ETA_EDGES`` that each ``eta`` lies in, the last one for what lies beyond."""
    bins: NDArray[np.int64] = np.clip(np.digitize(np.abs(eta), ETA_EDGES) - 1, 0, len(ETA_EDGES) - 2)
    return bins


def pile_up_share(tier: str, eta: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the offset that is taken off at each ``eta``."""
    bins = eta_bins(eta)
    shares: NDArray[np.float64] = np.asarray(tables()[tier]["offset"], dtype=np.float64)[bins]
    return shares


def correct(tier: str, pt: NDArray[Any], eta: NDArray[Any], offset: NDArray[Any] | float = 0.0) -> NDArray[Any]:
    """Calibrated pT, GeV: ``pt`` less the tier's share of ``offset`` (pile-up's density times area), over the response.

    Below the lowest step the factor goes to 1. Never negative.
    """
    table = tables()[tier]
    bins = eta_bins(eta)
    less: NDArray[np.float64] = np.maximum(pt - pile_up_share(tier, eta) * offset, 0.0)
    out = np.zeros(len(pt))
    for number in np.unique(bins):
        here = bins == number
        if not table["measured"][number]:
            out[here] = less[here]
            continue
        measured, true = np.asarray(table["measured"][number]), np.asarray(table["true"][number])
        factor = np.interp(np.log(np.maximum(less[here], 1e-3)), np.log(measured), true / measured)
        # what lies below is mostly noise: scaled up less and less
        out[here] = less[here] * (1 + (factor - 1) * np.minimum(less[here] / measured[0], 1))
    return out
