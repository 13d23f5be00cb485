"""Minkowski functionals of images: area, perimeter and Euler characteristic of the cells above a threshold.

Cells are closed unit squares, so that two that touch at a corner are one piece. Of cells in use with F faces, E
different edges and V different corners (Michielsen, De Raedt, Phys. Rep. 347 (2001) 461): area F, perimeter 2 E - 4 F,
Euler characteristic V - E + F, which is the number of pieces less that of holes. As features of jets: Chakraborty, Lim,
Nojiri, Takeuchi, JHEP 07 (2020) 111; Lim, Nojiri, Phys. Rev. D 105 (2022) 014004.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError

__all__ = ("minkowski_functionals",)


def minkowski_functionals(images: NDArray[np.floating], threshold: float, wrap: bool = False) -> NDArray[np.int64]:
    """Area, perimeter and Euler characteristic of each image.

    Parameters
    ----------
    images: (events, rows, columns), such as a calorimeter in cells of energy.
    threshold: cells of so much and more count.
    wrap: whether the last row is the first one's neighbour, as of a calorimeter whose rows go round in azimuth.

    Returns
    -------
    (events, 3) int64, in units of a cell's area and side. InputError where the shape is another, or a value is NaN.
    """
    array = np.asarray(images)
    if array.ndim != 3 or not all(array.shape[1:]):
        raise InputError(f"images have the shape (events, rows, columns), not {array.shape}")
    if wrap and array.shape[1] < 3:
        raise InputError(f"rows that go round are at least 3, not {array.shape[1]}")
    if np.isnan(array).any():
        raise InputError(f"image {int(np.argmax(np.isnan(array).any(axis=(1, 2))))} holds a value that is no number")
    used = array >= threshold
    # what lies left of column 0 and right of the last is empty; above row 0 too, but where rows go round
    used = np.pad(used, ((0, 0), (0, 0), (1, 1)))
    above = np.concatenate([used[:, -1:], used], axis=1) if wrap else np.pad(used, ((0, 0), (1, 1), (0, 0)))
    faces = used.sum(axis=(1, 2), dtype=np.int64)
    upright = (used[:, :, 1:] | used[:, :, :-1]).sum(axis=(1, 2), dtype=np.int64)
    level = above[:, 1:] | above[:, :-1]
    edges = upright + level.sum(axis=(1, 2), dtype=np.int64)
    corners = (level[:, :, 1:] | level[:, :, :-1]).sum(axis=(1, 2), dtype=np.int64)
    return np.stack([faces, 2 * edges - 4 * faces, corners - edges + faces], axis=1)
