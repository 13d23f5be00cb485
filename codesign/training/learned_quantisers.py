"""Brevitas quantisers whose bit widths are learned by gradient, one per weight and one per neuron (or coarser).

Forward they are fixed point with power-of-two scales: weights to nearest, activations FLOOR (half up, once half an LSB
is in the bias), saturating. Backward they follow HGQ (arXiv 2405.00645); see
:mod:`codesign.families.learned.learned_fused`, which computes the same of a whole network in fewer operations.
"""

from __future__ import annotations

from math import log, prod
from typing import Any, Literal

import numpy as np
import torch
from brevitas.export.onnx.qonnx.function import BrevitasQuantOp
from brevitas.export.onnx.qonnx.handler import BrevitasActQuantProxyHandler
from brevitas.export.onnx.qonnx.manager import QONNXManager
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import FloatToIntImplType
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from torch import Tensor, nn

from codesign.training.learned_ranges import SINK, needed_integers, ranged_weights, wrapped

__all__ = (
    "BIT_PRICE",
    "EDGE",
    "FRACTION_LIMITS",
    "INTEGER_LIMITS",
    "Granularity",
    "LearnedActivationQuant",
    "LearnedActivationQuantiser",
    "LearnedBits",
    "LearnedInputQuantiser",
    "LearnedWeightQuant",
    "LearnedWeightQuantiser",
    "LiveActivationQuantiser",
    "LiveInputQuantiser",
    "bits_of",
    "row_grid",
    "width_of",
)

#: of what a width is learned: each weight or neuron, each neuron's weights, or a whole layer
Granularity = Literal["weight", "channel", "tensor"]

#: smallest and largest fraction bits of a weight or an activation
FRACTION_LIMITS = (-8, 10)
#: smallest and largest integer bits of an activation (the sign not counted)
INTEGER_LIMITS = (-8, 6)

#: tolerance, in LSBs, with which a number counts as saturated: exact ties lie inside below, and saturate above
EDGE = 1e-6

#: constant pull on every fraction and integer bit, beside the EBOPs, which do not see what multiplies nothing
BIT_PRICE = 1e-5

_LN2 = log(2.0)


class LearnedBits(nn.Module):
    """Bits as a real parameter, rounded in the forward; the gradient passes straight through."""

    def __init__(self, shape: tuple[int, ...], initial: float, limits: tuple[int, int]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.full(shape, float(initial)))
        self.limits = limits

    def hold(self, which: Tensor) -> None:
        """Keep those that ``which`` says as they are: they have no gradient."""
        self.value.register_hook(lambda gradient: gradient.masked_fill(which.to(gradient.device), 0.0))

    def forward(self) -> Tensor:
        """Whole bits."""
        whole = self.value.round().clamp(*self.limits)
        return self.value + (whole - self.value).detach()


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, fraction: Tensor) -> Tensor:
        grid = torch.exp2(fraction)
        quantised = torch.round(weight * grid) / grid
        ctx.save_for_backward(weight - quantised)
        return quantised

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,), (error,) = gradients, ctx.saved_tensors
        return gradient, _LN2 * gradient * error


