"""A network of quantised layers: its author writes one walk through it, and nothing of ranges and grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor

from codesign.training.batch_normalisation import Normalisation
from codesign.training.network import Network
from codesign.training.quantised_layers import ActivationLayer, ConvolutionLayer, Layer, Matrix, OutputLayer, Walk

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

    @contextmanager
    def floating(self) -> Iterator[None]:
        """While this lasts, it has no quantisers, and what enters an activation is normalised; then that is in the
        weights."""
        active = [m for m in self.modules() if isinstance(m, ActivationLayer)]
        for layer in active:
            layer.normalisation = Normalisation(layer.bias)
        self._walk(Walk.FLOATING)
        yield
        self._walk(Walk.RUNNING)
        for layer in active:
            assert layer.normalisation is not None
            layer.normalisation.fold(layer.bias)
            layer.normalisation = None

    def float_parameters(self) -> list[Tensor]:
        """What is trained in floating point: weights, biases, and the gains of what is normalised meanwhile."""
        found = [m.weight for m in self.modules() if isinstance(m, Matrix | ConvolutionLayer)]
        found += [m.bias for m in self.modules() if isinstance(m, ActivationLayer | OutputLayer)]
        layers = [m.normalisation for m in self.modules() if isinstance(m, ActivationLayer)]
        return [*found, *(n.gain for n in layers if n is not None)]
