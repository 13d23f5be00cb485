"""Learned precision for a network of any layers: a width for each weight, activation channel and input field.

The network is built as for fixed precision; its quantisers are then replaced by those that learn
(:mod:`codesign.training.learned_quantisers`), and every bit operation gets a price
(HGQ, arXiv 2405.00645): the weight's bits, without sign, times those of the signal that it multiplies, as often as the
layer multiplies. What a layer multiplies is found by walking through the network (:mod:`codesign.training.operands`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from brevitas.nn import QuantIdentity, QuantReLU
from brevitas.nn.mixin.act import QuantNonLinearActMixin
from brevitas.nn.mixin.parameter import QuantWeightMixin
from torch import Tensor, nn

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import INPUT_INTEGER_BITS, FixedPoint, InputQuantisation, QuantisedBlock
from codesign.core.layout import Layout
from codesign.training.learned_choices import Overflow, WeightRange
from codesign.training.learned_quantisers import (
    BIT_PRICE,
    FRACTION_LIMITS,
    INTEGER_LIMITS,
    LearnedBits,
    LearnedWeightQuantiser,
    LiveActivationQuantiser,
    LiveInputQuantiser,
    bits_of,
    width_of,
)
from codesign.training.lesson import Subject
from codesign.training.network import Network
from codesign.training.operands import ActivationSignals, LayerOperand, Wiring, stand_ins, wiring_of

__all__ = ("LearnedPrecision", "Prices", "learn_precision", "parameters_of_bits", "weight_bits")

_LN2 = log(2.0)
#: quantile of what reaches a channel, within which its range begins
_WITHIN = 0.999
_LEAST_RANGE = 2.0**-4


@dataclass(frozen=True)
class Prices:
    """Of one effective bit operation: at the beginning of a training, and at its end, a logarithmic ramp between."""

    low: float
    high: float

    def at(self, progress: float) -> float:
        """At ``progress`` (0 to 1) of the training."""
        return float(self.low ** (1 - progress) * self.high**progress)


class LearnedPrecision:
    """The bits that a network learns, what they cost, and the types of its inputs that come of it."""

    def __init__(self, wiring: Wiring, prices: Prices, blocks: Sequence[Layout]) -> None:
        self._wiring, self._prices = wiring, prices
        #: channels of each signal that anything multiplies
        self._multiplied = [
            torch.stack([o.reads[i].any(dim=0) for o in wiring.operands if i in o.reads]).any(dim=0)
            if any(i in o.reads for o in wiring.operands)
            else torch.zeros(signals.channels, dtype=torch.bool)
            for i, signals in enumerate(wiring.signals)
        ]
        #: channels of each signal whose bits are learned: of inputs those that anything multiplies; of activations all,
        #: since what is only added up has bits to add
        self.learned = [
            found.clone() if signals.block is not None else torch.ones_like(found)
            for signals, found in zip(wiring.signals, self._multiplied, strict=True)
        ]
        for signals, learned in zip(wiring.signals, self.learned, strict=True):
            if signals.block is not None and blocks and (validity := blocks[signals.block].validity) is not None:
                learned[blocks[signals.block].fields.index(validity)] = False  # it chooses, which no gradient sees

    def price(self, progress: float) -> Tensor:
        """What is added to the objective at ``progress``: of the operations, and a little for every bit."""
        return self._prices.at(progress) * self._work() + BIT_PRICE * self._all_bits()

    @torch.no_grad()
    def operations(self) -> float:
        """Effective bit operations of all products as they are priced: every signal as wide as its type."""
        return float(self._products([width_of(bits_of(s.module)) for s in self._wiring.signals]))

    @torch.no_grad()
    def work(self) -> float:
        """All that has a price."""
        return float(self._work())

    def _products(self, widths: list[Tensor]) -> Tensor:
        none = torch.zeros((), device=widths[0].device)
        return sum((_operations(o, weight_bits(o.layer), widths) for o in self._wiring.operands), none)

    def _work(self) -> Tensor:
        """Effective bit operations of all products, and beside them, of activations that are there for each item, one
        for each bit that is quantised, and one for each that is added up without being multiplied first."""
        widths = [width_of(bits_of(s.module)) for s in self._wiring.signals]
        found = self._products(widths)
        for signals, width, multiplied in zip(self._wiring.signals, widths, self._multiplied, strict=True):
            if signals.places > 1 and signals.block is None:
                found = found + signals.places * (width * (2.0 - multiplied.to(width))).sum()
        return found

    @torch.no_grad()
    def settle(self, network: Network, pieces: Iterable[Tensor]) -> None:
        """Have activations that wrap hold all that the training events give, ``pieces`` of them (events, n) each."""
        own = [(s.module, bits_of(s.module)) for s in self._wiring.signals]
        wrapping = {module: bits for module, bits in own if bits.wraps}
        if not wrapping:
            return
        for bits in wrapping.values():
            bits.integer.value.fill_(INTEGER_LIMITS[0])

        def stand(module: nn.Module) -> Any:
            if (bits := wrapping.get(module)) is None:
                return None
            kind: Any = type(module)

            def forward(values: Tensor) -> Tensor:
                bits.follow(values, 0.0)
                return kind.forward(module, values)  # type: ignore[no-any-return]

            return forward

        with stand_ins(network, stand):
            for some in pieces:
                network.of_flat(some)

    @torch.no_grad()
    def freeze(self) -> None:
        """Put every weight on its own grid, before the network is folded; what is exported has one grid for a row."""
        for operand in self._wiring.operands:
            layer: Any = operand.layer
            layer.weight.copy_(layer.quant_weight().value)
            _quantiser(layer).freeze()

    def _all_bits(self) -> Tensor:
        found = [_quantiser(o.layer).fraction.value.sum() for o in self._wiring.operands]
        found += [
            q.integer.value.sum() for o in self._wiring.operands if (q := _quantiser(o.layer)).integer is not None
        ]
        for signals, read in zip(self._wiring.signals, self.learned, strict=True):
            bits = bits_of(signals.module)
            mask = read.to(bits.fraction.value)
            found += [(bits.fraction.value * mask).sum(), (bits.integer.value * mask).sum()]
        return torch.stack(found).sum()

    @torch.no_grad()
    def calibrate(self, network: Network, x: Tensor) -> None:
        """Set each channel's range from what reaches it, in order; ``x``: (events, n)."""
        ranged = {s.module: s for s in self._wiring.signals if s.block is None}

        def stand(module: nn.Module) -> Any:
            signals = ranged.get(module)
            if signals is None:
                return None
            kind: Any = type(module)

            def forward(values: Tensor) -> Tensor:
                _set_ranges(bits_of(module), values, signals)
                return kind.forward(module, values)  # type: ignore[no-any-return]

            return forward

        with stand_ins(network, stand):
            network.of_flat(x)

    def input_quantisation(self, base: InputQuantisation) -> InputQuantisation:
        """The inputs' types as learned; ``base`` gives each field's offset and size.

        Rounding and saturation of the inputs happen where physical features become codes, so they cost no logic.
        """
        blocks = list(base.blocks)
        for signals, read in zip(self._wiring.signals, self.learned, strict=True):
            if signals.block is not None:
                blocks[signals.block] = _type(blocks[signals.block], bits_of(signals.module), read.tolist())
        return InputQuantisation(blocks=tuple(blocks))


