"""A network of quantised layers: its author writes one walk through it, and nothing of ranges and grids."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from codesign.training.network import Network
from codesign.training.quantised_layers import ConvolutionLayer, Layer, Matrix, Walk

__all__ = ("LayeredNetwork",)


class LayeredNetwork(Network):
    """Write ``forward`` of the layers in :mod:`codesign.training.quantised_layers`; ``shapes`` must be set."""

    @property
    def folded(self) -> bool:
        """Whether it is the exact function that is exported."""
        return all(layer.walk is Walk.FOLDED for layer in self._layers())

    @folded.setter
    def folded(self, folded: bool) -> None:
        self._walk(Walk.FOLDED if folded else Walk.RUNNING)

    def _layers(self) -> list[Layer]:
        return [m for m in self.modules() if isinstance(m, Layer)]

    def _walk(self, walk: Walk) -> None:
        for layer in self._layers():
            layer.walk = walk

    @property
    def prunable(self) -> Sequence[Tensor]:
        """Weights of matrices and convolutions."""
        return [m.weight for m in self.modules() if isinstance(m, Matrix | ConvolutionLayer)]

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Set each activation's range from the batch (events, n), in the order in which the walk reaches it.

        TypeError where the network does not say what it takes.
        """
        if not self.shapes:
            raise TypeError(f"{type(self).__name__}: set shapes, that of each block: ((inputs,),) of plain features")
        self._walk(Walk.CALIBRATING)
        self.of_flat(x)
        self._walk(Walk.RUNNING)

    @torch.no_grad()
    def fold(self) -> None:
        """Half an LSB into every bias, and the biases onto the grids of the sums that they enter."""
        if self.folded:
            return
        self._walk(Walk.FOLDING)
        self.of_flat(torch.zeros(1, sum(map(prod, self.shapes))))
        self._walk(Walk.FOLDED)
