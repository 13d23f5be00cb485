"""The Brevitas networks of the families ``vae`` and ``autoencoder``, with their fused training twins.

Both scale their inputs by powers of two (free in hardware) to the scale of what the task wants reproduced, square a
few quantised numbers, and add the squares up into one saturating score.
"""

from __future__ import annotations

from abc import abstractmethod
from math import ceil, log2
from typing import Any

import torch
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.core.errors import InputError
from codesign.core.fixedpoint import INPUT_INTEGER_BITS
from codesign.families.autoencoder.config import AutoencoderConfig, ScoredConfig, VAEConfig
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    SignedActivationQuantiser,
    WeightQuantiser,
    activation_scale,
    range_parameter,
    set_activation_range,
)
from codesign.training.fused_modules import half_up
from codesign.training.mlp_fused import ParameterLayout
from codesign.training.mlp_twin import MLPTwin, in_order
from codesign.training.network import Loss, Network, Tensors

__all__ = ("QuantAutoencoder", "QuantVAE", "ReproducingNetwork", "ScoredNetwork")

#: the share of the training events whose squared numbers must not saturate
_WITHIN = 0.9999
#: bounds of the logarithm of the latent variance, against a runaway exponential
_SPREAD = (-8.0, 4.0)


class ScoredNetwork(Network):
    """Input, layers of (linear, activation), and the score: what these families share."""

    def __init__(self, config: ScoredConfig, inputs: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.input = QuantIdentity(
            act_quant=InputQuantiser, bit_width=config.input_bits, scaling_init=2.0**INPUT_INTEGER_BITS
        )
        self.gain: Tensor
        self.register_buffer("gain", torch.ones(inputs))
        every = (inputs, *sizes)
        layers = zip(every[:-1], every[1:], config.weight_bits, strict=True)
        linears = [QuantLinear(a, b, bias=True, weight_quant=WeightQuantiser, weight_bit_width=w) for a, b, w in layers]
        self.linears: Any = nn.ModuleList(linears)
        hidden = [QuantReLU(act_quant=ActivationQuantiser, bit_width=bits) for bits in config.activation_bits]
        self.activations: Any = nn.ModuleList(hidden)
        #: quantises what is squared
        self.squared = QuantIdentity(act_quant=SignedActivationQuantiser, bit_width=config.square_bits)
        self.score = QuantReLU(act_quant=ActivationQuantiser, bit_width=config.score_bits)
        self.ones: Tensor
        self.register_buffer("ones", torch.ones(sizes[-1], 1))
        self.folded = False
        for linear in linears:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)

    @property
    def prunable(self) -> list[Tensor]:
        """Weights that are in hardware."""
        return [linear.weight for linear in self.linears]

    def match(self, x: Tensor, target: Tensors) -> None:
        """Choose each input's power of two so that it comes nearest to the scale of its target, (events, n) both."""
        assert isinstance(target, Tensor)  # one head
        if target.shape != x.shape:
            raise InputError(
                f"these networks reproduce their {x.shape[1]} inputs, but the task's target has shape "
                f"{tuple(target.shape[1:])}: choose another family, or let the task's target have a column per input"
            )
        ratio = target.std(dim=0) / x.std(dim=0).clamp_min(1e-6)
        self.gain.copy_(torch.where(ratio > 0, torch.exp2(torch.log2(ratio.clamp(2.0**-6, 2.0**6)).round()), 1.0))

    def _hidden(self, x: Tensor, upto: int) -> Tensor:
        """Brevitas' own computation of the first layers."""
        for linear, activation in zip(self.linears[:upto], self.activations[:upto], strict=True):
            x = half_up(activation, linear(x), self.folded)
        return x

    def _score(self, squared: Tensor) -> Tensor:
        # a product with itself is misplaced by QONNX' clean-up, which counts its input twice
        return self.score(squared.pow(2) @ self.ones)  # type: ignore[no-any-return]

    @torch.no_grad()
    def calibrate(self, x: Tensor, quantile: float = 0.999) -> None:
        """Set each hidden activation's range, layer by layer, from the batch ``x`` (events, n)."""
        x = x * self.gain
        for linear, activation in zip(self.linears, self.activations, strict=False):
            x = linear(x)
            top = torch.quantile(x.flatten()[:100_000].clamp_min(0), quantile).item()
            set_activation_range(activation, max(top, 2.0**-8))
            x = activation(x + 0.5 * activation_scale(activation))

    def _set_squared_range(self, values: Tensor) -> None:
        flat = values.abs().flatten()
        top = torch.quantile(flat[torch.linspace(0, len(flat) - 1, min(len(flat), 1_000_000)).long()], _WITHIN).item()
        range_parameter(self.squared).data.fill_(ceil(log2(max(top, 2.0**-8))) - 0.5)

    def _set_score_range(self, score: Tensor) -> None:
        """The largest score of any training event: what is beyond saturates, and lies above every threshold."""
        set_activation_range(self.score, max(score.max().item(), 2.0**-8))

    def _drop_negligible(self) -> None:
        """Clear the weights of what they cannot move by half an LSB, whatever comes in: of inputs that are hardly ever
        there. A sum of such small weights would need more bits than any other."""
        bound = self.input.act_quant.scale() * 2 ** (self.config.input_bits - 1) * self.gain
        for index, (linear, following) in enumerate(zip(self.linears, [*self.activations, self.squared], strict=True)):
            reach = linear.quant_weight().value.abs() @ bound
            lsb = activation_scale(following)
            linear.weight.data[reach < lsb / 2] = 0.0
            if index < len(self.activations):
                bound = (lsb * 2 ** self.config.activation_bits[index]).expand(len(linear.weight))

    def _grid(self, index: int, lsb: Tensor, result: Tensor) -> Tensor:
        """Grid of each sum of a layer (out,): of products of inputs on the grid ``lsb``, and of the ``result``;
        of the result alone where all weights are zero."""
        linear = self.linears[index]
        grid = lsb * linear.weight_quant.scale().double().flatten()
        empty = (linear.quant_weight().value == 0).all(dim=1)
        return torch.where(empty, result, torch.minimum(grid, result))

    def _fold_hidden(self, upto: int) -> Tensor:
        """Fold half LSBs into the first layers' biases (see QuantMLP.fold); the LSB of what comes out."""
        lsb: Tensor = (self.input.act_quant.scale().double() * self.gain.double()).min()
        for index, (linear, activation) in enumerate(zip(self.linears[:upto], self.activations[:upto], strict=True)):
            result = activation_scale(activation).double()
            grid, lsb = self._grid(index, lsb, result), result
            linear.bias.copy_(torch.floor((linear.bias.double() + lsb / 2) / grid) * grid)
        return lsb