def learn_precision(
    network: Network,
    subject: Subject,
    prices: Prices,
    fraction_bits: int,
    input_bits: int,
    overflow: Overflow = "saturate",
    weight_range: WeightRange = "magnitude",
) -> LearnedPrecision:
    """Replace the quantisers of a network that was just built for a subject by those that learn.

    Weights and signals begin with ``fraction_bits``, inputs on a grid of ``input_bits`` bits, sign included.
    ``overflow``: of activations behind the inputs, ``weight_range``: see :mod:`codesign.training.learned_ranges`.
    UnsupportedError where an activation is reached more than once, or not at all.
    """
    wiring = wiring_of(network, len(subject.inputs))
    reached = [s.module for s in wiring.signals]
    known = [m for m in network.modules() if isinstance(m, QuantIdentity | QuantReLU)]
    if len(reached) != len(known) or {id(m) for m in reached} != {id(m) for m in known}:
        raise UnsupportedError(
            f"the precision of {type(network).__name__} cannot be learned: each of its activations must be reached "
            "once in a forward: train it with fixed precision"
        )
    finest = input_bits - 1 - INPUT_INTEGER_BITS
    for signals in wiring.signals:
        begin = fraction_bits if signals.block is None else min(fraction_bits, finest)
        _replace_activation(signals, begin, overflow == "wrap" and signals.block is None)
    for operand in wiring.operands:
        QuantWeightMixin.__init__(
            operand.layer,
            LearnedWeightQuantiser,
            weight_fraction_init=fraction_bits,
            weight_learns_range=weight_range == "learned",
        )
    precision = LearnedPrecision(wiring, prices, subject.blocks)
    for signals, read in zip(wiring.signals, precision.learned, strict=True):
        if signals.block is not None:  # such as a validity: stays as it is
            bits = bits_of(signals.module)
            for held, value in ((bits.fraction, finest), (bits.integer, INPUT_INTEGER_BITS + 1)):
                held.value.data[~read] = value
                held.hold(~read)
    network.__dict__.pop("_fused_modules", None)
    network.precision = precision
    return precision


