"""The structure of signals that are numpy arrays, or behave like them: the same for every such domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from codesign.graph.domain import Domain, Taken

__all__ = ("Arrays",)


class Arrays(Domain[Any]):
    """The structure of signals that are numpy arrays, or behave like them."""

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join along an axis."""
        return np.concatenate(list(parts), axis=axis)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Reshape all but the first axis."""
        return x.reshape(x.shape[0], *shape)

    def transpose(self, x: Any, order: tuple[int, ...]) -> Any:
        """Permute the axes."""
        return x.transpose(order)

    def take(self, x: Any, places: Taken, axis: int) -> Any:
        """Elements of an axis."""
        return x[(slice(None),) * axis + (places,)]
