"""What folding speaks of: streams of items, values with the part of one item, and the steps that make them.

A *stream* is a value that has an axis of items, and reaches hardware a word of ``lanes`` items at a clock. Every signal
is kept *cut*: with the elements of one item only along that axis, so that whatever is the same for every item is run
once for one item, over any domain. A value without such an axis is of the *event*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import UnsupportedError
from codesign.graph.nodes import Node

__all__ = ("CannotFold", "Combine", "Kind", "Step", "Stream", "UnevenWord", "Value", "split")


class CannotFold(UnsupportedError):
    """A node that does not do the same to each item, by its name."""

    def __init__(self, node: str, why: str) -> None:
        self.node, self.why = node, why
        super().__init__(f"{node}: cannot be folded: {why}; compile it with interval 1")


class UnevenWord(CannotFold):
    """A stride that does not go into the items of a word: with words of ``times`` as many it would."""

    def __init__(self, node: str, lanes: int, stride: int) -> None:
        self.times = stride // gcd(lanes, stride)
        super().__init__(node, f"a stride of {stride} over words of {lanes} items")


class Kind(StrEnum):
    """What a step, or a phase of hardware, is."""

    ITEM = "item"  # the same of every item
    EVENT = "event"  # once an event
    REDUCE = "reduce"  # a sum, maximum or minimum over the items
    WINDOW = "window"  # each item with its neighbours, zeros beyond the borders
    COLLECT = "collect"  # all items at once
    TURN = "turn"  # an event's value as a stream, along any of its axes


class Combine(StrEnum):
    """How a reduction takes one item after another."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True)
class Stream:
    """Where a value's items are.

    Attributes
    ----------
    axis: of the value, the events' being 0; it is ``items * size`` long.
    items: number of items, N.
    size: neighbouring elements of the axis that are one item's: 1, or more where items were flattened.
    lanes: items of a word, K.
    """

    axis: int
    items: int
    size: int
    lanes: int

    @property
    def words(self) -> int:
        """Words of an event, P: clocks between its first and the next event's."""
        return -(-self.items // self.lanes)

    @property
    def rest(self) -> int:
        """Items in the last word; its other slots hold none."""
        return self.items - (self.words - 1) * self.lanes

    @property
    def layout(self) -> tuple[int, int]:
        """What two streams must have in common to meet."""
        return self.items, self.lanes


def split(x: NDArray[Any], stream: Stream) -> NDArray[Any]:
    """A whole value (rows, ...) as its items (rows, items, ...), each cut."""
    shape, axis = x.shape, stream.axis
    apart = x.reshape(*shape[:axis], stream.items, stream.size, *shape[axis + 1 :])
    return np.moveaxis(apart, axis, 1)


@dataclass(frozen=True)
class Value:
    """A signal: its stream, None where it is of the event, and its shape of one item without the events' axis."""

    stream: Stream | None
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements of one item, or of the event."""
        return prod(self.shape)


@dataclass(frozen=True)
class Step:
    """One step from values to values, by name.

    Attributes
    ----------
    node: of an item's or event's step, a node that takes cut signals and cut constants.
    combine: of a reduction.
    offsets: of a window, the neighbours that an item is put together with, along the axis.
    stride: of a window, items from one of its middles to the next one's.
    """

    kind: Kind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    node: Node | None = None
    combine: Combine | None = None
    offsets: tuple[int, ...] = ()
    stride: int = 1

    @property
    def name(self) -> str:
        """Of its node, or of what it makes."""
        return self.node.name if self.node is not None else self.outputs[0]

    @property
    def is_boundary(self) -> bool:
        """Whether it is made of registers and not compiled."""
        return self.kind not in (Kind.ITEM, Kind.EVENT)
