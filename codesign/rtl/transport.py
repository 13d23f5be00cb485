"""How an event comes to firmware: all of it at once, or beat by beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ("Beats", "Parallel", "Transport")


@dataclass(frozen=True)
class Parallel:
    """The whole event at once, held for ``interval`` clocks."""

    interval: int = 1


@dataclass(frozen=True)
class Beats:
    """``items`` items in each of ``beats`` clocks that follow one another, the last ones' slots without an item open.

    Blocks without items come with the first beat. The next event's first beat comes ``interval`` clocks after the
    last one's, or later.
    """

    items: int
    beats: int
    interval: int


Transport: TypeAlias = Parallel | Beats