class QuantVAE(ScoredNetwork):
    """Encoder to signed latent means, and the sum of their squares. Values, (events, n) to (events, 1)."""

    config: VAEConfig

    def __init__(self, config: VAEConfig, inputs: int) -> None:
        super().__init__(config, inputs, config.sizes)
        sizes = (inputs, *config.sizes)
        self.layout = ParameterLayout(sizes, config.weight_bits, config.activation_bits, config.square_bits)
        wide = config.widths[-1]
        self.spread = nn.Linear(wide, config.latent)
        self.decoder = nn.Sequential(nn.Linear(config.latent, wide), nn.ReLU(), nn.Linear(wide, inputs))
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Brevitas' own computation: what is exported."""
        return self._score(self._mean(self._encode(x)))

    def _encode(self, x: Tensor) -> Tensor:
        return self._hidden(self.input(x) * self.gain, len(self.activations))

    def _mean(self, hidden: Tensor) -> Tensor:
        return half_up(self.squared, self.linears[-1](hidden), self.folded)

    def objective(self, x: Tensor, target: Tensors, loss: Loss) -> Tensor:
        """Loss of the reproduced target and ``beta`` times the Kullback-Leibler divergence from a unit normal.

        The latent variable is drawn around the quantised mean (Kingma and Welling, arXiv 1312.6114).
        """
        with self.shortcut():
            hidden = self._encode(x)
            mean = self._mean(hidden)
        return self.objective_of(mean, hidden, target, loss)

    def objective_of(self, mean: Tensor, hidden: Tensor, target: Tensors, loss: Loss) -> Tensor:
        """The objective from the quantised means (events, latent) and the last hidden activations (events, n) on."""
        log_variance = self.spread(hidden).clamp(*_SPREAD)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        reproduced: Tensor = self.decoder(latent)
        # per input, as the loss is
        price: Tensor = self.config.beta * divergence / len(self.gain)
        return loss(reproduced, target) + price

    def twin(self, events: int) -> MLPTwin:
        """What trains this network in steps of ``events`` events, with the least around the arithmetic."""
        return _VAETwin(self, events)

    @torch.no_grad()
    def calibrate(self, x: Tensor, quantile: float = 0.999) -> None:
        """Set the ranges of the hidden activations from a batch, and leave the latent means eight units of room."""
        super().calibrate(x, quantile)
        range_parameter(self.squared).data.fill_(2.5)

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """After training: the score's range from all training events (events, n)."""
        self._drop_negligible()
        with self.shortcut():
            mean = self._mean(self._encode(x))
        self._set_score_range(mean.square().sum(dim=1))

    @torch.no_grad()
    def fold(self) -> None:
        """Fold half an LSB of every quantiser into the bias in front of it, exactly."""
        if self.folded:
            return
        lsb = self._fold_hidden(len(self.activations))
        head, scale = self.linears[-1], activation_scale(self.squared).double()
        grid = self._grid(len(self.activations), lsb, scale)
        head.bias.copy_(torch.floor((head.bias.double() + scale / 2) / grid) * grid)
        self.folded = True


