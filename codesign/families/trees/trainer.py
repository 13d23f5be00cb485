"""What a library that grows trees must offer: one target at a time, the trees of each round, and a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import ToolError
from codesign.families.trees.own_margins import Margins
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.forest import Tree

__all__ = ("Grown", "Growth", "Loss", "Sorted", "Trainer")

#: of two classes by one margin, of several by one each, of a number by its square or its quantile
Loss: TypeAlias = Literal["two", "classes", "squared", "quantile"]


@dataclass(frozen=True)
class Growth:
    """How trees are grown. ``patience``: rounds without a better loss of the validation events after which it ends, and
    then the rounds up to the best are kept; None: all ``rounds``."""

    rounds: int
    depth: int
    most_leaves: int | None
    learning_rate: float
    min_child_weight: float
    patience: int | None
    seed: int


@dataclass(frozen=True)
class Sorted:
    """Events of one split for one target. ``x``: (events, features); ``y``: (events,) classes or numbers."""

    x: NDArray[np.float64]
    y: NDArray[np.float64] | NDArray[np.int64]
    weights: NDArray[np.float64] | None


@dataclass(frozen=True)
class Grown:
    """The trees of one target: those of each round, each with its output; ``base``: (outputs,) added to them."""

    rounds: tuple[tuple[Tree, ...], ...]
    base: NDArray[np.float64]


class Trainer(ABC):
    """A library that grows boosted trees. Its module is imported when it is asked to do something, not before."""

    name: ClassVar[str]
    #: what is imported, and the distribution that brings it
    module: ClassVar[str]
    distribution: ClassVar[str]

    @abstractmethod
    def grow(
        self, loss: Loss, outputs: int, quantile: float, train: Sorted, validation: Sorted, growth: Growth
    ) -> Grown:
        """Grow the trees of one target: of ``classes`` one output each, else one in all; the same seed, the same trees.

        ``quantile``: of the loss of that name.
        """

    @abstractmethod
    def write(self, model: TreeModel, classes: bool) -> bytes:
        """The library's own file of these trees, as many for each output; ``classes``: whether a softmax follows."""

    @abstractmethod
    def read(self, content: bytes, source: str) -> TreeModel:
        """A model that :meth:`write` wrote; InputError: damaged."""

    @abstractmethod
    def margins(self, content: bytes) -> tuple[str, Margins]:
        """The library's name and version, and the raw margins that it finds of a file of :meth:`write`."""

    @property
    def installed_as(self) -> str | None:
        """The distribution that is here; None where none is."""
        for name in (self.distribution, f"{self.distribution}-cpu"):
            try:
                version(name)
            except PackageNotFoundError:
                continue
            return name
        return None

    @property
    def version(self) -> str:
        """Of the library that is here; empty where it is not."""
        name = self.installed_as
        return "" if name is None else version(name)

    @property
    def installed(self) -> bool:
        """Whether it is here."""
        return find_spec(self.module) is not None

    def must_be_installed(self) -> None:
        """ToolError where it is not."""
        if not self.installed:
            raise ToolError(
                f"trainer '{self.name}' is not installed: pip install {self.distribution}, or give 'trainer: "
                "scikit-learn'"
            )
