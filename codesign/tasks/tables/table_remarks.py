"""What a user should know of a sample of tables before anything is trained: classes, weights, too few rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.sample import Sample, Splits
from codesign.tasks.weighting import effective

__all__ = ("remarks_of_classes", "remarks_of_numbers")

#: rows of a class in the training split without which nothing is fitted, and in the others without which figures say
#: little
_LEAST, _FEW = 10, 100
#: share of what is learned below which a class is hardly looked at
_RARE = 0.05
_SPLITS = ("train", "validation", "test")


def remarks_of_classes(sample: Sample, splits: Splits) -> Iterator[str]:
    """Shares of the classes, by rows and by weight; InputError where a class cannot be learned."""
    names = sample.class_names
    rows = np.bincount(sample.labels, minlength=len(names))
    shown = ", ".join(f"{name} {n:,} ({n / rows.sum():.1%})" for name, n in zip(names, rows.tolist(), strict=True))
    yield f"{rows.sum():,} rows: {shown}"
    held: NDArray[np.float64] = rows.astype(np.float64)
    if sample.weights is not None:
        weights = sample.weights.astype(np.float64)
        held = np.asarray(np.bincount(sample.labels, weights, len(names)), dtype=np.float64)
        each = ", ".join(
            f"{name} {share:.1%} (as good as {effective(weights[sample.labels == k], int(rows[k])):,.0f} rows)"
            for k, (name, share) in enumerate(zip(names, (held / held.sum()).tolist(), strict=True))
        )
        yield f"by weight: {each}"
    for name, share in zip(names, (held / held.sum()).tolist(), strict=True):
        if share < _RARE:
            yield (
                f"'{name}' is {share:.2%} of what is learned: training.class_weights: balanced lets every class count "
                "alike (metrics keep the weights of the sample)"
            )
    for split in _SPLITS:
        found = np.bincount(sample.labels[sample.places(split, splits)], minlength=len(names)).tolist()
        for name, n in zip(names, found, strict=True):
            if split == "train" and n < _LEAST:
                raise InputError(
                    f"the training split has {n} rows of the class '{name}', and {_LEAST} are needed: neither network "
                    "nor baselines can be fitted; give more, or leave the class out with sample.select"
                )
            if n < _FEW:
                yield f"the {split} split has only {n} rows of the class '{name}': what is told of it says little"
    yield from _missing(sample)


def remarks_of_numbers(sample: Sample, splits: Splits) -> Iterator[str]:
    """Mean and spread of the target; InputError where it cannot be learned."""
    assert sample.targets is not None
    target: NDArray[np.float64] = sample.targets[:, 0].astype(np.float64)
    unit = sample.target_units[0]
    yield (
        f"{len(sample):,} rows: '{sample.target_names[0]}' is {target.mean():.4g} on average, spreads by "
        f"{target.std():.3g} and lies between {target.min():.4g} and {target.max():.4g}{' ' * bool(unit)}{unit}"
    )
    train = len(sample.places("train", splits))
    if train < _LEAST:
        raise InputError(f"the training split has {train} rows, and {_LEAST} are needed: nothing can be fitted")
    for split in _SPLITS:
        if (n := len(sample.places(split, splits))) < _FEW:
            yield f"the {split} split has only {n} rows: what is told of it says little"
    yield from _missing(sample)


def _missing(sample: Sample) -> Iterator[str]:
    """What was missing, and what was done with it."""
    missing = sample.provenance.get("missing")
    if isinstance(missing, dict):
        shown = ", ".join(f"{name} in {n:,}" for name, n in list(missing.items())[:6])
        done = {
            "drop": "those rows are left out",
            "median": "the training split's median stands for it",
            "value": "the study's value stands for it",
        }.get(str(sample.provenance.get("missing policy")), "")
        yield f"missing of {sample.provenance['selected']:,} rows: {shown}; {done}"
