"""How a design's inputs and outputs are distributed where its thresholds were fixed: ``reference.json`` of a bundle.

An operator compares a stream with it, so it is of the very events that fix a threshold: of the validation split, those
that a detector sends undisturbed (:meth:`codesign.tasks.problem.Problem.undisturbed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError
from codesign.core.validation import validate
from codesign.handoff.check import bundle_json

__all__ = ("REFERENCE", "CodeHistogram", "ReferenceDistribution", "distribution_of", "read_distribution")

#: its file in a bundle
REFERENCE = "reference.json"
_BINS = 128


class CodeHistogram(BaseModel):
    """Of one input or output: ``counts[i]`` events have a code from ``edges[i - 1]`` to below ``edges[i]``; the first
    and last bins are open."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(description="of the input or output")
    edges: tuple[int, ...] = Field(max_length=_BINS, description="codes, rising")
    counts: tuple[float, ...] = Field(
        min_length=1, max_length=_BINS + 1, description="events of each bin, with their weights"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.counts) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"'{self.name}': edges rise, and there is one count more than edges")
        if min(self.counts) < 0 or not sum(self.counts) > 0:
            raise ValueError(f"'{self.name}': counts are at least 0, and some are above")
        return self

    def places(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """The bin of each code."""
        return np.searchsorted(np.asarray(self.edges, dtype=np.int64), codes, side="right")


class ReferenceDistribution(BaseModel):
    """Inputs, then outputs of a design, of ``rows`` events or objects, as good as ``effective`` of equal weight."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    origin: str = Field(description="of which events")
    rows: int = Field(ge=1, description="events or objects")
    effective: float = Field(gt=0, description="as many of equal weight")
    quantities: tuple[CodeHistogram, ...] = Field(description="inputs, then outputs")

    def require(self, names: Sequence[str]) -> None:
        """InputError where it is not of these quantities."""
        if tuple(q.name for q in self.quantities) != tuple(names):
            raise InputError(f"the reference distribution ({self.origin}) is of other inputs or outputs")


def distribution_of(
    names: Sequence[str], codes: NDArray[Any], origin: str, weights: NDArray[Any] | None = None
) -> ReferenceDistribution:
    """Of codes (rows, n), each row with its weight: every code is a bin where there are few, else bins are as full."""
    each = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)
    found = []
    for name, column in zip(names, np.asarray(codes, dtype=np.int64).T, strict=True):
        values = np.unique(column)[1:]
        if len(values) > _BINS:
            shares = np.linspace(0, 1, _BINS + 1)[1:-1]
            values = np.setdiff1d(np.quantile(column, shares, method="higher"), column.min())
        edges = tuple(int(v) for v in values)
        counts = np.bincount(np.searchsorted(values, column, side="right"), each, len(edges) + 1)
        found.append(CodeHistogram(name=name, edges=edges, counts=tuple(counts.tolist())))
    effective = float(each.sum() ** 2 / (each**2).sum())
    return ReferenceDistribution(origin=origin, rows=len(codes), effective=effective, quantities=tuple(found))


def read_distribution(folder: Path) -> ReferenceDistribution:
    """The distribution of a bundle that has one; InputError where it is none."""
    return validate(ReferenceDistribution, bundle_json(folder, REFERENCE), str(folder / REFERENCE))
