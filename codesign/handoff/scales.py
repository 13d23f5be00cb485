"""Between physical features and the integers of a bundle's inputs, as its manifest says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codesign.handoff.manifest import Manifest

__all__ = ("Scales",)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """``offset``, ``step``, smallest and largest code of each input, (inputs,) each."""

    offset: Array
    step: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The scales of a bundle's inputs."""
        keys = ("offset", "step", "minimum", "maximum")
        return cls(*(np.array([getattr(i, key) for i in manifest.inputs], dtype=np.float64) for key in keys))

    def features(self, codes: NDArray[np.integer] | Array) -> NDArray[np.float32]:
        """Features (events, inputs) in the middle of codes, or in between for what is not whole."""
        return np.asarray(self.offset + codes * self.step, dtype=np.float32)

    def codes(self, features: NDArray[np.floating]) -> NDArray[np.int32]:
        """``clip(floor((x - offset) / step + 1/2), low, high)`` in float64, (events, inputs)."""
        scaled = (features.astype(np.float64) - self.offset) / self.step
        return np.clip(np.floor(scaled + 0.5), self.low, self.high).astype(np.int32)
