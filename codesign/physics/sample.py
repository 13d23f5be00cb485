"""A sample of labelled events, and its one split into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError

__all__ = ("Part", "Sample", "Splits")


@dataclass(frozen=True)
class Part:
    """One split of a sample: what a network may see of it.

    ``x``: (events, features) float32, physical units; ``y``: (events,) int64 class index.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Splits:
    """Fractions and seed of the one split. The parts are disjoint, and the same for the same seed and sample."""

    train: float
    validation: float
    test: float
    seed: int


@dataclass(frozen=True)
class Sample:
    """Labelled events with their names, units and origin.

    Attributes
    ----------
    features: (events, features) float32, in ``units``.
    labels: (events,) int64, index into ``class_names``.
    constituents: (events, 32, 3) float32: pT [GeV], delta-eta, delta-phi to the jet axis, by falling pT, zero padded;
        None where the file has none.
    provenance: where the sample comes from: generator and version, card, seed, files. Plain JSON.
    collisions: (events,) int64: what comes from one collision has one number, and is never split apart; None where
        that is not known, and every event stands for itself.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    class_names: tuple[str, ...]
    constituents: NDArray[np.float32] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    collisions: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.features.shape[1] != len(self.feature_names):
            raise ValueError(f"features {self.features.shape} do not match {len(self.feature_names)} names")
        if len(self.units) != len(self.feature_names):
            raise ValueError("one unit per feature is needed")
        if self.labels.shape != (len(self.features),):
            raise ValueError(f"labels {self.labels.shape} do not match features {self.features.shape}")
        if self.collisions is not None and self.collisions.shape != self.labels.shape:
            raise ValueError(f"collisions {self.collisions.shape} do not match labels {self.labels.shape}")
        if not np.isfinite(self.features).all():
            row, column = np.argwhere(~np.isfinite(self.features))[0]
            raise InputError(f"feature '{self.feature_names[column]}' of event {row} is not finite")

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, name: str, splits: Splits) -> Part:
        """Return the split ``train``, ``validation`` or ``test``; the search asks for the first two only."""
        index = self.places(name, splits)
        return Part(name, self.features[index], self.labels[index])

    def places(self, name: str, splits: Splits) -> NDArray[np.int64]:
        """Places of a split's events in the sample, rising. What comes from one collision is in one split."""
        fractions = np.array([splits.train, splits.validation, splits.test])
        if (fractions <= 0).any() or abs(fractions.sum() - 1) > 1e-9:
            raise InputError(f"the splits must be positive and add up to 1, not {fractions.tolist()}")
        groups = np.arange(len(self)) if self.collisions is None else np.unique(self.collisions, return_inverse=True)[1]
        order = np.random.default_rng(splits.seed).permutation(groups.max() + 1) if len(self) else np.arange(0)
        filled = np.cumsum(np.bincount(groups, minlength=len(order))[order])  # events up to and with each group
        bounds = np.searchsorted(filled, np.cumsum(fractions)[:2] * len(self), side="right")
        pieces = dict(zip(("train", "validation", "test"), np.split(order, bounds), strict=True))
        index = np.flatnonzero(np.isin(groups, pieces[name]))
        if not len(index):
            raise InputError(f"the {name} split is empty: the sample has only {len(self)} events")
        return index
