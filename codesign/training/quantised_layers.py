"""Quantised layers of which any network can be composed: each knows how to set its range and how to be folded.

A layer is given a :class:`GridSignal` and gives one. What a network does with signals is written once, in ``forward``;
the same walk through it trains, sets ranges, and folds:

- RUNNING: the numbers of training, half an LSB added in front of every quantiser, which floors: rounding half up.
- CALIBRATING: every activation sets its range from what reaches it, in the order in which it is reached.
- FOLDING: a signal carries the grid on which it lies, and every bias takes that half LSB in and goes onto the grid of
  the sum that it enters. ``floor((a + b + s/2) / s)`` of a sum ``a`` is unchanged when ``b + s/2`` is floored to the
  finer of the grids of ``a`` and of the LSB ``s``; only a head's bias is rounded.
- FOLDED: the exact function, which is exported.
- FLOATING: without any quantiser, what enters an activation normalised (:mod:`codesign.training.float_start`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.core.fixedpoint import INPUT_INTEGER_BITS
from codesign.training.batch_normalisation import Normalisation
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    SignedActivationQuantiser,
    WeightQuantiser,
    activation_scale,
    set_activation_range,
)

__all__ = (
    "ActivationLayer",
    "ConvolutionLayer",
    "Dense",
    "GridSignal",
    "InputCodes",
    "Layer",
    "Matrix",
    "OutputLayer",
    "Walk",
    "concatenation",
    "largest",
    "mean",
    "product",
    "selection",
    "sum_of",
    "total",
)

#: significant bits of what stands for 1/N in a mean over N items, where N is no power of two: right to 0.2 %
_MEAN_BITS = 8
#: values from which a range is set
_MOST_VALUES = 2_000_000
_LEAST_RANGE = 2.0**-8
#: the largest weight of a row, over the layer's, at which the row counts as zero
_NEGLIGIBLE = 2.0**-12


class Walk(Enum):
    """What a walk through a network does."""

    RUNNING = "running"
    CALIBRATING = "calibrating"
    FOLDING = "folding"
    FOLDED = "folded"
    FLOATING = "floating"


@dataclass(frozen=True)
class GridSignal:
    """Values (events, ...), and while a network is folded the grid on which they lie, of a shape that fits theirs;
    ``makers``: in floating point the weights (outputs, ...) of what was added up to them, and nothing else was."""

    values: Tensor
    grid: Tensor | None = None
    makers: tuple[Tensor, ...] = ()

    def turned(self, *order: int) -> GridSignal:
        """The axes in another order. The grid must be one for all: as it is behind an activation."""
        return GridSignal(self.values.permute(*order), self.grid)

    def reshaped(self, *shape: int) -> GridSignal:
        """The values in another shape. The grid must be one for all: as it is behind an activation."""
        return GridSignal(self.values.reshape(*shape), self.grid)

    def taken(self, axis: int, number: int) -> GridSignal:
        """The first ``number`` along an axis; the signal itself where there are no more."""
        if int(self.values.shape[axis]) == number:
            return self
        return GridSignal(self.values.narrow(axis, 0, number), self.grid)


def sum_of(first: GridSignal, *others: GridSignal) -> GridSignal:
    """Elementwise, with what has to be repeated repeated; TypeError where one is no signal."""
    if any(not isinstance(one, GridSignal) for one in (first, *others)):
        raise TypeError("sum_of adds signals: what OutputLayer gives is a tensor, which is added to a signal's .values")
    values, grid = first.values, first.grid
    for other in others:
        values = values + other.values
        grid = None if grid is None or other.grid is None else torch.minimum(grid, other.grid)
    makers = tuple(maker for one in (first, *others) for maker in one.makers)
    return GridSignal(values, grid, makers if all(one.makers for one in (first, *others)) else ())


def product(a: GridSignal, b: GridSignal) -> GridSignal:
    """Elementwise product of two signals, each with one grid for all."""
    return GridSignal(a.values * b.values, None if a.grid is None or b.grid is None else a.grid * b.grid)


def concatenation(signals: Sequence[GridSignal], axis: int = -1) -> GridSignal:
    """One after another along an axis, on the finest of their grids."""
    if len(signals) == 1:
        return signals[0]
    grids = [s.grid.min() for s in signals if s.grid is not None]
    grid = torch.stack(grids).min() if len(grids) == len(signals) else None
    return GridSignal(torch.cat([s.values for s in signals], dim=axis), grid)


def total(x: GridSignal, axis: int) -> GridSignal:
    """The sum along an axis, not that of the channels, over the next power of two of its items: a shift, with which
    what comes out is of the size of what goes in, however many items there are."""
    factor = 2.0 ** -(int(x.values.shape[axis]) - 1).bit_length()
    return GridSignal(x.values.sum(dim=axis) * factor, None if x.grid is None else x.grid * factor)


def largest(x: GridSignal, axis: int) -> GridSignal:
    """The largest along an axis, not that of the channels."""
    return GridSignal(x.values.amax(dim=axis), x.grid)


def mean(x: GridSignal, axis: int, keep: bool = False) -> GridSignal:
    """The sum along an axis times what is nearest to one over the number of its items: a shift where that is a power
    of two, else a constant of eight significant bits, such as 205/2048 for 1/10."""
    items = int(x.values.shape[axis])  # a tensor while it is exported
    exponent = (items - 1).bit_length() + _MEAN_BITS - 1
    number = round(2**exponent / items)
    unit = (number & -number) / 2**exponent
    summed = x.values.sum(dim=axis, keepdim=keep)
    return GridSignal(summed * (number / 2**exponent), None if x.grid is None else x.grid * unit)


def selection(x: GridSignal, valid: Tensor | None) -> GridSignal:
    """0 where ``valid`` is 0; the signal itself where nothing says what is there."""
    if valid is None:
        return x
    return GridSignal(torch.where(valid > 0.5, x.values, torch.zeros(())), x.grid)


class Layer(nn.Module):
    """What a walk sets the mode of."""

    walk: Walk = Walk.RUNNING


class InputCodes(Layer):
    """The input's quantiser: the identity on what the firmware is given."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.quantiser = QuantIdentity(
            act_quant=InputQuantiser, bit_width=bits, scaling_init=2.0**INPUT_INTEGER_BITS
        )  # fmt: skip

    def forward(self, x: Tensor) -> GridSignal:
        """A block (events, ...)."""
        if self.walk is Walk.FLOATING:
            return GridSignal(x)
        values = self.quantiser(x)
        return GridSignal(
            values, self.quantiser.act_quant.scale().double().min() if self.walk is Walk.FOLDING else None
        )


