"""Where the layers of a fully connected network lie in flat tensors."""

from __future__ import annotations

from torch import Tensor

__all__ = ("Layers",)


class Layers:
    """Sizes of a fully connected network, inputs first."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.layers = len(sizes) - 1
        self.bias_sizes = list(sizes[1:])
        self.shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        self.weight_sizes = [a * b for a, b in self.shapes]

    def matrices(self, flat: Tensor) -> list[Tensor]:
        """Views (out, in) of each layer's part of a flat tensor over all weights."""
        return [p.view(shape) for p, shape in zip(flat.split(self.weight_sizes), self.shapes, strict=True)]
