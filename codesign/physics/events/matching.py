"""Which object of one collection is which of another: one to one, the nearest pairs first.

All pairs within a radius are taken in the order of their distance; a pair whose two objects are both still free is a
match. That is what «matched within dR < 0.2» means where every jet may be used once: the result does not depend on the
order of the collections, and no jet stands for two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.compiled import compile_kernel

__all__ = ("match", "match_truth")


def match(first: Any, second: Any, radius: float = 0.2, once: bool = True) -> Any:
    """For every object of ``first``, the place of its match in ``second``.

    Parameters
    ----------
    first, second: awkward arrays, (events, var), of records with ``eta`` and ``phi`` [rad].
    radius: matches are nearer than this: sqrt(d eta^2 + d phi^2).
    once: whether an object of ``second`` may be a match once only; otherwise each of ``first`` gets its nearest, as
        where several trigger objects belong to one jet.

    Returns
    -------
    awkward array, (events, var), int64: a place in the same event's list, -1 where there is no match.
    """
    import awkward as ak

    if len(first) != len(second):
        raise ValueError(f"{len(first)} events cannot be matched with {len(second)}")
    (a, eta_a, phi_a), (b, eta_b, phi_b) = _flat(first), _flat(second)
    found = _kernel()(a, eta_a, phi_a, b, eta_b, phi_b, float(radius), once)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(a), ak.contents.NumpyArray(found)))


def match_truth(first: Any, second: Any, radius: float = 0.2, once: bool = True) -> tuple[Any, Any]:
    """The matched objects of both collections, in the order of ``first``: two arrays of the same shape."""
    places = match(first, second, radius, once)
    there = places >= 0
    return first[there], second[places[there]]


def _flat(objects: Any) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    import awkward as ak

    counts = np.asarray(ak.num(objects.eta), dtype=np.int64)
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    eta, phi = (np.asarray(ak.flatten(objects[field]), dtype=np.float64) for field in ("eta", "phi"))
    return offsets, eta, phi


@lru_cache(maxsize=1)
def _kernel() -> Callable[..., NDArray[np.int64]]:
    """Compile on first use: Numba is slow to import."""
    kernel: Callable[..., NDArray[np.int64]] = compile_kernel(_match)
    return kernel


def _match(
    a: NDArray[np.int64],
    eta_a: NDArray[np.float64],
    phi_a: NDArray[np.float64],
    b: NDArray[np.int64],
    eta_b: NDArray[np.float64],
    phi_b: NDArray[np.float64],
    radius: float,
    once: bool,
) -> NDArray[np.int64]:
    found = np.full(len(eta_a), -1, dtype=np.int64)
    for event in range(len(a) - 1):
        n, m = a[event + 1] - a[event], b[event + 1] - b[event]
        distances = np.empty(n * m, dtype=np.float64)
        pairs = np.empty(n * m, dtype=np.int64)
        near = 0
        for i in range(n):
            for j in range(m):
                eta = eta_a[a[event] + i] - eta_b[b[event] + j]
                phi = phi_a[a[event] + i] - phi_b[b[event] + j]
                phi -= 2 * np.pi * np.round(phi / (2 * np.pi))
                squared = eta * eta + phi * phi
                if squared < radius * radius:
                    distances[near] = squared
                    pairs[near] = i * m + j
                    near += 1
        used = np.zeros(m, dtype=np.bool_)
        order = np.argsort(distances[:near], kind="mergesort")  # equal distances: in the order of the collections
        for k in order:
            i, j = pairs[k] // m, pairs[k] % m
            if found[a[event] + i] < 0 and not (once and used[j]):
                found[a[event] + i] = j
                used[j] = True
    return found
