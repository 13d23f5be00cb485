"""What a pass is: a graph and the types of its inputs in, a graph that gives the same integers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from codesign.core.fixedpoint import Port
from codesign.graph.passes.open_graph import OpenGraph

__all__ = ("GraphPass", "Passed")


@dataclass(frozen=True)
class Passed:
    """The graph, and a line for each thing that was done; none where nothing was to be done."""

    content: bytes
    done: tuple[str, ...]


class GraphPass(ABC):
    """A pure function of a graph. What it gives is compared with what it was given by
    :func:`codesign.graph.passes.improvement.improve`."""

    #: a word
    name: ClassVar[str]

    def run(self, content: bytes, inputs: Port) -> Passed:
        """The graph, changed where there is something to change."""
        graph = OpenGraph(content, inputs)
        done = tuple(self.change(graph))
        return Passed(graph.written() if done else content, done)

    @abstractmethod
    def change(self, graph: OpenGraph) -> Iterator[str]:
        """Change the graph's nodes; a line for each thing that is done: which node, and what."""