class ReproducingNetwork(ScoredNetwork):
    """A network whose score is the sum of squared errors of what it reproduces."""

    @abstractmethod
    def _error(self, x: Tensor) -> Tensor:
        """What is reproduced less what it should be, of scaled inputs (events, n)."""

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """After training: the ranges of errors and score from all training events (events, n)."""
        x = x * self.gain
        with self.shortcut():
            self._set_squared_range(self._error(x))
        self._drop_negligible()
        with self.shortcut():
            quantised = half_up(self.squared, self._error(x), self.folded)
        self._set_score_range(quantised.square().sum(dim=1))


class QuantAutoencoder(ReproducingNetwork):
    """Both halves, and the sum of the squared, quantised errors. Values, (events, n) to (events, 1)."""

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, inputs: int) -> None:
        super().__init__(config, inputs, (*config.sizes, inputs))
        self.layout = ParameterLayout((inputs, *config.sizes, inputs), config.weight_bits, config.activation_bits)

    def forward(self, x: Tensor) -> Tensor:
        """Brevitas' own computation: what is exported."""
        return self._score(half_up(self.squared, self._error(self.input(x) * self.gain), self.folded))

    def _reproduce(self, x: Tensor) -> Tensor:
        return self.linears[-1](self._hidden(x, len(self.activations)))  # type: ignore[no-any-return]

    def _error(self, x: Tensor) -> Tensor:
        return x - self._reproduce(x)

    def objective(self, x: Tensor, target: Tensors, loss: Loss) -> Tensor:
        """Loss of what is reproduced, against the inputs at the target's scale, as the hardware compares them."""
        x = x * self.gain
        with self.shortcut():
            return loss(self._reproduce(x), x)

    def twin(self, events: int) -> MLPTwin:
        """What trains this network in steps of ``events`` events, with the least around the arithmetic."""
        return _AutoencoderTwin(self, events)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold half an LSB of every quantiser into the bias in front of it, exactly.

        ``floor((x - a - b + s/2) / s)`` is unchanged when ``s/2 - b`` is floored to the finest of the grids of the
        input ``x``, the accumulator ``a`` and the LSB ``s``.
        """
        if self.folded:
            return
        lsb = self._fold_hidden(len(self.activations))
        head, scale = self.linears[-1], activation_scale(self.squared).double()
        inputs = self.input.act_quant.scale().double() * self.gain.double()
        grid = torch.minimum(self._grid(len(self.activations), lsb, scale), inputs)
        head.bias.copy_(-torch.floor((scale / 2 - head.bias.double()) / grid) * grid)
        self.folded = True


class _VAETwin(MLPTwin):
    """The encoder's layers up to the quantised means; what is behind them is float, and goes through autograd."""

    def __init__(self, network: QuantVAE, events: int) -> None:
        activations = [*network.activations, network.squared]
        super().__init__(network.layout, events, in_order(network.linears, activations))
        self._network = network
        self._beyond = [*network.spread.parameters(), *network.decoder.parameters()]
        self.parameters += self._beyond

    def prepared(self, x: Tensor, target: Tensors) -> tuple[Tensor, Tensors]:
        return x * self._network.gain, target

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        for parameter in self._beyond:
            parameter.grad = None
        space = self._space
        space.forward(x, self._flat)
        # the codes are the leaves, not their values: so the gradients come as the layers take them
        hidden, mean = (codes.detach().requires_grad_() for codes in space.codes[-2:])
        value = self._network.objective_of(mean * space.lsbs[-1], hidden * space.lsbs[-2], target, loss)
        value.backward()
        assert mean.grad is not None
        space.backward(mean.grad, hidden.grad)
        return value.item()


class _AutoencoderTwin(MLPTwin):
    """All layers; what is squared behind them takes no part in training."""

    def __init__(self, network: QuantAutoencoder, events: int) -> None:
        super().__init__(network.layout, events, in_order(network.linears, network.activations))
        self._gain = network.gain

    def prepared(self, x: Tensor, target: Tensors) -> tuple[Tensor, Tensors]:
        x = x * self._gain
        return x, x
