"""The level of every step: how many boundaries are in front of it; and which steps wait, to keep fewer bits.

A value of the event that items take stays for as long as their words come. It need not come with an item and go through
all registers beside it, where products of the item are made that do not need it: these are a module in front.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from codesign.graph.labels import Labelled
from codesign.graph.streams import Kind

__all__ = ("Levels",)

#: what is worth a module in front of those that take the event's values
_PRODUCTS = ("MatMul", "Gemm", "Conv")


class Levels:
    """Levels of the steps of a labelled graph, whose values have so many bits an item."""

    def __init__(self, labelled: Labelled, bits: Mapping[str, int]) -> None:
        self._labelled, self._steps, self._bits = labelled, labelled.steps, bits
        self._maker = {o: place for place, step in enumerate(self._steps) for o in step.outputs}
        self._users: dict[str, list[int]] = defaultdict(list)
        for place, step in enumerate(self._steps):
            for name in step.inputs:
                self._users[name].append(place)
        of: dict[str, int] = dict.fromkeys((*labelled.inputs, *labelled.tables), 0)
        self._level: list[int] = []
        for step in self._steps:
            level = max(of[i] for i in step.inputs) + step.is_boundary
            self._level.append(level)
            of.update(dict.fromkeys(step.outputs, level))
        for place in range(len(self._steps))[::-1]:
            self._postpone(place)
        self._behind = self._behind_events()

    def group(self, place: int) -> tuple[int, ...]:
        """The phase of a step, and where it comes: boundaries of a level one by one, its event segment, its items',
        of which the last number is 1 behind others of the same items."""
        step, level = self._steps[place], self._level[place]
        if step.is_boundary:
            return level, 0, place
        if step.kind is Kind.EVENT:
            return level, 1, 0
        _, *layout = self._items_of(place)
        return level, 2, *layout, int(place in self._behind)

    def _behind_events(self) -> set[int]:
        """Steps of items that need what is made of the event in their level, where there are products before them."""
        behind: set[int] = set()
        front: set[tuple[int, ...]] = set()
        for place, step in enumerate(self._steps):
            if step.kind is not Kind.ITEM:
                continue
            makers = [self._maker[i] for i in step.inputs if i in self._maker]
            needed = [p for p in makers if self._level[p] == self._level[place]]
            if any(p in behind or self._is_of_event(p) for p in needed):
                behind.add(place)
            elif step.node is not None and step.node.op in _PRODUCTS:
                front.add(self._items_of(place))
        return {place for place in behind if self._items_of(place) in front}

    def _is_of_event(self, place: int) -> bool:
        return self._labelled.values[self._steps[place].outputs[0]].stream is None

    def _items_of(self, place: int) -> tuple[int, ...]:
        """Level and layout of a step of items."""
        stream = self._labelled.values[self._steps[place].outputs[0]].stream
        assert stream is not None
        return self._level[place], *stream.layout

    def _needs(self, place: int) -> int:
        """The level in which a step takes its inputs."""
        return self._level[place] - self._steps[place].is_boundary

    def _postpone(self, place: int) -> None:
        """Move a step of items to where its result is first needed, with those before it that only serve it, where
        fewer bits then wait than its result has."""
        step, level = self._steps[place], self._level[place]
        if step.kind is not Kind.ITEM:
            return
        needed = [self._needs(user) for o in step.outputs for user in self._users[o]]
        later = min(needed, default=level)
        if later <= level:
            return
        cone, best = {place}, None
        least = sum(self._bits[o] for o in step.outputs)
        while True:
            waiting = self._leaves(cone)
            cost = sum(self._bits[n] for n in waiting if not self._waits(n, cone, later))
            if cost < least:
                least, best = cost, set(cone)
            more = [
                p for n in waiting if (p := self._maker.get(n, -1)) >= 0
                and self._steps[p].kind is Kind.ITEM and self._level[p] == level
                and all(u in cone or self._needs(u) >= later for o in self._steps[p].outputs for u in self._users[o])
            ]  # fmt: skip
            if not more:
                break
            cone.add(max(more))
        for p in best or ():
            self._level[p] = later

    def _leaves(self, cone: set[int]) -> list[str]:
        """Streams that enter a set of steps."""
        made = {o for p in cone for o in self._steps[p].outputs}
        entering = dict.fromkeys(i for p in cone for i in self._steps[p].inputs if i not in made)
        values, tables = self._labelled.values, self._labelled.tables
        return [n for n in entering if values[n].stream is not None and n not in tables]

    def _waits(self, name: str, cone: set[int], later: int) -> bool:
        """Whether a value is kept until then anyway."""
        return any(self._needs(u) >= later for u in self._users[name] if u not in cone)
