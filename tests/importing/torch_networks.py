"""A torch network with fake quantisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

ROUND: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "TRN": torch.floor,
    "RND": lambda x: torch.floor(x + 0.5),
    "RND_CONV": torch.round,
    "TRN_ZERO": torch.trunc,
    "RND_ZERO": lambda x: torch.sign(x) * torch.ceil(x.abs() - 0.5),
    "RND_INF": lambda x: torch.sign(x) * torch.floor(x.abs() + 0.5),
}


class Quantizer(nn.Module):
    """As pquant's: types by method, rounding and overflow by attribute."""

    def __init__(self, k: Any, i: Any, f: Any, overflow: str = "SAT", round_mode: str = "RND") -> None:
        super().__init__()
        self.kif = tuple(torch.as_tensor(v, dtype=torch.float32) for v in (k, i, f))
        self.overflow, self.round_mode = overflow, round_mode

    def get_quantization_bits(self) -> tuple[torch.Tensor, ...]:
        return self.kif

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        k, i, f = self.kif
        code, high = ROUND[self.round_mode](x * 2**f), 2 ** (i + f) - 1
        if self.overflow == "WRAP":
            size = 2 ** (i + f + k)
            return (torch.remainder(code + k * size / 2, size) - k * size / 2) / 2**f
        low = -high * k if self.overflow == "SAT_SYM" else -(high + 1) * k
        return torch.minimum(torch.maximum(code, low), high) / 2**f


Quantizer.__module__ = "pquant.core.torch.quantizer"


def network(*quantiser: Any, **more: Any) -> nn.Module:
    torch.manual_seed(1)
    layers = nn.Linear(3, 4), nn.Linear(4, 2)
    for layer in layers:
        for values in layer.parameters():
            values.data = torch.round(values.data * 8) / 8
    return nn.Sequential(Quantizer(1, 2, 2), layers[0], nn.ReLU(), Quantizer(*quantiser, **more), layers[1])
