"""The sixteen jet substructure observables of the published LHC jet sample, from constituents.

Definitions: Coleman et al., arXiv:1709.08705, as used for the hls4ml jet sample (arXiv:1804.06913). Every observable
but ``zlogz`` and ``multiplicity`` is computed on the jet groomed with the modified mass drop tagger (mMDT,
arXiv:1307.0007), which is soft drop with beta = 0 (arXiv:1402.2657): Cambridge/Aachen declustering until
min(pT1, pT2) / (pT1 + pT2) > 0.1.

With z_i = pT_i / sum(pT) and R_ij the distance in the (eta, phi) plane, over the groomed constituents:

- e2(b) = sum_{i<j} z_i z_j R_ij^b and e3(b) = sum_{i<j<k} z_i z_j z_k (R_ij R_ik R_jk)^b      (arXiv:1305.0007)
- C1(b) = e2(b); C2(b) = e3(b) / e2(b)^2                                                       (arXiv:1305.0007)
- D2(b) = e3(b) / e2(b)^3; D2(a, b) = e3(a) / e2(b)^(3 a / b)                                  (arXiv:1409.6298)
- 1e3(b), 2e3(b): e3 with only the smallest, the two smallest, of the three distances          (arXiv:1609.07483)
- M2(b) = 1e3(b) / e2(b); N2(b) = 2e3(b) / e2(b)^2                                             (arXiv:1609.07483)

Constituents are taken as massless, so that (pT, delta-eta, delta-phi) hold all there is to know of them. Where a
denominator vanishes (fewer than two groomed constituents, or all in one place) the ratio is defined as 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codesign.core.compiled import compile_kernel
from codesign.core.errors import InputError
from codesign.core.layout import BlockValues, Layout

__all__ = (
    "CONSTITUENTS",
    "FEATURE_NAMES",
    "FEATURE_UNITS",
    "ZCUT",
    "constituents_block",
    "features_of",
    "features_of_jagged",
    "groomed_mask",
)

FEATURE_NAMES: tuple[str, ...] = (
    "zlogz",
    "c1_b0_mmdt",
    "c1_b1_mmdt",
    "c1_b2_mmdt",
    "c2_b1_mmdt",
    "c2_b2_mmdt",
    "d2_b1_mmdt",
    "d2_b2_mmdt",
    "d2_a1_b1_mmdt",
    "d2_a1_b2_mmdt",
    "m2_b1_mmdt",
    "m2_b2_mmdt",
    "n2_b1_mmdt",
    "n2_b2_mmdt",
    "mass_mmdt",
    "multiplicity",
)
FEATURE_UNITS: tuple[str, ...] = tuple("GeV" if name == "mass_mmdt" else "1" for name in FEATURE_NAMES)
ZCUT = 0.1
#: the 32 hardest constituents of a jet, by falling pT; delta-eta and delta-phi are to the jet axis
CONSTITUENTS = Layout(
    name="constituents", shape=(32, 3), fields=("pt", "deta", "dphi"), units=("GeV", "1", "rad"), absent="code"
)

#: Below this a denominator is rounding noise: two distinct float32 directions are at least 1e-8 apart.
_TINY = 1e-30


@compile_kernel
def _rapidity_phi(e: float, px: float, py: float, pz: float) -> tuple[float, float]:
    """Rapidity and azimuth; the mass squared is floored at 0, which rounding can undercut for one massless particle."""
    pt2 = px * px + py * py
    m2 = max(e * e - pt2 - pz * pz, 0.0)
    y = 0.5 * math.log((pt2 + m2) / (e + abs(pz)) ** 2) if pt2 + m2 > 0 else 0.0
    return (-y if pz > 0 else y), math.atan2(py, px)


@compile_kernel
def _distance2(y1: float, phi1: float, y2: float, phi2: float) -> float:
    dphi = abs(phi1 - phi2)
    if dphi > math.pi:
        dphi = 2 * math.pi - dphi
    return (y1 - y2) ** 2 + dphi * dphi


@compile_kernel
def _mmdt(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64], zcut: float
) -> NDArray[np.bool_]:
    """Groom one jet of (n,) massless constituents; returns the (n,) mask of those kept.

    Cambridge/Aachen with E-scheme recombination; each pseudo-jet remembers its nearest neighbour, so that a jet takes
    about n^2 steps.
    """
    n = len(pt)
    keep = np.zeros(n, dtype=np.bool_)
    if n == 0:
        return keep
    size = 2 * n - 1
    p = np.empty((size, 4))
    y = np.empty(size)
    azimuth = np.empty(size)
    parents = np.full((size, 2), -1)
    for i in range(n):
        p[i, 0] = pt[i] * math.cosh(eta[i])
        p[i, 1] = pt[i] * math.cos(phi[i])
        p[i, 2] = pt[i] * math.sin(phi[i])
        p[i, 3] = pt[i] * math.sinh(eta[i])
        y[i] = eta[i]
        azimuth[i] = math.atan2(p[i, 2], p[i, 1])
    active = list(range(n))
    nearest = np.full(size, -1)
    nearest_d = np.full(size, np.inf)
    for i in range(n):
        for j in range(i):
            d = _distance2(y[i], azimuth[i], y[j], azimuth[j])
            if d < nearest_d[i]:
                nearest_d[i], nearest[i] = d, j
            if d < nearest_d[j]:
                nearest_d[j], nearest[j] = d, i
    for new in range(n, size):
        a = active[0]
        for i in active:
            if nearest_d[i] < nearest_d[a]:
                a = i
        b = nearest[a]
        parents[new, 0], parents[new, 1] = a, b
        p[new] = p[a] + p[b]
        y[new], azimuth[new] = _rapidity_phi(p[new, 0], p[new, 1], p[new, 2], p[new, 3])
        active.remove(a)
        active.remove(b)
        active.append(new)
        for i in active:
            if i == new:
                continue
            if nearest[i] == a or nearest[i] == b:
                nearest_d[i] = np.inf
                for j in active:
                    if j != i and j != new:
                        d = _distance2(y[i], azimuth[i], y[j], azimuth[j])
                        if d < nearest_d[i]:
                            nearest_d[i], nearest[i] = d, j
            d = _distance2(y[i], azimuth[i], y[new], azimuth[new])
            if d < nearest_d[i]:
                nearest_d[i], nearest[i] = d, new
            if d < nearest_d[new]:
                nearest_d[new], nearest[new] = d, i
    current = size - 1
    while parents[current, 0] >= 0:
        a, b = parents[current, 0], parents[current, 1]
        pt_a, pt_b = math.hypot(p[a, 1], p[a, 2]), math.hypot(p[b, 1], p[b, 2])
        if min(pt_a, pt_b) > zcut * (pt_a + pt_b):
            break
        current = a if pt_a >= pt_b else b
    stack = [current]
    while len(stack) > 0:
        node = stack.pop()
        if parents[node, 0] < 0:
            keep[node] = True
        else:
            stack.append(parents[node, 0])
            stack.append(parents[node, 1])
    return keep


@compile_kernel
def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > _TINY else 0.0


@compile_kernel
def _features(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    """Write the sixteen features of one jet of (n,) constituents into ``out`` (16,)."""
    out[:] = 0
    n = len(pt)
    total = pt.sum()
    if n == 0 or total <= 0:
        return
    zlogz = 0.0
    for i in range(n):
        z = pt[i] / total
        zlogz += z * math.log(z)
    keep = _mmdt(pt, eta, phi, ZCUT)
    gpt, geta, gphi = pt[keep], eta[keep], phi[keep]
    m = len(gpt)
    z = gpt / gpt.sum()
    r = np.zeros((m, m))
    e, px, py, pz = 0.0, 0.0, 0.0, 0.0
    b0, b1, b2 = 0.0, 0.0, 0.0
    for i in range(m):
        e += gpt[i] * math.cosh(geta[i])
        px += gpt[i] * math.cos(gphi[i])
        py += gpt[i] * math.sin(gphi[i])
        pz += gpt[i] * math.sinh(geta[i])
        for j in range(i):
            r2 = _distance2(geta[i], gphi[i], geta[j], gphi[j])
            r[i, j] = r[j, i] = math.sqrt(r2)
            zz = z[i] * z[j]
            b0 += zz
            b1 += zz * r[i, j]
            b2 += zz * r2
    e1, e2, one1, one2, two1, two2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(m):
        for j in range(i):
            zz = z[i] * z[j]
            a = r[i, j]
            for k in range(j):
                zzz = zz * z[k]
                b, c = r[i, k], r[j, k]
                small = min(a, b, c)
                # the product of the two smallest: the smallest times the middle one
                pair = small * max(min(a, b), min(max(a, b), c))
                product = a * b * c
                e1 += zzz * product
                e2 += zzz * product * product
                one1 += zzz * small
                one2 += zzz * small * small
                two1 += zzz * pair
                two2 += zzz * pair * pair
    out[0] = zlogz
    out[1], out[2], out[3] = b0, b1, b2
    out[4], out[5] = _ratio(e1, b1**2), _ratio(e2, b2**2)
    out[6], out[7] = _ratio(e1, b1**3), _ratio(e2, b2**3)
    out[8], out[9] = out[6], _ratio(e1, b2**1.5)
    out[10], out[11] = _ratio(one1, b1), _ratio(one2, b2)
    out[12], out[13] = _ratio(two1, b1**2), _ratio(two2, b2**2)
    out[14] = math.sqrt(max(e * e - px * px - py * py - pz * pz, 0.0)) if m > 1 else 0.0
    out[15] = n


@compile_kernel
def _all_features(
    pt: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64], offsets: NDArray[np.int64]
) -> NDArray[np.float32]:
    out = np.empty((len(offsets) - 1, 16), dtype=np.float32)
    for jet in range(len(offsets) - 1):
        first, last = offsets[jet], offsets[jet + 1]
        _features(pt[first:last], eta[first:last], phi[first:last], out[jet])
    return out


def features_of_jagged(
    pt: NDArray[np.floating], eta: NDArray[np.floating], phi: NDArray[np.floating], offsets: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Compute the sixteen features of jets with any number of constituents each.

    Parameters
    ----------
    pt, eta, phi: (constituents,) transverse momentum [GeV] and direction [rad] of massless constituents, jet after jet;
        directions may be relative to the jet axis or not.
    offsets: (jets + 1,) where each jet begins.

    Returns
    -------
    (jets, 16) float32 in the order of ``FEATURE_NAMES``, units in ``FEATURE_UNITS`` (GeV for ``mass_mmdt``, else 1).
    A jet without constituents gets zeros. Formulas and their sources: see the module's docstring.
    """
    arrays = (np.ascontiguousarray(a, dtype=np.float64) for a in (pt, eta, phi))
    result: NDArray[np.float32] = _all_features(*arrays, np.ascontiguousarray(offsets, dtype=np.int64))
    return result


