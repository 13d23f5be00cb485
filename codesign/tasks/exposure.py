"""Events that are made for a training alone: a teacher says what is learned of them, and nobody else sees them.

Of usual events a small network sees too few of the kind that matters, those that its teacher finds unusual. So CMS'
CICADA shows its networks outliers, too, about which the teacher, which did not learn from them, is asked (outlier
exposure: Hendrycks, Mazeika, Dietterich, arXiv:1812.04606). They are a class of their own, all of it in the training
split.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.core.layout import BlockValues
from codesign.data.sample import Part, Sample, Splits

__all__ = ("EXPOSURE", "exposed", "genuine", "made")

#: name of their class
EXPOSURE = "exposure"
_SPLITS = ("train", "validation", "test")


def made(part: Part) -> NDArray[np.bool_]:
    """Which events of a part, (events,), were made for the training."""
    if EXPOSURE not in part.class_names:
        return np.zeros(len(part), dtype=np.bool_)
    return np.asarray(part.y == part.class_names.index(EXPOSURE))


def genuine(part: Part) -> Part:
    """The part without them; itself where there are none."""
    away = made(part)
    return part.taken(np.flatnonzero(~away)) if away.any() else part


def exposed(sample: Sample, more: Part, splits: Splits) -> Sample:
    """The sample and, behind it, ``more`` events in the training split. All others stay in the split in which they are.

    ``more``: with the sample's features, blocks and truth. ValueError where the sample regresses, or has the class.
    """
    if sample.targets is not None or EXPOSURE in sample.class_names:
        raise ValueError("no events are made for a sample that regresses, or that has such already")
    parts = np.zeros(len(sample), np.int8)
    for number, name in enumerate(_SPLITS):
        parts[sample.places(name, splits)] = number

    count = len(more)
    own = -np.ones(count, np.int64)  # they share no pool of soft collisions with an event of another split
    return replace(
        sample,
        features=np.concatenate([sample.features, more.features]),
        labels=np.concatenate([sample.labels, np.full(count, len(sample.class_names), sample.labels.dtype)]),
        class_names=(*sample.class_names, EXPOSURE),
        blocks=tuple(
            BlockValues(block.layout, np.concatenate([block.values, more.block(block.layout.name)]))
            for block in sample.blocks
        ),
        truth={name: np.concatenate([values, more.truth[name]]) for name, values in sample.truth.items()},
        weights=None if sample.weights is None else np.concatenate([sample.weights, np.ones(count, np.float32)]),
        collisions=None if sample.collisions is None else np.concatenate([sample.collisions, own]),
        pools=None if sample.pools is None else np.concatenate([sample.pools, own]),
        assigned=np.concatenate([parts, np.zeros(count, np.int8)]),
        provenance=sample.provenance | {"events made for the training": count},
    )
