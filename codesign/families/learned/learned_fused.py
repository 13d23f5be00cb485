"""Forward and backward of a network with learned precision as one operation, and its effective bit operations.

Signals travel as integer codes (in float32): every power-of-two scale is moved into the weights, where it is exact, so
a hidden layer is one matrix product and one compiled loop (:mod:`codesign.families.learned.learned_kernels`), forward
and backward.

Gradients are those of HGQ (arXiv 2405.00645): straight through the rounding for values, and for fraction bits ``f``
``d x_q / d f = ln 2 * (x - x_q)``; where an activation saturates, it is the derivative of the bound ``2**i - 2**-f``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.training.flat_layers import Layers
from codesign.training.learned_quantisers import EDGE, FRACTION_LIMITS, INTEGER_LIMITS, Granularity

__all__ = ("LearnedLayout", "LearnedWorkspace", "learned_forward")

_POWERS = np.exp2(np.arange(FRACTION_LIMITS[0], FRACTION_LIMITS[1] + 1, dtype=np.float32))


class LearnedLayout(Layers):
    """Sizes of a fully connected network, inputs first; says where each layer lies in the flat tensors.

    A signal is an input or a hidden neuron. ``which`` gives, for each weight, the index of its fraction bits.
    """

    def __init__(self, sizes: tuple[int, ...], granularity: Granularity = "weight") -> None:
        super().__init__(sizes)
        self.signal_sizes = list(sizes[:-1])
        bits, which = 0, []
        for out, inn in self.shapes:
            target, source = np.indices((out, inn))
            own = {"weight": target * inn + source, "channel": target, "tensor": target * 0}[granularity]
            which.append(own.ravel() + bits)
            bits += int(own.max()) + 1
        self.which: NDArray[np.int64] = np.concatenate(which)
        #: number of fraction bits of weights
        self.bits = bits
        signals = sum(self.signal_sizes)
        #: of weights, their fraction bits, biases, fraction and integer bits of the signals
        self.counts = [len(self.which), bits, sum(self.bias_sizes), signals, signals]

    def parts(self, values: Tensor, bits: Tensor) -> list[Tensor]:
        """Views, in the order of :attr:`counts`, of a tensor for weights and biases, and one for all bits."""
        weights, fraction, biases, f, i = self.counts
        (own, bias), (fine, signal, integer) = values.split([weights, biases]), bits.split([fraction, f, i])
        return [own, fine, bias, signal, integer]


class LearnedWorkspace:
    """Memory of one forward and backward of ``events`` events; used again by a training loop, step after step.

    ``gradients``: of weights, their fraction bits, biases, fraction and integer bits of the signals, each flat;
    ``together``: the same as two tensors, of weights and biases, and of all bits.
    """

    def __init__(self, layout: LearnedLayout, events: int, dtype: torch.dtype = torch.float32) -> None:
        self.layout = layout
        sizes, (number, bits, outs, inns, _) = layout.sizes, layout.counts
        signals, weights = torch.empty((6, sum(sizes)), dtype=dtype), torch.empty((3, number), dtype=dtype)
        biases = torch.empty(outs, dtype=dtype)
        self.together = [torch.empty(number + outs, dtype=dtype), torch.empty(bits + 2 * inns, dtype=dtype)]
        self.gradients = layout.parts(*self.together)
        self._matrices, self._biases = layout.matrices(weights[1]), biases.split(layout.bias_sizes)
        self._transposed = [m.t() for m in self._matrices]
        self._ahead = [torch.empty((events, n), dtype=dtype) for n in sizes]
        self._codes = [torch.empty((events, n), dtype=dtype) for n in sizes[:-1]]
        self._back = [torch.empty((events, n), dtype=dtype) for n in sizes[:-1]]
        self._of_matrices = layout.matrices(self.gradients[0])
        self._head_bias = self.gradients[2][-sizes[-1] :]
        self._scale = signals[0, : sizes[0]]
        self._half = torch.full((), 0.5, dtype=dtype)
        # the same memory as NumPy arrays, for the compiled loops
        self._signals = tuple(signals.numpy())
        self._weights, self._shifts = tuple(weights.numpy()), biases.numpy()
        self._shapes = np.array(layout.shapes)
        limits = np.finfo(self._shifts.dtype)
        raw = self._weights[2].view(np.dtype(f"i{limits.dtype.itemsize}"))
        self._exponents = (raw, limits.nmant, -limits.minexp)
        edges = np.cumsum((0, *sizes))
        slices = [slice(a, b) for a, b in pairwise(edges[:-1])]
        self._limits = [(self._signals[2][s], self._signals[3][s]) for s in slices]
        totals = [torch.empty(sizes[0], dtype=dtype), *self.gradients[2].split(layout.bias_sizes)[:-1]]
        f, i = (g.numpy() for g in self.gradients[3:])
        self._sums = [(t.numpy(), f[s], i[s]) for t, s in zip(totals, slices, strict=True)]
        self._own = tuple(g.numpy() for g in self.gradients)
        self._loops = [
            tuple(t.numpy() for t in layer) for layer in zip(self._ahead, self._codes, self._back, strict=False)
        ]

    def forward(self, x: Tensor, parameters: tuple[NDArray[Any], ...]) -> tuple[Tensor, float]:
        """Scores (events, outputs), in this memory, of values ``x``, and the effective bit operations."""
        from codesign.families.learned import learned_kernels as kernels

        layout = self.layout
        self._parameters = parameters
        ebops = kernels.prepare(
            parameters,
            self._shapes,
            layout.which,
            FRACTION_LIMITS,
            INTEGER_LIMITS,
            _POWERS,
            self._signals,
            self._weights,
            self._exponents,
            self._shifts,
        )
        torch.addcmul(self._half, x, self._scale, out=self._ahead[0])
        for index, (residual, code, _) in enumerate(self._loops):
            kernels.quantise(residual, *self._limits[index], code)
            torch.addmm(self._biases[index], self._codes[index], self._transposed[index], out=self._ahead[index + 1])
        return self._ahead[-1], float(ebops)

    def backward(self, gradient: Tensor, price: float, bit_price: float = 0.0) -> list[Tensor]:
        """Fill :attr:`gradients` from that of the scores, (events, outputs), and that of the bit operations.

        ``bit_price`` is added to the gradient of all bits.
        """
        from codesign.families.learned import learned_kernels as kernels
        from codesign.training.fused_kernels import through_learned

        layout = self.layout
        torch.sum(gradient, 0, out=self._head_bias)
        for index in reversed(range(layout.layers)):
            torch.mm(gradient.t(), self._codes[index], out=self._of_matrices[index])
            gradient = torch.mm(gradient, self._matrices[index], out=self._back[index])
            residual, _, back = self._loops[index]
            through_learned(back, residual, EDGE, index == 0, *self._sums[index])
        kernels.through_parameters(
            self._parameters[0],
            self._shapes,
            layout.which,
            price,
            bit_price,
            self._signals,
            self._weights,
            self._own,
        )
        return self.gradients


class _Learned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layout: LearnedLayout, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        ctx.space = LearnedWorkspace(layout, len(x), x.dtype)
        # the compiled loops run on the processor, wherever the tensors are
        scores, ebops = ctx.space.forward(x.cpu(), tuple(p.detach().cpu().numpy() for p in parameters))
        return scores.to(x.device), torch.tensor(ebops, dtype=x.dtype, device=x.device)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        # clones: a second backward of the same forward would write into the first one's
        found, device = ctx.space.backward(gradients[0].cpu(), float(gradients[1])), gradients[0].device
        return None, None, *(g.clone().to(device) for g in found)


def learned_forward(x: Tensor, parameters: list[Tensor], layout: LearnedLayout) -> tuple[Tensor, Tensor]:
    """Scores (events, outputs) of values ``x`` (events, inputs), and the effective bit operations (a scalar).

    ``parameters``, each flat over all layers: weights; their fraction bits, as many as the layout's granularity has;
    biases; fraction bits and integer bits of the inputs and of each hidden neuron. EBOPs (arXiv 2405.00645): the sum
    over the multiplications of the weight's bits (without sign) times the signal's. All but ``x`` carry gradients.
    """
    return _Learned.apply(x, layout, *parameters)  # type: ignore[no-any-return]
