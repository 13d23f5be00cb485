"""The usual networks of Brevitas' examples, small: what an import must take, and what it must refuse by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8Bias,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int16Bias,
    Int32Bias,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerChannelFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, nn

__all__ = ("KINDS", "Kind", "built")

FLAT, ITEMS, IMAGE = (4,), (3, 8), (1, 6, 6)


@dataclass(frozen=True)
class Kind:
    """One network: how it is made, what it is given, and what its refusal must name (empty: it is taken)."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = FLAT
    refused: str = ""


class _Through(nn.Module):
    """Layers, with a function in between."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._way = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._way(self, x)


def _in(bits: int = 5, quantiser: Any = Int8ActPerTensorFloat) -> nn.Module:
    return qnn.QuantIdentity(act_quant=quantiser, bit_width=bits, return_quant_tensor=True)


def _fixed_in(bits: int = 5) -> nn.Module:
    return _in(bits, Int8ActPerTensorFixedPoint)


def _linear(n: int, m: int, weight: Any = Int8WeightPerTensorFloat, bias: Any = None, bits: int = 4) -> nn.Module:
    more = (
        {}
        if weight in (SignedBinaryWeightPerTensorConst, SignedTernaryWeightPerTensorConst)
        else {"weight_bit_width": bits}
    )
    return qnn.QuantLinear(n, m, bias=bias is not None, weight_quant=weight,
                           bias_quant=None if bias == "float" else bias, **more)  # fmt: skip


def _relu(bits: int = 4, quantiser: Any = Uint8ActPerTensorFloat) -> nn.Module:
    return qnn.QuantReLU(act_quant=quantiser, bit_width=bits, return_quant_tensor=True)


def _mlp(
    weight: Any, bias: Any = None, activation: nn.Module | None = None, ends: nn.Module | None = None
) -> nn.Module:
    fixed = weight in (Int8WeightPerTensorFixedPoint, Int8WeightPerChannelFixedPoint)
    layers = [
        _fixed_in() if fixed else _in(),
        _linear(4, 6, weight, bias),
        activation or _relu(quantiser=Uint8ActPerTensorFixedPoint if fixed else Uint8ActPerTensorFloat),
        _linear(6, 3, weight, bias),
        *([ends] if ends else []),
    ]
    return nn.Sequential(*layers)


def _value(x: Any) -> Tensor:
    return getattr(x, "value", x)


def _bn(features: int) -> nn.Module:
    norm = nn.BatchNorm1d(features)
    with torch.no_grad():
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2.0)
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    return norm


def _merged() -> nn.Module:
    from brevitas.nn.utils import merge_bn

    layer = _linear(4, 6, Int8WeightPerTensorFloat, "float")
    merge_bn(layer, _bn(6))
    return nn.Sequential(_in(), layer, _relu(), _linear(6, 3))


def _residual() -> nn.Module:
    return _Through(
        lambda m, x: m.out(m.act(_value(m.again(_value(m.a(m.i(x))))) + _value(m.again(_value(m.i(x)))))),
        i=_in(), a=_linear(4, 4), again=qnn.QuantIdentity(bit_width=6), act=_relu(), out=_linear(4, 3),
    )  # fmt: skip


def _concatenated() -> nn.Module:
    return _Through(
        lambda m, x: m.out(m.again(torch.cat([_value(m.r(m.a(m.i(x)))), _value(m.i(x))], dim=1))),
        i=_in(), a=_linear(4, 5), r=_relu(), again=qnn.QuantIdentity(bit_width=6), out=_linear(9, 3),
    )  # fmt: skip


def _conv(dimensions: int, **after: nn.Module) -> nn.Module:
    kind, channels = (qnn.QuantConv1d, 3) if dimensions == 1 else (qnn.QuantConv2d, 1)
    conv = kind(channels, 3, 3, bias=False, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=3)
    return nn.Sequential(_in(4), conv, _relu(3), *after.values())


def _flat_out(n: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), _linear(n, 2, bits=3))


def _viewed(start: int | None) -> nn.Module:
    def forward(m: Any, x: Tensor) -> Tensor:
        first = _value(m.i(x))
        return m.b(m.r(m.a(first.view(first.shape[0], -1) if start is None else first.flatten(start))))

    return _Through(forward, i=_in(4), a=_linear(36, 4, bits=3), r=_relu(3), b=_linear(4, 2, bits=3))


KINDS: dict[str, Kind] = {
    "fixed point per tensor": Kind(lambda: _mlp(Int8WeightPerTensorFixedPoint)),
    "fixed point per channel": Kind(lambda: _mlp(Int8WeightPerChannelFixedPoint)),
    "float scale per tensor": Kind(lambda: _mlp(Int8WeightPerTensorFloat)),
    "float scale per channel": Kind(lambda: _mlp(Int8WeightPerChannelFloat)),
    "bias Int8": Kind(lambda: _mlp(Int8WeightPerTensorFloat, Int8Bias)),
    "bias Int16": Kind(lambda: _mlp(Int8WeightPerTensorFloat, Int16Bias)),
    "bias Int32": Kind(lambda: _mlp(Int8WeightPerTensorFloat, Int32Bias)),
    "float bias": Kind(lambda: _mlp(Int8WeightPerTensorFloat, "float")),
    "QuantHardTanh": Kind(
        lambda: _mlp(Int8WeightPerTensorFloat, None, qnn.QuantHardTanh(bit_width=4, max_val=1.0, min_val=-1.0))
    ),
    "QuantIdentity": Kind(lambda: _mlp(Int8WeightPerTensorFloat, None, qnn.QuantIdentity(bit_width=4))),
    "QuantSigmoid": Kind(lambda: _mlp(Int8WeightPerTensorFloat, None, qnn.QuantSigmoid(bit_width=4))),
    "QuantTanh": Kind(lambda: _mlp(Int8WeightPerTensorFloat, None, qnn.QuantTanh(bit_width=4))),
    "BatchNorm before the activation": Kind(
        lambda: nn.Sequential(_in(), _linear(4, 6), _bn(6), _relu(), _linear(6, 3))
    ),
    "BatchNorm after the activation": Kind(
        lambda: nn.Sequential(_in(), _linear(4, 6), qnn.QuantReLU(bit_width=4), _bn(6), _in(4), _linear(6, 3))
    ),
    "BatchNorm merged": Kind(_merged),
    "residual": Kind(_residual),
    "concatenated": Kind(_concatenated),
    "Softmax at the end": Kind(lambda: _mlp(Int8WeightPerTensorFloat, ends=nn.Softmax(dim=1))),
    "Sigmoid at the end": Kind(lambda: _mlp(Int8WeightPerTensorFloat, ends=nn.Sigmoid())),
    "ternary weights": Kind(lambda: _mlp(SignedTernaryWeightPerTensorConst)),
    "binary weights": Kind(lambda: _mlp(SignedBinaryWeightPerTensorConst)),
    "bipolar activations": Kind(
        lambda: _mlp(Int8WeightPerTensorFloat, None, qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst))
    ),
    "view with shape[0]": Kind(lambda: _viewed(None), IMAGE),
    "flatten": Kind(lambda: _viewed(1), IMAGE),
    "dropout": Kind(lambda: nn.Sequential(_in(), _linear(4, 6), nn.Dropout(0.5), _relu(), _linear(6, 3))),
    "LeakyReLU": Kind(lambda: nn.Sequential(_in(), _linear(4, 6), nn.LeakyReLU(0.1), _in(4), _linear(6, 3))),
    "Conv1d": Kind(lambda: _conv(1, last=_flat_out(18)), ITEMS),
    "Conv2d": Kind(lambda: _conv(2, last=_flat_out(48)), IMAGE),
    "max pooling": Kind(lambda: _conv(2, pool=nn.MaxPool2d(2), last=_flat_out(12)), IMAGE),
    "average pooling": Kind(lambda: _conv(2, pool=nn.AvgPool2d(2), again=_in(4), last=_flat_out(12)), IMAGE),
    "mean over items": Kind(
        lambda: _Through(
            lambda m, x: m.out(m.again(_value(m.i(x)).mean(dim=1))), i=_in(4), again=_in(5), out=_linear(8, 3)
        ),
        ITEMS,
    ),
    "QuantLSTM": Kind(lambda: nn.Sequential(_in(), qnn.QuantLSTM(8, 3)), ITEMS, "QuantLSTM"),
    "LayerNorm": Kind(lambda: nn.Sequential(_in(), nn.LayerNorm(4), _in(), _linear(4, 3)), FLAT, "LayerNorm"),
}


def built(kind: Kind, seed: int = 1) -> tuple[nn.Module, Tensor]:
    """A network whose ranges have seen data, and an example of what it takes."""
    torch.manual_seed(seed)
    module = kind.make()
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(64, *kind.shape))
    return module.eval(), torch.zeros(1, *kind.shape)