@torch.no_grad()
def _row_scales(layer: QuantLinear | QuantConv1d | QuantConv2d) -> Tensor:
    """The weights' LSB of each output, (outputs,) float64; 1 of a row of zeros, which has no grid of its own.

    A row whose weights are all but zero beside the others' is set to zero: nobody sees what it adds, and its grid would
    be finer than any bias can be.
    """
    largest: Tensor = layer.weight.detach().flatten(1).abs().amax(dim=1)
    dead = largest <= _NEGLIGIBLE * largest.max()
    layer.weight[dead] = 0.0
    scales: Tensor = layer.weight_quant.scale().double().flatten()
    return torch.where(dead, torch.ones(()).double(), scales)


class Matrix(Layer):
    """A product of the last axis with quantised weights, without a bias."""

    def __init__(self, inputs: int, outputs: int, bits: int) -> None:
        super().__init__()
        self.linear = QuantLinear(inputs, outputs, bias=False, weight_quant=WeightQuantiser, weight_bit_width=bits)
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs)."""
        return self.linear.weight  # type: ignore[no-any-return]

    def forward(self, x: GridSignal) -> GridSignal:
        """(events, ..., inputs) to (events, ..., outputs)."""
        if self.walk is Walk.FLOATING:
            return GridSignal(nn.functional.linear(x.values, self.weight), makers=(self.weight,))
        grid = None if x.grid is None else x.grid.min() * _row_scales(self.linear)
        return GridSignal(self.linear(x.values), grid)


class ConvolutionLayer(Layer):
    """A convolution along one axis or two, of (events, channels, ...), without a bias; zeros around the border."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, bits: int, *, axes: int = 1, stride: int = 1, groups: int = 1,
        padding: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = (QuantConv1d if axes == 1 else QuantConv2d)(
            inputs, outputs, kernel, stride=stride, groups=groups, padding=kernel // 2 if padding is None else padding,
            bias=False, weight_quant=WeightQuantiser, weight_bit_width=bits,
        )  # fmt: skip
        self._axes = axes
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs of a group, ...)."""
        return self.conv.weight  # type: ignore[no-any-return]

    def forward(self, x: GridSignal) -> GridSignal:
        """(events, inputs, ...) to (events, outputs, ...)."""
        if self.walk is Walk.FLOATING:
            found: Tensor = self.conv.inner_forward_impl(x.values, self.weight, None)
            return GridSignal(found, makers=(self.weight,))
        if x.grid is None:
            return GridSignal(self.conv(x.values))
        scales = _row_scales(self.conv).reshape(-1, *(1,) * self._axes)
        return GridSignal(self.conv(x.values), x.grid.min() * scales)


class ActivationLayer(Layer):
    """A bias for each channel, and a quantiser of one learned power-of-two range that rounds half up and saturates.

    Unsigned, it rectifies. The channels are on the last axis but ``behind``.
    """

    def __init__(self, channels: int, bits: int, *, signed: bool = False, behind: int = 0) -> None:
        super().__init__()
        self.quantiser = (
            QuantIdentity(act_quant=SignedActivationQuantiser, bit_width=bits)
            if signed
            else QuantReLU(act_quant=ActivationQuantiser, bit_width=bits)
        )
        self.bias = nn.Parameter(torch.zeros(channels, *(1,) * behind))
        self._signed = signed
        #: while it is trained in floating point
        self.normalisation: Normalisation | None = None

    def forward(self, x: GridSignal) -> GridSignal:
        """(events, ..., channels, ...), on the quantiser's LSB."""
        if self.walk is Walk.FLOATING:
            values = x.values + self.bias
            if self.normalisation is not None:
                values = self.normalisation.normalised(x.values, self.bias, x.makers, self.training)
            return GridSignal(values if self._signed else values.relu())
        if self.walk is Walk.FOLDING:
            return self._fold(x)
        if self.walk is Walk.CALIBRATING:
            self._set_range(x.values + self.bias)
        bias = self.bias if self.walk is Walk.FOLDED else self.bias + 0.5 * activation_scale(self.quantiser)
        return GridSignal(self.quantiser(x.values + bias))

    @torch.no_grad()
    def _set_range(self, values: Tensor, quantile: float = 0.999) -> None:
        seen = values.flatten()[:_MOST_VALUES]
        top = torch.quantile(seen.abs() if self._signed else seen.clamp_min(0), quantile).item()
        set_activation_range(self.quantiser, max(top, _LEAST_RANGE))

    @torch.no_grad()
    def _fold(self, x: GridSignal) -> GridSignal:
        assert x.grid is not None
        lsb = activation_scale(self.quantiser).double()
        grid = torch.minimum(x.grid.broadcast_to(self.bias.shape), lsb)
        self.bias.copy_(torch.floor((self.bias.double() + lsb / 2) / grid) * grid)
        return GridSignal(self.quantiser(x.values + self.bias), lsb.min())  # of all channels, where each has its own


class OutputLayer(Layer):
    """The last layer of an output or several: weights and a bias, no quantiser."""

    def __init__(self, inputs: int, outputs: int, bits: int) -> None:
        super().__init__()
        self.matrix = Matrix(inputs, outputs, bits)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: GridSignal) -> Tensor:
        """(events, inputs) to values (events, outputs)."""
        scores = self.matrix(x)
        if scores.grid is not None:
            with torch.no_grad():
                self.bias.copy_(torch.round(self.bias.double() / scores.grid) * scores.grid)
        values: Tensor = scores.values + self.bias
        return values


class Dense(Layer):
    """A matrix and an activation."""

    def __init__(self, inputs: int, outputs: int, weight_bits: int, activation_bits: int) -> None:
        super().__init__()
        self.matrix = Matrix(inputs, outputs, weight_bits)
        self.active = ActivationLayer(outputs, activation_bits)

    def forward(self, x: GridSignal, *more: GridSignal) -> GridSignal:
        """(events, ..., inputs) to (events, ..., outputs), rectified; ``more`` is added before that."""
        return self.active(sum_of(self.matrix(x), *more))  # type: ignore[no-any-return]