class _CompiledActivation(torch.autograd.Function):
    """The same as :class:`_Activation`, in compiled loops on the processor; all but ``x`` of one shape, for channels on
    any axis but the events'."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fraction: Tensor, integer: Tensor, low: Tensor, top: Tensor) -> Tensor:
        from codesign.training import fused_kernels as kernels

        inner = prod(x.shape[x.dim() - fraction.dim() + 1 :])
        scale, above, least, most = (
            t.flatten().repeat_interleave(inner).numpy() for t in (torch.exp2(fraction), torch.exp2(integer), low, top)
        )
        values, out = x.contiguous().view(-1, len(scale)).numpy(), x.new_empty(x.shape)
        residual = np.empty_like(values)
        kernels.quantise_learned(values, scale, least, most, out.view(values.shape).numpy(), residual)
        ctx.saved, ctx.shape, ctx.signed = (residual, scale, above), fraction.shape, bool((low < 0).any())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from codesign.training import fused_kernels as kernels

        residual, scale, above = ctx.saved
        back = gradients[0].clone(memory_format=torch.contiguous_format)
        passes, finer, wider = np.empty((3, len(scale)), scale.dtype)
        kernels.through_learned(back.view(residual.shape).numpy(), residual, EDGE, ctx.signed, passes, finer, wider)
        of_bits = [
            torch.from_numpy(_LN2 * each).view(ctx.shape.numel(), -1).sum(dim=1).view(ctx.shape).to(back.dtype)
            for each in (finer / scale, wider * above)
        ]
        return back, *of_bits, None, None


class _Activation(torch.autograd.Function):
    """FLOOR and saturation; the gradients are of the rounding half up that half an LSB in front of it makes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fraction: Tensor, integer: Tensor, low: Tensor, top: Tensor) -> Tensor:
        scale = torch.exp2(fraction)
        ratio = x * scale
        code = torch.clamp(torch.floor(ratio), low, top)
        ctx.save_for_backward(ratio - code, scale, torch.exp2(integer), low)
        return code / scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        residual, scale, bound, low = ctx.saved_tensors
        below = torch.where(low < 0, -EDGE, 0.0)  # unsigned: what the rectifier made 0 has residual 0, and is outside
        inside = gradient * ((residual > below) & (residual < 1 - EDGE))
        over = gradient * (residual > 1 - EDGE)
        under = gradient * (residual <= -EDGE) * (low < 0)
        fraction = (inside * (residual - 0.5) + over) / scale
        return inside, _LN2 * fraction, _LN2 * (over - under) * bound, None, None


def row_grid(quantised: Tensor) -> Tensor:
    """The coarsest power of two of which all of a row's numbers are multiples, (out, 1); 1 for a row of zeros."""
    mantissa, exponent = torch.frexp(quantised.detach())
    whole = (mantissa.abs() * 2.0**24).to(torch.int64)
    lowest = torch.ldexp((whole & -whole).double(), exponent - 24)
    finest = torch.where(quantised == 0, torch.inf, lowest).amin(dim=1, keepdim=True)
    return torch.where(torch.isinf(finest), 1.0, finest).to(quantised.dtype)


