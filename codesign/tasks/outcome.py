"""What a trigger made of generated objects: what a parametrisation for generator-level work is fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ("Axis", "Outcome", "Tabulated")


@dataclass(frozen=True)
class Axis:
    """A quantity of every row, and its bins: ``edges``, or ``names`` of which ``values`` are the places.

    Rows outside of the edges count in the first or last bin. ``absolute``: whoever looks something up gives a signed
    number, of which the size counts; ``values`` are sizes.
    """

    values: NDArray[np.float64]
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    meaning: str = ""
    absolute: bool = False

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.names):
            raise ValueError("an axis has either edges or names")

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.names) or len(self.edges) - 1

    def bins(self) -> NDArray[np.int64]:
        """Bin of every row."""
        if self.names:
            return self.values.astype(np.int64)
        return np.clip(np.digitize(self.values, self.edges) - 1, 0, self.size - 1)


@dataclass(frozen=True)
class Outcome:
    """What became of each generated object: whether it ``passed`` the trigger, and its ``response`` (measured over
    generated pT), in dependence on ``axes``, the most important first. (rows,) each; None for what there is not."""

    axes: Mapping[str, Axis]
    passed: NDArray[np.bool_] | None = None
    response: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Tabulated:
    """A correction factor that is to be had as a table: its ``factor``, the one that would be ``right``, and the
    ``axes`` that a user of the table knows. (rows,) each."""

    axes: Mapping[str, Axis]
    factor: NDArray[np.float64]
    right: NDArray[np.float64]
