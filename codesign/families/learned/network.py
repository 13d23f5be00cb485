"""The Brevitas network of the family ``mlp-learned``, its fused training twin, and how it is frozen for export."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import torch
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.core.fixedpoint import INPUT_INTEGER_BITS, FixedPoint, InputQuantisation
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_fused import LearnedLayout, LearnedWorkspace, learned_forward
from codesign.graph.cost import products
from codesign.training.learned_precision import weight_bits
from codesign.training.learned_quantisers import (
    BIT_PRICE,
    INTEGER_LIMITS,
    LearnedActivationQuantiser,
    LearnedInputQuantiser,
    LearnedWeightQuantiser,
    bits_of,
    row_grid,
    width_of,
)
from codesign.training.network import Autograd, Loss, Network, Tensors, loss_gradient
from codesign.training.network import Twin as TrainingTwin

__all__ = ("LearnedMLP", "LearnedTwin")

T = TypeVar("T")

#: training events that are looked at together
_TOGETHER = 8192


class LearnedMLP(Network):
    """Linear layers and rectified activations, each weight, neuron and input with bits of its own.

    Values in and out, (events, n) to (events, m). Rounding is half up: half an LSB is added in front of each FLOOR
    quantiser while training, and lies in the bias once :meth:`fold` has been called. Only a folded network is exported,
    and its inputs must come through :meth:`input_quantisation`, which rounds and saturates them upstream.
    """

    def __init__(self, config: LearnedMLPConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layout = LearnedLayout((inputs, *config.widths, outputs), config.granularity)
        self.config = config
        self.input = QuantIdentity(
            act_quant=LearnedInputQuantiser,
            channels=inputs,
            fraction_init=min(config.fraction_bits, config.input_bits - 1 - INPUT_INTEGER_BITS),
            integer_init=INPUT_INTEGER_BITS,
        )
        sizes = self.layout.sizes
        linears = [
            QuantLinear(
                a,
                b,
                bias=True,
                weight_quant=LearnedWeightQuantiser,
                weight_granularity=config.granularity,
                weight_fraction_init=config.fraction_bits,
                weight_learns_range=config.weight_range == "learned",
            )
            for a, b in pairwise(sizes)
        ]
        activations = [
            QuantReLU(
                act_quant=LearnedActivationQuantiser,
                channels=n,
                fraction_init=config.fraction_bits,
                wraps=config.overflow == "wrap",
            )
            for n in config.widths
        ]
        self.linears: Any = nn.ModuleList(linears)
        self.activations: Any = nn.ModuleList(activations)
        self.folded = False
        self._ebops = self._bits = torch.zeros(())
        for linear in linears:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Brevitas' own computation: what is exported."""
        x = self.input(x if self.folded else x + 0.5 * self.input.act_quant.scale().detach())
        for linear, activation in zip(self.linears, self.activations, strict=False):
            if self.folded:
                x = activation(linear(x))
            else:
                bias = linear.bias + 0.5 * activation.act_quant.scale().detach()
                x = activation(nn.functional.linear(x, linear.quant_weight().value, bias))
        return self.linears[-1](x)  # type: ignore[no-any-return]

    def fused(self, x: Tensor) -> Tensor:
        """The same function as :meth:`forward` of the unfolded network and the same gradients, as one operation on the
        processor, whose loops are compiled for it."""
        flat = self.flat_parameters()
        if x.device.type == "cpu" and self.config.plain:
            out, self._ebops = learned_forward(x, flat, self.layout)
        else:
            out = self._plainly(x)
            self._ebops = self.priced()
        self._bits = flat[1].sum() + sum(bits.sum() for bits in flat[3:])
        return out

    def _plainly(self, x: Tensor) -> Tensor:
        """:meth:`forward` of the unfolded network without what Brevitas needs around it."""
        bits = bits_of(self.input)
        x = bits.values(x + 0.5 * bits.scale())
        for linear, activation in zip(self.linears, self.activations, strict=False):
            bits, weights = bits_of(activation), linear.weight_quant.tensor_quant.values(linear.weight)
            x = bits.values(nn.functional.linear(x, weights, linear.bias + 0.5 * bits.scale()).relu())
        last = self.linears[-1]
        return nn.functional.linear(x, last.weight_quant.tensor_quant.values(last.weight), last.bias)

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """Have activations that wrap hold all that training events ``x`` (events, n) give."""
        if self.config.overflow != "wrap":
            return
        for activation in self.activations:
            bits_of(activation).integer.value.fill_(INTEGER_LIMITS[0])
        for some in x.split(_TOGETHER):
            bits = bits_of(self.input)
            signal = bits.values(some + 0.5 * bits.scale())
            for linear, activation in zip(self.linears, self.activations, strict=False):
                bits, weights = bits_of(activation), linear.weight_quant.tensor_quant.values(linear.weight)
                given = nn.functional.linear(signal, weights, linear.bias + 0.5 * bits.scale()).relu()
                bits.follow(given, 0.0)
                signal = bits.values(given)

    def priced(self) -> Tensor:
        """Effective bit operations as they are priced, with their gradients."""
        layers = zip(self.linears, (self.input, *self.activations), strict=True)
        return torch.stack([(weight_bits(m) * width_of(bits_of(q))).sum() for m, q in layers]).sum()

    def twin(self, events: int) -> TrainingTwin:
        """What trains this network in steps of ``events`` events, with the least around the arithmetic."""
        return LearnedTwin(self, events) if self.config.plain else Autograd(self)

    def penalty(self, progress: float) -> Tensor:
        """The price of the last :meth:`fused`, to add to its loss: beta times EBOPs, and a little for every bit."""
        return self.config.beta(progress) * self._ebops + BIT_PRICE * self._bits

    def flat_parameters(self) -> list[Tensor]:
        """Weights, their fraction bits, biases, fraction and integer bits of the signals, and where they are learned
        integer bits of the weights; each flat over all layers."""
        signals = [bits_of(self.input), *(bits_of(a) for a in self.activations)]
        return [
            torch.cat([m.weight.flatten() for m in self.linears]),
            torch.cat([m.weight_quant.tensor_quant.fraction.value.flatten() for m in self.linears]),
            torch.cat([m.bias for m in self.linears]),
            torch.cat([s.fraction.value for s in signals]),
            torch.cat([s.integer.value for s in signals]),
            *self._own_ranges(lambda ranges: torch.cat([value.flatten() for value in ranges])),
        ]

    def _own_ranges(self, of: Callable[[list[Tensor]], T]) -> list[T]:
        """Of the integer bits of the weights of each layer, where they are learned."""
        learned = [m.weight_quant.tensor_quant.integer for m in self.linears]
        return [] if learned[0] is None else [of([bits.value for bits in learned])]

    @torch.no_grad()
    def set_flat_parameters(self, flat: list[Tensor]) -> None:
        """Take over parameters in the order of :meth:`flat_parameters`."""
        signals = [bits_of(self.input), *(bits_of(a) for a in self.activations)]
        places = [
            [m.weight for m in self.linears],
            [m.weight_quant.tensor_quant.fraction.value for m in self.linears],
            [m.bias for m in self.linears],
            [s.fraction.value for s in signals],
            [s.integer.value for s in signals],
            *self._own_ranges(list),
        ]
        for parameters, values in zip(places, flat, strict=True):
            for p, v in zip(parameters, values.split([p.numel() for p in parameters]), strict=True):
                p.copy_(v.view(p.shape))

    @torch.no_grad()
    def calibrate(self, x: Tensor, quantile: float = 0.999) -> None:
        """Set each neuron's range, layer by layer, from the batch ``x`` (events, n)."""
        x = self.input(x + 0.5 * self.input.act_quant.scale())
        for linear, activation in zip(self.linears, self.activations, strict=False):
            x = nn.functional.linear(x, linear.quant_weight().value, linear.bias)
            top = torch.quantile(x.clamp_min(0), quantile, dim=0)
            bits_of(activation).integer.value.copy_(torch.ceil(torch.log2(top.clamp_min(2.0**-4))))
            x = activation(x + 0.5 * activation.act_quant.scale())

    @torch.no_grad()
    def ebops(self) -> float:
        """Effective bit operations: bits of each weight (without sign or trailing zeros) times those of its operand."""
        layers = zip(self.linears, (self.input, *self.activations), strict=True)
        return sum(
            products(linear.quant_weight().value.t().double().numpy(), width_of(bits_of(quantiser)).int().numpy())
            for linear, quantiser in layers
        )

    def input_quantisation(self, base: InputQuantisation) -> InputQuantisation:
        """The inputs' types as learned; ``base`` gives each feature's offset and size.

        Rounding and saturation of the inputs happen where physical features become codes, so they cost no logic.
        """
        bits = bits_of(self.input)
        fractions, integers = bits.fraction().round().int().tolist(), bits.integer().round().int().tolist()
        types = [
            FixedPoint(signed=True, integer_bits=max(i, 1 - f), fraction_bits=f)
            for f, i in zip(fractions, integers, strict=True)
        ]
        lsbs = [t.lsb / old.lsb for t, old in zip(types, base.types, strict=True)]
        return base.model_copy(
            update={"types": tuple(types), "step": tuple(s * r for s, r in zip(base.step, lsbs, strict=True))}
        )

    @torch.no_grad()
    def fold(self) -> None:
        """Put weights and biases on their grids, take out what carries nothing, and fold half an LSB into the biases.

        A signal without bits feeds nothing; a neuron that nothing reads, or that reads nothing and so is constant, is
        taken out, its constant moved into the next biases. ``floor((a + b + s/2) / s)`` is unchanged when ``b + s/2``
        is floored to the finer of the grids of the accumulator ``a`` and of the LSB ``s``; only the head's bias is
        rounded.
        """
        if self.folded:
            return
        for linear in self.linears:
            linear.weight.copy_(linear.quant_weight().value)
            linear.weight_quant.tensor_quant.freeze()
        quantisers = [bits_of(self.input), *(bits_of(a) for a in self.activations)]
        for linear, quantiser in zip(self.linears, quantisers, strict=True):
            linear.weight[:, width_of(quantiser) == 0] = 0
        for index, activation in enumerate(self.activations):
            here, following = self.linears[index], self.linears[index + 1]
            constant = (here.weight == 0).all(dim=1)
            value = activation(here.bias + 0.5 * activation.act_quant.scale())
            following.bias += (following.weight * (value * constant)).sum(1)
            following.weight[:, constant] = 0
        for index in reversed(range(len(self.activations))):
            here, following = self.linears[index], self.linears[index + 1]
            here.weight[(following.weight == 0).all(dim=0)] = 0
        for index, linear in enumerate(self.linears):
            grid = _accumulator_grid(linear.weight.double(), torch.exp2(-quantisers[index].fraction()).double())
            bias = linear.bias.double()
            if index < len(self.activations):
                lsb = torch.exp2(-quantisers[index + 1].fraction()).double()
                grid = torch.minimum(grid, lsb)
                unread = (self.linears[index + 1].weight == 0).all(dim=0)
                bias = torch.where(unread, 0.0, torch.floor((bias + lsb / 2) / grid) * grid)
            else:
                grid = torch.minimum(grid, torch.full_like(grid, 2.0**-4))
                bias = torch.round(bias / grid) * grid
            linear.bias.copy_(bias)
        self.folded = True


