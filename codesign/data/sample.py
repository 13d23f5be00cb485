"""A sample of labelled events, and its one split into training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.layout import FEATURES, BlockValues, Layout
from codesign.core.mapped import chunks, taken

__all__ = ("Part", "Sample", "Splits", "joined")


@dataclass(frozen=True)
class Part:
    """One split of a sample. A network is given ``x`` and what the task's ``target`` makes of the part, nothing else.

    ``features``: (events, features) float32, physical units; ``y``: (events,) int64, index into ``class_names``;
    ``targets``: (events, t) float32, what a regression learns; ``truth``: (events,) arrays that only the judging reads;
    ``blocks``: what else is known of each event, by name, (events, ...) float32; ``view``: names of the blocks that the
    network sees; ``weights``: (events,) float32, by which events count in learning and judging; ``collisions``:
    (events,) int64.
    """

    name: str
    features: NDArray[np.float32]
    y: NDArray[np.int64]
    targets: NDArray[np.float32] | None = None
    truth: dict[str, NDArray[Any]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    blocks: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    view: tuple[str, ...] = (FEATURES,)
    weights: NDArray[np.float32] | None = None
    collisions: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def block(self, name: str) -> NDArray[np.float32]:
        """A block by its name, (events, ...)."""
        return self.features if name == FEATURES else self.blocks[name]

    @cached_property
    def x(self) -> NDArray[np.float32]:
        """What the network sees: the blocks of the view, row-major one after another, (events, n)."""
        blocks = [self.block(name) for name in self.view]
        seen = [block.reshape(len(self), prod(block.shape[1:])) for block in blocks]
        return seen[0] if len(seen) == 1 else np.concatenate(seen, axis=1)

    def taken(self, index: NDArray[np.intp]) -> Part:
        """Only these events, in this order."""
        return replace(
            self,
            features=taken(self.features, index),
            y=self.y[index],
            targets=None if self.targets is None else self.targets[index],
            truth={name: values[index] for name, values in self.truth.items()},
            blocks={name: taken(values, index) for name, values in self.blocks.items()},
            weights=None if self.weights is None else self.weights[index],
            collisions=None if self.collisions is None else self.collisions[index],
        )


def joined(parts: Sequence[Part]) -> Part:
    """Parts of the same kind of events, one behind the other."""
    first = parts[0]
    weights = [np.ones(len(p), np.float32) if p.weights is None else p.weights for p in parts]
    return replace(
        first,
        features=np.concatenate([p.features for p in parts]),
        y=np.concatenate([p.y for p in parts]),
        targets=None if first.targets is None else np.concatenate([p.targets for p in parts if p.targets is not None]),
        truth={name: np.concatenate([p.truth[name] for p in parts]) for name in first.truth},
        blocks={name: np.concatenate([p.blocks[name] for p in parts]) for name in first.blocks},
        weights=None if all(p.weights is None for p in parts) else np.concatenate(weights),
        collisions=None
        if first.collisions is None
        else np.concatenate([p.collisions for p in parts if p.collisions is not None]),
    )


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
    blocks: what else is known of each event, with its layout: constituents, an image.
    provenance: where the sample comes from: generator and version, card, seed, files. Plain JSON.
    collisions: (events,) int64: what comes from one collision has one number, and is never split apart; None where
        that is not known, and every event stands for itself.
    targets: (events, t) float32, what a regression learns, in ``target_units``; None where nothing is regressed.
    truth: (events,) arrays by name, for judging only: a network never sees them.
    held_out: classes whose events never enter the training split: validation and test share them out.
    view: names of the blocks that a network sees.
    weights: (events,) float32, by which events count in learning and judging; None where all count alike.
    assigned: (events,) 0 for training, 1 for validation, 2 for test, where who made the sample has split it; else None.
    unknown: (events, features) True where a value is missing, to be filled in by :meth:`filled`; None where none is.
    fill: by a feature's name, what stands for a value of it that is missing; None where nothing does.
    pools: (events,) int64: events of one number share soft collisions, which are used again and again, and are never in
        two splits; -1 of an event that shares none. None where none does.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    class_names: tuple[str, ...]
    blocks: tuple[BlockValues, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    collisions: NDArray[np.int64] | None = None
    targets: NDArray[np.float32] | None = None
    target_names: tuple[str, ...] = ()
    target_units: tuple[str, ...] = ()
    truth: dict[str, NDArray[Any]] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    view: tuple[str, ...] = (FEATURES,)
    weights: NDArray[np.float32] | None = None
    assigned: NDArray[np.int8] | None = None
    unknown: NDArray[np.bool_] | None = None
    fill: Mapping[str, float] | None = None
    pools: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.features.shape[1] != len(self.feature_names):
            raise ValueError(f"features {self.features.shape} do not match {len(self.feature_names)} names")
        if len(self.units) != len(self.feature_names):
            raise ValueError("one unit per feature is needed")
        if self.labels.shape != (len(self.features),):
            raise ValueError(f"labels {self.labels.shape} do not match features {self.features.shape}")
        if self.collisions is not None and self.collisions.shape != self.labels.shape:
            raise ValueError(f"collisions {self.collisions.shape} do not match labels {self.labels.shape}")
        if self.pools is not None and self.pools.shape != self.labels.shape:
            raise ValueError(f"pools {self.pools.shape} do not match labels {self.labels.shape}")
        if self.targets is not None and self.targets.shape != (len(self.features), len(self.target_names)):
            raise ValueError(f"targets {self.targets.shape} do not match {len(self.target_names)} names of targets")
        if len(self.target_units) != len(self.target_names) or (self.targets is None and self.target_names):
            raise ValueError("targets need one name and one unit each")
        for name, values in self.truth.items():
            if values.shape != self.labels.shape:
                raise ValueError(f"truth '{name}' {values.shape} does not match labels {self.labels.shape}")
        names = [block.name for block in self.layouts]
        if len(set(names)) < len(names) or any(len(b.values) != len(self) for b in self.blocks):
            raise ValueError(f"blocks need names of their own and one entry per event: {', '.join(names)}")
        if unknown := set(self.view) - set(names):
            raise ValueError(f"seen, but no block of the sample: {', '.join(sorted(unknown))}")
        if self.weights is not None and self.weights.shape != self.labels.shape:
            raise ValueError(f"weights {self.weights.shape} do not match labels {self.labels.shape}")
        if unknown := set(self.held_out) - set(self.class_names):
            raise ValueError(f"held out, but no class of the sample: {', '.join(sorted(unknown))}")
        _must_be_finite("feature", self.features, self.feature_names)
        if self.targets is not None:
            _must_be_finite("target", self.targets, self.target_names)
        for block in self.blocks:
            _must_be_finite("number", block.values.reshape(len(self), block.layout.size), block.layout.labels)
        if self.weights is not None:
            _must_be_finite("weight", self.weights[:, None], ("weight",))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Of every block, the features first."""
        own = Layout.of_features(self.feature_names, self.units)
        return (own, *(block.layout for block in self.blocks))

    def values_of(self, name: str) -> NDArray[np.float32] | None:
        """A block other than the features, (events, ...); None where the sample has none of this name."""
        return next((block.values for block in self.blocks if block.layout.name == name), None)

    @property
    def constituents(self) -> NDArray[np.float32] | None:
        """(events, 32, 3): pT [GeV], delta-eta, delta-phi to the jet axis, by falling pT, zero padded; None if none."""
        return self.values_of("constituents")

    def part(self, name: str, splits: Splits) -> Part:
        """Return the split ``train``, ``validation`` or ``test``; the search asks for the first two only."""
        index = self.places(name, splits)
        return Part(
            name,
            taken(self.features, index),
            self.labels[index],
            None if self.targets is None else self.targets[index],
            {key: values[index] for key, values in self.truth.items()},
            self.class_names,
            {block.layout.name: taken(block.values, index) for block in self.blocks},
            self.view,
            None if self.weights is None else self.weights[index],
            None if self.collisions is None else self.collisions[index],
        )

    def filled(self, splits: Splits) -> Sample:
        """The sample with each missing value filled in by the feature's median over the training split, which no other
        split enters; InputError where the training split has no value of a feature."""
        if self.unknown is None:
            return self
        train = self.places("train", splits)
        fill = {}
        for name, column, lost in zip(self.feature_names, self.features[train].T, self.unknown[train].T, strict=True):
            if lost.all():
                raise InputError(f"feature '{name}' has no value in any of the {len(train)} training events")
            fill[name] = float(np.float32(np.median(column[~lost])))
        values = np.array(list(fill.values()), dtype=np.float32)
        return replace(self, features=np.where(self.unknown, values, self.features), unknown=None, fill=fill)

    def places(self, name: str, splits: Splits) -> NDArray[np.int64]:
        """Places of a split's events in the sample, rising.

        What comes from one collision, or from one pool of soft ones, is in one split; a collision with an event of a
        class held out is never in the training split: validation and test share such collisions as they share the
        others.
        """
        fractions = np.array([splits.train, splits.validation, splits.test])
        if (fractions <= 0).any() or abs(fractions.sum() - 1) > 1e-9:
            raise InputError(f"the splits must be positive and add up to 1, not {fractions.tolist()}")
        if self.assigned is not None:
            own = np.flatnonzero(self.assigned == ("train", "validation", "test").index(name))
            if not len(own):
                raise InputError(f"the {name} split is empty: no event is assigned to it")
            if self.pools is not None:
                others = self.pools[self.assigned != self.assigned[own[0]]]
                shared = np.intersect1d(self.pools[own], others[others >= 0])
                if len(shared):
                    raise InputError(f"the {name} split and another share the pool {shared[0]} of soft collisions")
            return own
        groups = self._inseparable()
        order = np.random.default_rng(splits.seed).permutation(groups.max() + 1) if len(self) else np.arange(0)
        sizes = np.bincount(groups, minlength=len(order))
        away = np.zeros(len(order), dtype=bool)
        held_out = [self.class_names.index(c) for c in self.held_out]
        away[groups[np.isin(self.labels, held_out)]] = True
        shared = fractions * [0, 1, 1] / fractions[1:].sum()
        chosen = [
            _pieces(some, sizes, shares)[("train", "validation", "test").index(name)]
            for some, shares in ((order[~away[order]], fractions), (order[away[order]], shared))
        ]
        index = np.flatnonzero(np.isin(groups, np.concatenate(chosen)))
        if not len(index):
            groups_of = "" if self.pools is None else f" of {len(order)} pools of soft collisions"
            raise InputError(f"the {name} split is empty: the sample has only {len(self)} events{groups_of}")
        return index

    def _inseparable(self) -> NDArray[np.int64]:
        """(events,) a number from 0 of what is never split apart: a pool of soft collisions, else a collision."""
        own = np.arange(len(self)) if self.collisions is None else self.collisions
        if self.pools is None:
            return np.unique(own, return_inverse=True)[1]
        kind = self.pools >= 0
        pairs = np.column_stack([kind, np.where(kind, self.pools, own)])
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def _pieces(order: NDArray[np.int64], sizes: NDArray[np.int64], shares: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Cut groups of events in this order so that each piece has about its share of the events."""
    filled = np.cumsum(sizes[order])  # events up to and with each group
    total = filled[-1] if len(filled) else 0
    return np.split(order, np.searchsorted(filled, np.cumsum(shares)[:2] * total, side="right"))


def _must_be_finite(what: str, values: NDArray[np.float32], names: tuple[str, ...]) -> None:
    for part in chunks(values):
        if not np.isfinite(values[part]).all():
            row, column = np.argwhere(~np.isfinite(values[part]))[0]
            raise InputError(f"{what} '{names[column]}' of event {part.start + row} is not finite")