def features_of(constituents: NDArray[np.floating]) -> NDArray[np.float32]:
    """Compute the sixteen features from padded constituents.

    Parameters
    ----------
    constituents: (jets, k, 3): pT [GeV], delta-eta, delta-phi to the jet axis; any k, any order, zero padded.

    Returns
    -------
    (jets, 16) float32 in the order of ``FEATURE_NAMES``, units in ``FEATURE_UNITS``.

    Raises
    ------
    InputError: wrong shape, a value that is not finite, or a negative pT, naming the jet.
    """
    array = np.asarray(constituents, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"constituents must have the shape (jets, k, 3), not {array.shape}")
    bad = ~np.isfinite(array).all(axis=(1, 2)) | (array[..., 0] < 0).any(axis=1)
    if bad.any():
        raise InputError(f"constituents of jet {int(np.argmax(bad))} hold a value that is not finite, or a negative pT")
    used = array[..., 0] > 0
    offsets = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    flat = array[used]
    return features_of_jagged(flat[:, 0], flat[:, 1], flat[:, 2], offsets)


def groomed_mask(
    pt: NDArray[np.floating], eta: NDArray[np.floating], phi: NDArray[np.floating], zcut: float = ZCUT
) -> NDArray[np.bool_]:
    """Groom one jet of massless constituents with the modified mass drop tagger (arXiv:1307.0007).

    ``pt`` [GeV], ``eta``, ``phi`` [rad]: (n,). Returns the (n,) mask of the constituents that survive. ``zcut``:
    momentum fraction that the softer branch must exceed.
    """
    result: NDArray[np.bool_] = _mmdt(*(np.asarray(a, dtype=np.float64) for a in (pt, eta, phi)), zcut)
    return result


def constituents_block(constituents: NDArray[np.floating]) -> BlockValues:
    """The block of (jets, k, 3) pT, delta-eta, delta-phi: the 32 hardest of each jet, by falling pT, zero padded."""
    array = np.asarray(constituents, dtype=np.float32)
    order = np.argsort(-array[..., 0], axis=1, kind="stable")[:, : CONSTITUENTS.items, None]
    hardest = np.take_along_axis(array, order, axis=1)
    return BlockValues(CONSTITUENTS, np.pad(hardest, ((0, 0), (0, CONSTITUENTS.items - hardest.shape[1]), (0, 0))))
