"""Shapes of ungroomed jets, from their constituents: what trees and networks are given beside the sixteen features.

With z_i = pT_i / sum(pT), and r_i the distance in the (eta, phi) plane from the axis of the summed momentum:

- mass, pt: of the sum of massless constituents;
- width = sum z_i r_i                                                  (girth; Gallicchio, Schwartz, arXiv:1106.3076)
- ptd = sqrt(sum z_i^2)                                                (CMS PAS JME-13-002; Pandolfi, ETH 2012)
- lead_1, lead_2, lead_3: the three largest z_i;
- c2, d2: ungroomed correlators of beta 1, e3 / e2^2, e3 / e2^3        (arXiv:1305.0007; arXiv:1409.6298)
- area: the union of discs of ``RADIUS`` around the constituents, on a grid: the passive area of the kt algorithm,
  which is the Voronoi area, of a jet that stands alone                (Cacciari, Salam, Soyez, arXiv:0802.1188)
- image_area, image_perimeter, image_euler: Minkowski functionals of the jet's image in ``CELLS`` x ``CELLS`` cells of
  ``CELL`` around the axis, those above ``CELL_LEAST`` GeV             (``image_geometry``)

A mass, width, C2, D2 change with soft or collinear radiation as little as that radiation is soft or collinear; ptd, the
leading fractions, the area and the image do not have that property.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codesign.core.compiled import compile_kernel
from codesign.core.errors import InputError
from codesign.physics.image_geometry import minkowski_functionals

__all__ = ("CELL", "CELLS", "CELL_LEAST", "RADIUS", "SHAPES", "energy_correlators", "jet_images", "jet_shapes")

RADIUS = 0.4
CELLS, CELL, CELL_LEAST = 16, 0.05, 1.0
#: side of a cell in which the area is counted, and half the width of what is looked at
_STEP, _REACH = 0.04, 1.0
_TINY = 1e-30

#: name of each shape, and its unit
SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "mass": "GeV",
        "pt": "GeV",
        "width": "1",
        "ptd": "1",
        "lead_1": "1",
        "lead_2": "1",
        "lead_3": "1",
        "c2": "1",
        "d2": "1",
        "area": "1",
        "image_area": "cells",
        "image_perimeter": "cell sides",
        "image_euler": "1",
    }
)
_FROM_IMAGE = 3


@compile_kernel
def _axis(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Mass, pT, rapidity (which, other than pseudorapidity, a boost shifts by a constant) and azimuth of the sum."""
    e, x, y, z = 0.0, 0.0, 0.0, 0.0
    for i in range(len(pt)):
        e += pt[i] * math.cosh(eta[i])
        x += pt[i] * math.cos(phi[i])
        y += pt[i] * math.sin(phi[i])
        z += pt[i] * math.sinh(eta[i])
    total = math.hypot(x, y)
    axis = 0.5 * math.log((e + z) / (e - z)) if total > 0 else 0.0
    return math.sqrt(max(e * e - x * x - y * y - z * z, 0.0)), total, axis, math.atan2(y, x)


@compile_kernel
def _turned(phi: float) -> float:
    return phi - 2 * math.pi * math.floor((phi + math.pi) / (2 * math.pi))


@compile_kernel
def _correlators(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64], beta: float
) -> tuple[float, float]:
    n, total = len(pt), pt.sum()
    r = np.zeros((n, n))
    two, three = 0.0, 0.0
    for i in range(n):
        for j in range(i):
            r[i, j] = math.hypot(eta[i] - eta[j], _turned(phi[i] - phi[j])) ** beta
            two += pt[i] * pt[j] * r[i, j]
            for k in range(j):
                three += pt[i] * pt[j] * pt[k] * r[i, j] * r[i, k] * r[j, k]
    return two / total**2, three / total**3


@compile_kernel
def _area(eta: NDArray[np.float64], phi: NDArray[np.float64], radius: float) -> float:
    side = round(2 * _REACH / _STEP)
    count = 0
    for a in range(side):
        y = (a + 0.5) * _STEP - _REACH
        for b in range(side):
            x = (b + 0.5) * _STEP - _REACH
            for i in range(len(eta)):
                if (eta[i] - y) ** 2 + (phi[i] - x) ** 2 < radius * radius:
                    count += 1
                    break
    return count * _STEP * _STEP