def _replace_activation(signals: ActivationSignals, fraction_bits: int, wraps: bool) -> None:
    layer: Any = signals.module
    proxy = layer.act_quant.fused_activation_quant_proxy
    rectified, first = isinstance(proxy.activation_impl, nn.ReLU), signals.block is not None
    QuantNonLinearActMixin.__init__(
        layer,
        act_impl=nn.ReLU if rectified else None,
        passthrough_act=not rectified,
        act_quant=LiveActivationQuantiser if rectified else LiveInputQuantiser,
        channels=signals.channels,
        behind=signals.behind,
        fraction_init=fraction_bits,
        integer_init=INPUT_INTEGER_BITS,
        rounds=first,
        wraps=wraps,
    )


def _quantiser(layer: Any) -> Any:
    return layer.weight_quant.tensor_quant


def weight_bits(layer: Any) -> Tensor:
    """Bits of each weight of a layer that learns them, without its sign; 0 of one that is 0. They follow its magnitude
    and its fraction bits, or are those of its learned range."""
    fraction = _quantiser(layer).fraction()
    code = torch.round(layer.weight.detach() * torch.exp2(fraction.detach())).abs()
    whole = torch.where(code > 0, torch.floor(torch.log2(code.clamp_min(1))) + 1, 0.0)
    if (own := _quantiser(layer).integer) is not None:
        return torch.where(code > 0, (own() + fraction).clamp_min(0.0), 0.0)
    smooth = torch.log(layer.weight.abs().clamp_min(2.0 ** (FRACTION_LIMITS[0] - 8))) / _LN2 + fraction
    return torch.where(code > 0, smooth + (whole - smooth).detach(), 0.0)


def _operations(operand: LayerOperand, bits: Tensor, widths: list[Tensor]) -> Tensor:
    """Effective bit operations of a layer (a scalar), with their gradients."""
    none = torch.zeros((), device=bits.device)
    found = [torch.where(reads.to(bits.device), widths[i], none).amax(dim=1) for i, reads in operand.reads.items()]
    if not found:
        return none
    width = torch.stack(found).amax(dim=0)
    width = torch.where(width > 0, width + operand.grows.to(bits.device), none)
    used = bits.flatten(2).sum(dim=2) if bits.dim() > 2 else bits  # (out, in of a group)
    groups = len(width) // used.shape[1]
    each = used.view(groups, -1, used.shape[1]).sum(dim=1).flatten()
    return operand.places * (each * width).sum()


def _set_ranges(bits: Any, values: Tensor, signals: ActivationSignals) -> None:
    """The smallest power of two of each channel within which nearly all of what reaches it lies."""
    channels = values.movedim(values.dim() - 1 - signals.behind, -1).reshape(-1, signals.channels)
    size = channels.abs() if bits.signed else channels.clamp_min(0)
    top = torch.quantile(size[:100_000], _WITHIN, dim=0).clamp_min(_LEAST_RANGE)
    bits.integer.value.copy_(torch.ceil(torch.log2(top)))


def _type(block: QuantisedBlock, bits: Any, read: list[bool]) -> QuantisedBlock:
    """A block with the types that were learned of the fields that anything multiplies."""
    fractions, integers = bits.fraction().round().int().tolist(), bits.integer().round().int().tolist()
    types, steps = list(block.types), list(block.step)
    for place, (f, i) in enumerate(zip(fractions, integers, strict=True)):
        if read[place]:
            types[place] = FixedPoint(signed=True, integer_bits=max(i, 1 - f), fraction_bits=f)
            steps[place] *= types[place].lsb / block.types[place].lsb
    return QuantisedBlock.model_validate(block.model_dump() | {"types": tuple(types), "step": tuple(steps)})


def parameters_of_bits(network: Network) -> list[Tensor]:
    """The learned bits of a network."""
    return [m.value for m in network.modules() if isinstance(m, LearnedBits)]
