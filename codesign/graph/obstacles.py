"""What keeps a file from being exact hardware: every obstacle at once, each with its node and what would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.core.errors import UnsupportedError
from codesign.core.printing import visible

__all__ = ("Obstacle", "Obstacles")


@dataclass(frozen=True)
class Obstacle:
    """One of them: the node or tensor, its operator (empty for a tensor), what was seen, and what would do."""

    node: str
    operator: str
    seen: str
    advice: str = ""

    @classmethod
    def of(cls, node: str, operator: str, error: UnsupportedError) -> Obstacle:
        """From an error: what stands behind its last semicolon, if anything does, is the advice."""
        seen, _, advice = str(error).removeprefix(f"{node}: ").rpartition("; ")
        return cls(node, operator, seen or advice, advice if seen else "")

    def __str__(self) -> str:
        """One line, whatever a file calls its nodes."""
        return visible(f"{self.node}: {self.seen}" + (f"; {self.advice}" if self.advice else ""))


class Obstacles(UnsupportedError):
    """A graph with one or more of them."""

    def __init__(self, obstacles: Sequence[Obstacle], ending: str = "") -> None:
        self.obstacles = tuple(obstacles)
        super().__init__("; ".join(dict.fromkeys(map(str, obstacles))) + ending)