@compile_kernel
def _shapes(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Write the shapes of one jet of (n,) constituents, but for those of its image, into ``out``."""
    out[:] = 0
    if len(pt) == 0:
        return
    total = pt.sum()
    mass, out[1], y, x = _axis(pt, eta, phi)
    out[0] = mass if len(pt) > 1 else 0.0
    near_eta, near_phi = eta - y, phi - x
    for i in range(len(pt)):
        near_phi[i] = _turned(near_phi[i])
        out[2] += pt[i] / total * math.hypot(near_eta[i], near_phi[i])
        out[3] += (pt[i] / total) ** 2
    out[3] = math.sqrt(out[3])
    falling = np.sort(pt)[::-1]
    for i in range(min(len(pt), 3)):
        out[4 + i] = falling[i] / total
    two, three = _correlators(pt, eta, phi, 1.0)
    out[7] = three / two**2 if two**2 > _TINY else 0.0
    out[8] = three / two**3 if two**3 > _TINY else 0.0
    out[9] = _area(near_eta, near_phi, RADIUS)


@compile_kernel
def _all_shapes(constituents: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for jet in range(len(constituents)):
        there = constituents[jet, :, 0] > 0
        _shapes(constituents[jet, there, 0], constituents[jet, there, 1], constituents[jet, there, 2], out[jet])


@compile_kernel
def _all_images(constituents: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    half = CELLS / 2
    for jet in range(len(constituents)):
        pt, eta, phi = constituents[jet, :, 0], constituents[jet, :, 1], constituents[jet, :, 2]
        _, total, y, x = _axis(pt, eta, phi)
        if total <= 0:
            continue
        for i in range(len(pt)):
            row = math.floor((eta[i] - y) / CELL + half)
            column = math.floor(_turned(phi[i] - x) / CELL + half)
            if 0 <= row < CELLS and 0 <= column < CELLS:
                out[jet, row, column] += pt[i]


def _checked(constituents: NDArray[np.floating]) -> NDArray[np.float64]:
    array = np.ascontiguousarray(constituents, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"constituents must have the shape (jets, k, 3), not {array.shape}")
    bad = ~np.isfinite(array).all(axis=(1, 2)) | (array[..., 0] < 0).any(axis=1)
    if bad.any():
        raise InputError(f"constituents of jet {int(np.argmax(bad))} hold a value that is not finite, or a negative pT")
    return array


def jet_shapes(constituents: NDArray[np.floating]) -> NDArray[np.float32]:
    """All of ``SHAPES``, (jets, 13) float32 in their units; a jet without constituents gets zeros.

    ``constituents``: (jets, k, 3) pT [GeV], eta and phi [rad], relative to an axis or not; any order, zero padded.
    InputError names the jet of a value that is not finite or of a negative pT.
    """
    array = _checked(constituents)
    out = np.zeros((len(array), len(SHAPES)))
    _all_shapes(array, out)
    out[:, -_FROM_IMAGE:] = minkowski_functionals(jet_images(array), CELL_LEAST)
    return out.astype(np.float32)


def jet_images(constituents: NDArray[np.floating]) -> NDArray[np.float32]:
    """(jets, 16, 16) pT [GeV] in cells of 0.05 in eta (rows) and phi around each jet's axis; as :func:`jet_shapes`."""
    array = _checked(constituents)
    out = np.zeros((len(array), CELLS, CELLS), dtype=np.float32)
    _all_images(array, out)
    return out


def energy_correlators(constituents: NDArray[np.floating], beta: float = 1.0) -> NDArray[np.float64]:
    """(jets, 2) normalised two- and three-point energy correlators e2 and e3 (arXiv:1305.0007), ungroomed.

    ``constituents`` as of :func:`jet_shapes`; ``beta``: exponent of the distances, above 0.
    """
    array = _checked(constituents)
    if not beta > 0:
        raise InputError(f"the exponent of an energy correlator is above 0, not {beta:g}")
    out = np.zeros((len(array), 2))
    for jet, row in enumerate(array):
        there = row[row[:, 0] > 0]
        if len(there):
            out[jet] = _correlators(*np.ascontiguousarray(there.T), beta)
    return out
