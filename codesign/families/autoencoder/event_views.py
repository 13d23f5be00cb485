"""Other views of an event, for learning without labels: turned in azimuth, mirrored, smeared, soft objects lost."""

from __future__ import annotations

import re

import torch
from torch import Tensor

__all__ = ("EventViews", "vicreg")

#: width of the smearing of an energy, of itself, and of any other number, of its standard deviation
_SMEARED, _NOISE = 0.1, 0.1
#: chance of an object below the median of its kind to be lost
_LOST = 0.3
#: weights of the terms of VICReg (arXiv 2105.04906): invariance, variance, covariance
_INVARIANCE, _VARIANCE, _COVARIANCE = 25.0, 25.0, 1.0


class EventViews:
    """Draws views of events (events, n) whose inputs have these names.

    Objects are what has ``_pt``, ``_eta`` and ``_phi``. An azimuth is counted from 0, and half a turn is the largest
    that is seen; an object is not there where its pT is the smallest that is seen. Every number that belongs to no
    object gets noise.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        places: dict[str, dict[str, int]] = {}
        for i, name in enumerate(names):
            if match := re.fullmatch(r"(.+)_(pt|eta|phi)", name):
                places.setdefault(match[1], {})[match[2]] = i
        whole = [p for p in places.values() if p.keys() == {"pt", "eta", "phi"}]
        self.pt, self.eta, self.phi = (
            torch.tensor([p[v] for p in whole], dtype=torch.long) for v in ("pt", "eta", "phi")
        )
        within = {i for p in whole for i in p.values()}
        self.others = torch.tensor([i for i in range(len(names)) if i not in within], dtype=torch.long)
        self._lowest = self._median = self._half = self._spread = torch.zeros(0)

    def fit(self, x: Tensor) -> None:
        """What the training events (events, n) are like."""
        pt = x[:, self.pt]
        self._lowest = pt.amin(dim=0)
        there = torch.where(pt > self._lowest, pt, torch.nan)
        self._median = torch.nan_to_num(there.nanmedian(dim=0).values, nan=0.0)
        self._half = x[:, self.phi].abs().amax(dim=0).clamp_min(1e-6)
        self._spread = x[:, self.others].std(dim=0) if len(self.others) else torch.zeros(0)

    def draw(self, x: Tensor) -> Tensor:
        """One view of each event, (events, n)."""
        seen, events = x.clone(), len(x)
        pt, phi = x[:, self.pt], x[:, self.phi]
        there = pt > self._lowest
        turn = (2 * torch.rand(events, 1) - 1) * self._half
        turned = torch.remainder(phi + turn + self._half, 2 * self._half) - self._half
        mirror = torch.where(torch.rand(events, 1) < 0.5, -1.0, 1.0)
        smeared = self._lowest + (pt - self._lowest) * (1 + _SMEARED * torch.randn(pt.shape))
        lost = (torch.rand(pt.shape) < _LOST) & (pt < self._median)
        kept = there & ~lost
        zero = torch.zeros(())
        seen[:, self.pt] = torch.where(kept, smeared, self._lowest)
        seen[:, self.eta] = torch.where(kept, x[:, self.eta] * mirror, zero)
        seen[:, self.phi] = torch.where(kept, turned, zero)
        seen[:, self.others] = x[:, self.others] + _NOISE * self._spread * torch.randn(events, len(self.others))
        return seen


def vicreg(a: Tensor, b: Tensor) -> Tensor:
    """Variance, invariance and covariance of two views' representations, (events, n) each (arXiv 2105.04906)."""
    total = _INVARIANCE * (a - b).square().mean()
    for z in (a, b):
        z = z - z.mean(dim=0)
        deviation = torch.sqrt(z.square().mean(dim=0) + 1e-4)
        covariance = z.T @ z / max(1, len(z) - 1)
        beside = covariance.square().sum() - covariance.diagonal().square().sum()
        total = total + _VARIANCE * torch.relu(1 - deviation).mean() + _COVARIANCE * beside / z.shape[1]
    return total
