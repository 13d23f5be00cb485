"""Between physical features and the integers of a bundle's inputs, as its manifest says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import places_of
from codesign.core.layout import Layout
from codesign.handoff.manifest import Manifest

__all__ = ("Scales",)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """``offset``, ``step``, smallest and largest code of each input, (inputs,) each; the blocks whose items may be
    absent, each with its place."""

    offset: Array
    step: Array
    low: Array
    high: Array
    partial: tuple[tuple[Layout, slice], ...] = ()

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The scales of a bundle's inputs."""
        keys = ("offset", "step", "minimum", "maximum")
        offset, step, low, high = (
            np.array([getattr(i, key) for i in manifest.inputs], dtype=np.float64) for key in keys
        )
        return cls(
            offset,
            step,
            low,
            high,
            tuple((b, place) for b, place in places_of(manifest.blocks) if b.absent is not None),
        )

    def features(self, codes: NDArray[np.integer] | Array) -> NDArray[np.float32]:
        """Features (events, inputs) in the middle of codes, or in between for what is not whole; 0 for an item whose
        codes are all 0."""
        found = np.asarray(self.offset + codes * self.step, dtype=np.float32)
        for block, place in self.partial:
            rows = block.rows(np.asarray(codes[:, place], dtype=np.float64))
            found[:, place] *= np.repeat((rows != 0).any(axis=2), block.shape[-1], axis=1)
        return found

    def codes(self, features: NDArray[np.floating]) -> NDArray[np.int32]:
        """``clip(floor((x - offset) / step + 1/2), low, high)`` in float64, (events, inputs); 0 of an absent item."""
        scaled = (features.astype(np.float64) - self.offset) / self.step
        found = np.clip(np.floor(scaled + 0.5), self.low, self.high).astype(np.int32)
        for block, place in self.partial:
            rows, codes = block.rows(features[:, place]), block.rows(found[:, place])
            found[:, place] *= np.repeat(block.present(rows, codes), block.shape[-1], axis=1)
        return found
