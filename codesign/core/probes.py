"""Codes that exercise a port."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import Port

__all__ = ("probe_codes",)


def probe_codes(port: Port, events: int = 2000, seed: int = 0) -> NDArray[np.int64]:
    """Codes (events + extremes, size) that exercise a port: every extreme alone and all together, and random ones."""
    low, high = port.bounds
    rng = np.random.default_rng(seed)
    ends = np.stack([low, high])
    alone = np.concatenate([np.diag(low), np.diag(high)])
    checkers = np.where(np.arange(port.size) % 2, low, high)
    corners = np.where(rng.random((500, port.size)) < 0.5, low, high)
    anything = rng.integers(low, high + 1, size=(events, port.size))
    small = np.clip(rng.integers(-2, 3, size=(500, port.size)), low, high)
    return np.concatenate(
        [ends, np.zeros((1, port.size), dtype=np.int64), alone, checkers[None], corners, anything, small]
    )
