"""torch's own fake quantisers (torch.ao.quantization), in what torch exports.

torch writes only three ranges of codes to ONNX, and none of the fused ones that its default settings make. What rounds
to all codes of some bits around zero is QONNX' Quant; what has a zero point or other ends is QuantizeLinear, Clip and
DequantizeLinear of 8 bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.ao.quantization import FakeQuantizeBase

from codesign.core.errors import UnsupportedError

__all__ = ("ExportedFunction", "exported_fake_quantiser", "is_fake_quantiser")

_QUANT = "qonnx.custom_op.general::Quant"


def is_fake_quantiser(module: nn.Module) -> bool:
    """Whether it is one of torch's."""
    return isinstance(module, FakeQuantizeBase)


def exported_fake_quantiser(module: Any) -> nn.Module:
    """What stands for it in an export. UnsupportedError: its scale still changes, or its codes are of other kinds."""
    if not bool(module.fake_quant_enabled[0]):
        return nn.Identity()
    if bool(module.observer_enabled[0]):
        raise UnsupportedError(
            "its observer is on, so that its scale changes with what it sees: apply "
            "torch.ao.quantization.disable_observer to the module first"
        )
    low, high = int(getattr(module, "quant_min", 0)), int(getattr(module, "quant_max", 255))
    axis = int(module.ch_axis) if module.is_per_channel else None
    scale, zero = module.scale.detach().float(), module.zero_point.detach().float()
    bits = (high - low + 1).bit_length() - 1
    whole, narrow = high - low + 1 == 2**bits, high - low + 2 == 2 ** (bits + 1)
    if not zero.any() and low == 0 and whole:
        return _Exported(scale, axis, bits, signed=0, narrow=0)
    if not zero.any() and low == -high - 1 and whole:
        return _Exported(scale, axis, bits, signed=1, narrow=0)
    if not zero.any() and low == -high and narrow:
        return _Exported(scale, axis, bits + 1, signed=1, narrow=1)
    if axis is not None or not (-128 <= low <= high <= 127 or 0 <= low <= high <= 255):
        raise UnsupportedError(
            f"its codes from {low} to {high} have no exact form here; known: those of some bits around a zero point of "
            "0, and with one zero point those within 8 bits"
        )
    return _Shifted(float(scale), int(zero), low, high)


class _Exported(nn.Module):
    """Exports as QONNX' Quant; ``axis`` is that of ``scale``, None for one scale."""

    def __init__(self, scale: torch.Tensor, axis: int | None, bits: int, signed: int, narrow: int) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.tensor(0.0))
        self.register_buffer("bits", torch.tensor(float(bits)))
        self.axis, self.signed, self.narrow = axis, signed, narrow

    def forward(self, x: torch.Tensor) -> Any:
        """Itself: it is exported, never run for its values."""
        shape = [] if self.axis is None else [-1 if i == self.axis % x.dim() else 1 for i in range(x.dim())]
        scale = torch.as_tensor(self.scale).reshape(shape)
        return _Quant.apply(x, scale, self.zero, self.bits, self.signed, self.narrow)


class ExportedFunction(torch.autograd.Function):
    """What is a node in a graph that torch exports, and is never run for its values: derive it with ``symbolic``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *given: Any) -> torch.Tensor:
        """Of the same shape, which is all that an export asks."""
        return x.clone()


class _Quant(ExportedFunction):
    """QONNX' Quant in a graph that torch exports."""

    @staticmethod
    def symbolic(g: Any, x: Any, scale: Any, zero: Any, bits: Any, signed: int, narrow: int) -> Any:
        """The node."""
        found = g.op(_QUANT, x, scale, zero, bits, signed_i=signed, narrow_i=narrow, rounding_mode_s="ROUND")
        found.setType(x.type())
        return found


class _Shifted(nn.Module):
    """Exports as QuantizeLinear, Clip and DequantizeLinear of 8 bits."""

    def __init__(self, scale: float, zero: int, low: int, high: int) -> None:
        super().__init__()
        self.given = scale, zero, low, high

    def forward(self, x: torch.Tensor) -> Any:
        """Itself: it is exported, never run for its values."""
        return _Clipped.apply(x, *self.given)


class _Clipped(ExportedFunction):
    @staticmethod
    def symbolic(g: Any, x: Any, scale: float, zero: int, low: int, high: int) -> Any:
        """The nodes."""
        kind = torch.int8 if low < 0 else torch.uint8

        def constant(value: float, of: torch.dtype) -> Any:
            return g.op("Constant", value_t=torch.tensor(value, dtype=of))

        step, middle = constant(scale, torch.float32), constant(zero, kind)
        codes = g.op("QuantizeLinear", x, step, middle)
        ends = torch.iinfo(kind)
        if (low, high) != (ends.min, ends.max):
            codes = g.op("Clip", codes, constant(low, kind), constant(high, kind))
        found = g.op("DequantizeLinear", codes, step, middle)
        found.setType(x.type())
        return found