class LearnedWeightQuant(nn.Module):
    """A learned number of fraction bits; integer bits follow from the weight's magnitude, so nothing saturates, or are
    learned, too.

    To Brevitas (and in the exported graph) it reports one scale per row and the one width that holds every code.
    """

    def __init__(
        self, tracked_parameter_list: list[Tensor], granularity: Granularity, fraction_init: float, learns_range: bool
    ) -> None:
        super().__init__()
        whole = tuple(tracked_parameter_list[0].shape)
        ones = (1,) * (len(whole) - 1)
        shape = {"weight": whole, "channel": (whole[0], *ones), "tensor": (1, *ones)}[granularity]
        self.fraction = LearnedBits(shape, fraction_init, FRACTION_LIMITS)
        #: integer bits of its own, at which a weight saturates; None: they follow from its magnitude
        self.integer = LearnedBits(shape, 0.0, INTEGER_LIMITS) if learns_range else None

    def values(self, x: Tensor) -> Tensor:
        """The quantised weights."""
        if self.integer is not None:
            return ranged_weights(x, self.fraction(), self.integer())
        return _Weight.apply(x, self.fraction())  # type: ignore[no-any-return]

    @torch.no_grad()
    def freeze(self) -> None:
        """Have weights that lie on their own grids stay as they are."""
        self.fraction.value.fill_(FRACTION_LIMITS[1])
        if self.integer is not None:
            self.integer.value.fill_(INTEGER_LIMITS[1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Value, scale (out, 1, ...), zero point, and width with the sign."""
        value = self.values(x)
        scale = row_grid(value.flatten(1)).view(-1, *(1,) * (value.dim() - 1))
        largest = (value.detach() / scale).abs().max()
        width = (torch.frexp(largest)[1] + 1).clamp_min(2).to(x.dtype)
        return value, scale, torch.zeros((), dtype=x.dtype), width


class LearnedActivationQuant(nn.Module):
    """Learned fraction and integer bits per channel; no bits, and the channel is always 0.

    ``behind``: axes behind that of the channels. ``rounds``: rounds half up by itself; what lies on the grid already,
    as the inputs of a network that is exported, stays as it is. ``wraps``: what is beyond the range wraps, and the
    integer bits follow what is there instead of being learned (:mod:`codesign.training.learned_ranges`).
    """

    def __init__(
        self,
        channels: int,
        signed: bool,
        fraction_init: float,
        integer_init: float,
        behind: int,
        rounds: bool,
        wraps: bool,
    ) -> None:
        super().__init__()
        self.signed = signed
        self._shape, self.rounds, self.wraps = (channels, *(1,) * behind), rounds, wraps
        self.fraction = LearnedBits((channels,), fraction_init, FRACTION_LIMITS)
        self.integer = LearnedBits((channels,), integer_init, INTEGER_LIMITS)
        if wraps:
            self.integer.hold(torch.ones(channels, dtype=torch.bool))

    def scale(self) -> Tensor:
        """Value of each channel's LSB, without a gradient: HGQ's is of the rounding half up as a whole."""
        return torch.exp2(-self.fraction().detach().view(self._shape))

    def values(self, x: Tensor) -> Tensor:
        """What comes of ``x`` (events, ...)."""
        if self.wraps:
            if not torch.is_grad_enabled():
                return wrapped(x, *self.type_of())
            self.follow(x, SINK)
        fraction, integer = self.fraction().view(self._shape), self.integer().view(self._shape)
        bits = (fraction + integer).detach()
        live = bits >= 1
        top = torch.where(live, torch.exp2(bits) - 1, 0.0)
        low = torch.where(live, -torch.exp2(bits), 0.0) if self.signed else torch.zeros_like(top)
        # Brevitas asks for a scale with a number that has no events
        compiles = x.device.type == "cpu" and x.dim() > fraction.dim()
        quantise = (_CompiledActivation if compiles else _Activation).apply
        given = x + 0.5 * self.scale() if self.rounds else x
        return quantise(given, fraction, integer, low, top)  # type: ignore[no-any-return]

    @torch.no_grad()
    def follow(self, x: Tensor, sink: float) -> None:
        """Have the integer bits hold what is there, ``x`` (events, ...), having sunk before."""
        least = float(INTEGER_LIMITS[0])
        found = needed_integers(x, self.fraction().view(self._shape), self.signed, least)
        self.integer.value.copy_(torch.maximum(found, self.integer.value - sink).clamp(*INTEGER_LIMITS))

    def type_of(self) -> tuple[Tensor, Tensor, Tensor]:
        """1 of a signed type, integer bits, fraction bits, in a shape that broadcasts; a channel without bits has none
        of any kind."""
        fraction, integer = (bits().detach().view(self._shape) for bits in (self.fraction, self.integer))
        live = fraction + integer >= 1
        keep = live * float(self.signed)
        return keep, torch.where(live, integer, -fraction - keep), fraction

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Value, scale (channels,), zero point, and width (channels,) with the sign."""
        # a Quant has at least one bit (two if signed): what feeds a channel without bits is 0 once folded
        bits = (self.fraction() + self.integer()).detach().view(self._shape)
        width = bits.clamp_min(1) + int(self.signed)
        return self.values(x), self.scale(), torch.zeros((), dtype=x.dtype), width


class LearnedActivationProxy(ActQuantProxyFromInjector):
    """Brevitas' proxy, under a name of its own: its export handler knows widths per channel."""


class LearnedActivationHandler(BrevitasActQuantProxyHandler):
    """Exports Quant nodes of one width for all channels, since QONNX' executor does not take an array of widths.

    Two in a row: the first has each channel's range, which the widest width cuts finer than the channel needs; the
    second drops the bits too many. FLOOR after FLOOR is one FLOOR, and the largest code of the first falls on the
    largest of the channel: exactly the quantiser that was trained. (Picking out the channels of each width would cost
    1 to 4 % less logic, but a pick of channels that all are constant is beyond alkaid.) Brevitas' own handler takes
    one unsigned bit for a bipolar quantiser.
    """

    handled_layer = LearnedActivationProxy

    def prepare_for_export(self, module: Any) -> None:
        """Collect what the Quant nodes hold."""
        self.scale, self.width = module.scale().detach(), module.bit_width().detach()
        self.signed = bool(module.is_signed)
        # inputs need no saturation of their own: they arrive in their types' ranges
        self.saturates = not self.signed
        quantiser = module.fused_activation_quant_proxy.tensor_quant
        self.wrapped = quantiser.type_of() if quantiser.wraps else None

    def symbolic_execution(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Emit the nodes."""
        if self.wrapped is not None:
            return wrapped(x, *self.wrapped), self.scale, torch.zeros(()), self.width
        zero, widest = torch.zeros(()), self.width.max()
        scales = [self.scale]
        if self.saturates and (self.width < widest).any():
            scales.insert(0, self.scale * torch.exp2(self.width - widest))
        narrow = False
        for scale in scales:
            x = self.export_op(BrevitasQuantOp, x, scale, zero, widest, narrow, self.signed, "FLOOR")
        return x, self.scale, zero, self.width


class LiveActivationProxy(LearnedActivationProxy):
    """The same of a network whose layers nobody knows: what a channel without bits feeds is not taken out."""


class LiveActivationHandler(LearnedActivationHandler):
    """Exports a product with 0 of a channel without bits, where there is one."""

    handled_layer = LiveActivationProxy

    def prepare_for_export(self, module: Any) -> None:
        """Collect what the nodes hold."""
        super().prepare_for_export(module)
        quantiser = module.fused_activation_quant_proxy.tensor_quant
        self.saturates = not quantiser.rounds
        self.live = (width_of(quantiser).detach() > 0).to(self.scale.dtype).view(self.scale.shape)

    def symbolic_execution(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Emit the nodes."""
        x, *more = super().symbolic_execution(x)
        scale, zero, width = more
        return (x if bool(self.live.all()) else x * self.live), scale, zero, width


QONNXManager.handlers.extend([LearnedActivationHandler, LiveActivationHandler])


def bits_of(activation: Any) -> LearnedActivationQuant:
    """What holds the learned bits of an activation of Brevitas'."""
    found: LearnedActivationQuant = activation.act_quant.fused_activation_quant_proxy.tensor_quant
    return found


def width_of(bits: LearnedActivationQuant) -> Tensor:
    """Width of each channel, sign included; 0 of a channel without bits."""
    whole = bits.fraction() + (bits.integer().detach() if bits.wraps else bits.integer())
    return torch.where(whole >= 1, whole + int(bits.signed), 0.0)


class LearnedWeightQuantiser(ExtendedInjector):
    """Weights with learned widths."""

    proxy_class = WeightQuantProxyFromInjector
    tensor_quant = LearnedWeightQuant
    signed = True
    narrow_range = True
    float_to_int_impl_type = FloatToIntImplType.ROUND
    granularity = "weight"
    fraction_init = 6.0
    learns_range = False


class LearnedActivationQuantiser(ExtendedInjector):
    """Unsigned activations with learned widths and ranges."""

    proxy_class = LearnedActivationProxy
    tensor_quant = LearnedActivationQuant
    signed = False
    narrow_range = False
    float_to_int_impl_type = FloatToIntImplType.FLOOR
    fraction_init = 4.0
    integer_init = 2.0
    behind = 0
    rounds = False
    wraps = False


class LearnedInputQuantiser(LearnedActivationQuantiser):
    """Signed inputs with learned widths and ranges."""

    signed = True


class LiveActivationQuantiser(LearnedActivationQuantiser):
    """Unsigned activations with learned widths and ranges, of a network of any layers."""

    proxy_class = LiveActivationProxy


class LiveInputQuantiser(LearnedInputQuantiser):
    """Signed ones, inputs among them, of a network of any layers."""

    proxy_class = LiveActivationProxy
