"""Scores of a collection that is not read yet: arrays of ``dask_awkward``, as coffea's ``mode="dask"`` gives them.

``dask_awkward`` is not required: an array can only be one of its where somebody imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import awkward as ak

__all__ = ("is_lazy", "read_traced", "score_lazily")


def is_lazy(events: object) -> bool:
    """Whether this is a collection of ``dask_awkward``."""
    library = sys.modules.get("dask_awkward")
    return library is not None and isinstance(events, library.Array)


def score_lazily(scorer: Callable[[ak.Array], ak.Array], events: Any) -> Any:
    """One call of the scorer for each partition."""
    return sys.modules["dask_awkward"].map_partitions(scorer, events, label="codesign")


def read_traced(events: ak.Array, fields: Sequence[str]) -> ak.Array:
    """Of events without data, which Dask sends through a graph to see what it reads: those fields that scoring reads,
    each marked as read; ``fields`` as :func:`codesign.physics.events.read_events` takes them."""
    import awkward as ak

    groups: dict[str, list[str]] = {}
    for name in fields:
        group, _, field = name.partition(".")
        groups.setdefault(group, []).extend([field] if field else [])
    found = {}
    for group, wanted in groups.items():
        whole = events[group]
        chosen = whole[wanted] if wanted else whole
        ak.typetracer.touch_data(chosen)
        found[group] = chosen
    return ak.zip(found, depth_limit=1)
