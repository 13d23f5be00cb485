"""Forward and backward of a network of fixed precision as one operation, over memory that is used again.

Signals travel as integer codes (in float32): every power-of-two scale is moved into the weights, where it is exact, so
a hidden layer is one matrix product and one compiled loop (:mod:`codesign.training.mlp_kernels`), forward and backward.
The numbers and the gradients are those of the Brevitas quantisers (:mod:`codesign.training.brevitas_quantisers`); the
tests compare them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.training.flat_layers import Layers

__all__ = ("ParameterLayout", "Workspace")

#: Brevitas' bound on the largest magnitude of a row of weights
_LEAST = 1e-10


class ParameterLayout(Layers):
    """Sizes and bits of a fully connected network, inputs first; says where each layer lies in the flat parameters.

    The flat parameters: the weights of all layers, their biases, and the logarithms of the activations' ranges: of the
    hidden ones, which are rectified, and of the head's where it is quantised, to ``head_bits`` with the sign.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        weight_bits: tuple[int, ...],
        activation_bits: tuple[int, ...],
        head_bits: int | None = None,
    ) -> None:
        super().__init__(sizes)
        #: smallest and largest code of each activation
        self.bounds = [(0, 2**bits - 1) for bits in activation_bits]
        #: of each activation: codes that its power of two is divided into
        steps = [2.0**bits for bits in activation_bits]
        if head_bits is not None:
            half = 2 ** (head_bits - 1)
            self.bounds.append((-half, half - 1))
            steps.append(float(half))
        self.counts = [sum(self.weight_sizes), sum(self.bias_sizes), len(steps)]
        columns = np.repeat(sizes[:-1], sizes[1:])
        #: of each row of weights: where it begins (and where the last one ends), and its layer
        self.starts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(columns)])
        self.of_rows: NDArray[np.int64] = np.repeat(np.arange(self.layers), sizes[1:])
        #: of each row: the largest code; of rows, then activations: codes that the power of two is divided into
        halves = np.array([2.0 ** (b - 1) for b in weight_bits], np.float32)[self.of_rows]
        self.limits = halves - 1
        self.parts = np.concatenate([halves, np.array(steps, np.float32)])

    def split(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Views of flat parameters: weights (out, in) and biases (out,) of each layer, and the ranges."""
        weights, biases, ranges = flat.split(self.counts)
        return self.matrices(weights), list(biases.split(self.bias_sizes)), ranges


class Workspace:
    """Memory of one forward and backward of ``events`` events; used again by a training loop, step after step.

    ``gradient``: of the flat parameters; ``codes``: of the activations, (events, n) each, after a forward; ``lsbs``: a
    code's value, of the inputs (1), of each layer's outputs.
    """

    def __init__(self, layout: ParameterLayout, events: int, dtype: torch.dtype = torch.float32) -> None:
        self.layout = layout
        sizes, rows, quantised = layout.sizes, sum(layout.bias_sizes), len(layout.bounds)
        self.gradient = torch.empty(sum(layout.counts), dtype=dtype)
        weights, biases, ranges = self.gradient.split(layout.counts)
        matrix, residual = torch.empty(2, len(weights), dtype=dtype)
        shifts = torch.empty(rows, dtype=dtype)
        self._matrices, self._shifts = layout.matrices(matrix), shifts.split(layout.bias_sizes)
        self._transposed = [m.t() for m in self._matrices]
        self._values = [torch.empty((events, n), dtype=dtype) for n in sizes[1:]]
        self.codes = [torch.empty((events, n), dtype=dtype) for n in sizes[1 : quantised + 1]]
        self._back = [torch.empty((events, n), dtype=dtype) for n in sizes[1 : quantised + 1]]
        self._of_matrices, of_biases = layout.matrices(weights), biases.split(layout.bias_sizes)
        self._head_bias = of_biases[-1]
        # largest magnitude of each row, then what the ranges' powers of two come from: one logarithm for all rows
        self._tops, self._parts = torch.empty(rows, dtype=dtype), torch.from_numpy(layout.parts).to(dtype)
        self._scales = torch.empty(len(layout.parts), dtype=dtype)
        self._row_scales, self._activation_scales = self._scales.split([rows, quantised])
        self.lsbs = torch.ones(layout.layers + 1, dtype=dtype)
        self._activation_lsbs = self.lsbs[1 : quantised + 1]
        # the same memory as NumPy arrays, for the compiled loops
        self._largest = (self._tops.numpy(), np.empty(rows, np.int64))
        self._rows = (layout.starts, layout.of_rows, layout.limits.astype(self._largest[0].dtype))
        self._grids, self._units = self._row_scales.numpy(), self.lsbs.numpy()
        self._written = tuple(t.numpy() for t in (matrix, residual, shifts))
        self._own = tuple(t.numpy() for t in (weights, biases, ranges))
        loops = zip(self._values, self.codes, self._back, of_biases, strict=False)
        self._loops = [tuple(t.numpy() for t in loop) for loop in loops]

    def forward(self, x: Tensor, flat: Tensor) -> Tensor:
        """Scores (events, outputs), in this memory, of values ``x`` (events, inputs) on the inputs' grid.

        Where the head is quantised, these are its codes.
        """
        from codesign.training import mlp_kernels as kernels
        from codesign.training.fused_kernels import extremes

        layout = self.layout
        self._x = x
        weight, bias, ranges = flat.detach().split(layout.counts)
        self._weight = weight.numpy()
        extremes(self._weight, layout.starts, *self._largest)
        # the logarithm by PyTorch, as in Brevitas: another one may round to another integer
        torch.log2(self._tops.clamp_min_(_LEAST), out=self._row_scales)
        self._activation_scales.copy_(ranges)
        self._scales.ceil_().exp2_().div_(self._parts)
        self._activation_lsbs.copy_(self._activation_scales)
        kernels.prepare(self._weight, bias.numpy(), self._rows, self._grids, self._units, self._written)
        for index in range(layout.layers):
            x = torch.addmm(self._shifts[index], x, self._transposed[index], out=self._values[index])
            if index < len(self._loops):
                value, code, _, _ = self._loops[index]
                kernels.quantise(value, *layout.bounds[index], code)
                x = self.codes[index]
        return x

    def backward(self, gradient: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Fill :attr:`gradient` from that of what :meth:`forward` gave, (events, outputs).

        ``hidden``: a gradient of the last hidden activation's codes, (events, n), that does not come through the head.
        """
        from codesign.training import mlp_kernels as kernels

        layout = self.layout
        weights, biases, ranges = self._own
        last = layout.layers - 1
        if len(self._loops) > last:
            gradient = self._back[last].copy_(gradient)
        else:
            torch.sum(gradient, 0, out=self._head_bias)
        for index in reversed(range(layout.layers)):
            if index < len(self._loops):
                value, _, back, total = self._loops[index]
                ranges[index] = kernels.through(back, value, *layout.bounds[index], total)
            if index == 0:
                break
            torch.mm(gradient.t(), self.codes[index - 1], out=self._of_matrices[index])
            before, matrix = self._back[index - 1], self._matrices[index]
            if index == last and hidden is not None:
                gradient = torch.addmm(hidden, gradient, matrix, out=before)
            else:
                gradient = torch.mm(gradient, matrix, out=before)
        torch.mm(gradient.t(), self._x, out=self._of_matrices[0])
        kernels.through_weights(
            weights, biases, self._weight, self._rows, self._grids, self._units, self._written[1], self._largest
        )
        return self.gradient
