"""The Brevitas network of the family ``mlp``, and its fused training twin."""

from __future__ import annotations

from typing import Any

import torch
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.core.fixedpoint import INPUT_INTEGER_BITS
from codesign.families.mlp.config import MLPConfig
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    WeightQuantiser,
    activation_scale,
    set_activation_range,
)
from codesign.training.fused_modules import half_up
from codesign.training.mlp_fused import ParameterLayout
from codesign.training.mlp_twin import MLPTwin, in_order
from codesign.training.network import Network

__all__ = ("QuantMLP",)


class QuantMLP(Network):
    """Input quantiser, then (linear, rectified quantised activation) per hidden layer, then a linear head.

    Values in and out, (events, n) to (events, m). Activations round half up: half an LSB is added in front of the
    FLOOR quantiser while training, and lies in the bias once :meth:`fold` has been called. Only a folded network is
    exported.
    """

    def __init__(self, config: MLPConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.input = QuantIdentity(
            act_quant=InputQuantiser, bit_width=config.input_bits, scaling_init=2.0**INPUT_INTEGER_BITS
        )
        sizes = (inputs, *config.widths, outputs)
        self.layout = ParameterLayout(sizes, config.weight_bits, config.activation_bits)
        layers = zip(sizes[:-1], sizes[1:], config.weight_bits, strict=True)
        linears = [QuantLinear(a, b, bias=True, weight_quant=WeightQuantiser, weight_bit_width=w) for a, b, w in layers]
        activations = [QuantReLU(act_quant=ActivationQuantiser, bit_width=bits) for bits in config.activation_bits]
        self.linears: Any = nn.ModuleList(linears)
        self.activations: Any = nn.ModuleList(activations)
        self.folded = False
        for linear in linears:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Brevitas' own computation: what is exported."""
        x = self.input(x)
        for linear, activation in zip(self.linears, self.activations, strict=False):
            x = half_up(activation, linear(x), self.folded)
        return self.linears[-1](x)  # type: ignore[no-any-return]

    def twin(self, events: int) -> MLPTwin:
        """What trains this network in steps of ``events`` events, with the least around the arithmetic."""
        return MLPTwin(self.layout, events, self.in_order())

    def in_order(self) -> list[Tensor]:
        """The parameters, one by one, as they lie in the layout's flat ones."""
        return in_order(self.linears, self.activations)

    @torch.no_grad()
    def calibrate(self, x: Tensor, quantile: float = 0.999) -> None:
        """Set each activation's range, layer by layer, from the batch ``x`` (events, n)."""
        for linear, activation in zip(self.linears, self.activations, strict=False):
            x = linear(x)
            top = torch.quantile(x.flatten()[:100_000].clamp_min(0), quantile).item()
            set_activation_range(activation, max(top, 2.0**-8))
            x = activation(x + 0.5 * activation_scale(activation))

    @torch.no_grad()
    def fold(self) -> None:
        """Fold half an LSB into the biases and put them on the grid of the sum they enter, exactly.

        ``floor((a + b + s/2) / s)`` is unchanged when ``b + s/2`` is floored to the finer of the grids of the
        accumulator ``a`` and of the activation's LSB ``s``; only the head's bias is rounded.
        """
        if self.folded:
            return
        lsb = self.input.act_quant.scale().double()
        for index, linear in enumerate(self.linears):
            grid = lsb * linear.weight_quant.scale().double().flatten()
            bias = linear.bias.double()
            if index < len(self.activations):
                lsb = activation_scale(self.activations[index]).double()
                grid = torch.minimum(grid, lsb)
                bias = torch.floor((bias + lsb / 2) / grid) * grid
            else:
                bias = torch.round(bias / grid) * grid
            linear.bias.copy_(bias)
        self.folded = True
