"""A trained model behind a preparation of its inputs: a design that begins at raw codes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.data.preparation.prefix import network_codes
from codesign.families.trained import Reference, Trained

__all__ = ("PreparedModel",)


class PreparedModel(Trained):
    """A model whose inputs are prepared, and the whole ``design``: what prepares them, and the model's own."""

    def __init__(self, model: Trained, design: Design) -> None:
        self._model, self._design = model, design

    def design(self) -> Design:
        """From raw codes to outputs."""
        return self._design

    def references(self) -> Mapping[str, Reference]:
        """The model's own references, of the codes that the preparation gives exactly."""
        return {name: self._behind(one) for name, one in self._model.references().items()}

    def _behind(self, reference: Reference) -> Reference:
        def run(codes: NDArray[np.int64]) -> NDArray[np.int64]:
            return reference(self._prepare(codes))

        return run

    @cached_property
    def _prepare(self) -> Reference:
        return network_codes(self._design)

    def cost(self) -> float | None:
        """The model's."""
        return self._model.cost()

    def files(self) -> Mapping[str, bytes]:
        """The model's: the preparation is in the design."""
        return self._model.files()

    def tools(self) -> Mapping[str, str]:
        """The model's."""
        return self._model.tools()