class LearnedTwin(TrainingTwin):
    """A :class:`LearnedMLP` in training: flat parameters, and memory that every step uses again.

    ``parameters``: weights and biases, and all bits; ``flat``: views of them as in ``flat_parameters``.
    """

    def __init__(self, network: LearnedMLP, events: int) -> None:
        layout = network.layout
        self._network, self._space = network, LearnedWorkspace(layout, events)
        weight, fraction, bias, f, i = (p.detach() for p in network.flat_parameters())
        self.parameters = [torch.cat([weight, bias]), torch.cat([fraction, f, i])]
        self.flat = layout.parts(*self.parameters)
        self.prunable = layout.matrices(self.flat[0])
        self._arrays = tuple(p.numpy() for p in self.flat)
        for parameter, gradient in zip(self.parameters, self._space.together, strict=True):
            parameter.requires_grad_().grad = gradient

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """The loss of a step, its gradients and those of the price at ``progress`` left in the parameters."""
        scores, _ = self._space.forward(x, self._arrays)
        value, gradient = loss_gradient(scores, target, loss)
        self._space.backward(gradient, self._network.config.beta(progress), BIT_PRICE)
        return value

    def finish(self) -> None:
        """Give the parameters back to the network."""
        self._network.set_flat_parameters(self.flat)


def _accumulator_grid(weight: Tensor, lsb: Tensor) -> Tensor:
    """Grid (out,) of each row's sum of products; infinite for a row of zeros."""
    each = row_grid((weight * lsb).flatten()[:, None]).view(weight.shape)
    return torch.where(weight == 0, torch.inf, each).amin(dim=1)
