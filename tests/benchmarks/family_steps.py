"""What a training step of any network costs by fused operations, beside the same module in plain PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from brevitas.nn import QuantConv1d, QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.core.fixedpoint import INPUT_INTEGER_BITS
from codesign.families.autoencoder.config import AutoencoderConfig
from codesign.families.autoencoder.family import Autoencoder
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    SignedActivationQuantiser,
    WeightQuantiser,
)
from codesign.training.fused_modules import FusedModules, half_up
from tests.benchmarks.training_ways import LOSS, _automatic, _by_hand

BATCH, CLASSES = 512, 5


class _Net(nn.Module):
    """A network whose layers are Brevitas' with all quantisers, or PyTorch's own (not ``quantised``)."""

    shape: tuple[int, ...]

    def __init__(self, quantised: bool) -> None:
        super().__init__()
        self.quantised = quantised
        grid = {"bit_width": 8, "scaling_init": 2.0**INPUT_INTEGER_BITS}
        self.input = QuantIdentity(act_quant=InputQuantiser, **grid) if quantised else nn.Identity()

    def _linear(self, a: int, b: int) -> Any:
        weights = {"weight_quant": WeightQuantiser, "weight_bit_width": 4}
        return QuantLinear(a, b, bias=True, **weights) if self.quantised else nn.Linear(a, b)

    def _conv(self, a: int, b: int, kernel: int) -> Any:
        weights = {"weight_quant": WeightQuantiser, "weight_bit_width": 4}
        around = kernel // 2
        if self.quantised:
            return QuantConv1d(a, b, kernel, padding=around, **weights)
        return nn.Conv1d(a, b, kernel, padding=around)

    def _relu(self) -> Any:
        return QuantReLU(act_quant=ActivationQuantiser, bit_width=5) if self.quantised else nn.ReLU()

    def _signed(self) -> Any:
        return QuantIdentity(act_quant=SignedActivationQuantiser, bit_width=7) if self.quantised else nn.Identity()

    def _act(self, activation: Any, x: Tensor) -> Tensor:
        return half_up(activation, x, folded=not self.quantised)


class Dense(_Net):
    """16 features, 64-32-32, five classes; all layers one behind the other."""

    shape, sizes = (16,), (16, 64, 32, 32, CLASSES)

    def __init__(self, quantised: bool) -> None:
        super().__init__(quantised)
        self.layers = nn.ModuleList(self._linear(a, b) for a, b in pairwise(self.sizes))
        self.activations = nn.ModuleList(self._relu() for _ in self.sizes[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x = self._act(activation, layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]


class Reproducing(Dense):
    """57 inputs, 32-16 around 6 numbers, and the squared, quantised errors."""

    shape, sizes = (57,), (57, 32, 16, 6, 16, 32, 57)

    def __init__(self, quantised: bool) -> None:
        super().__init__(quantised)
        self.error = self._signed()

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        return self._act(self.error, x - super().forward(x)).square()


class ItemSet(_Net):
    """32 items of 3: two shared layers, their mean, one layer, and the head."""

    shape = (32, 3)

    def __init__(self, quantised: bool) -> None:
        super().__init__(quantised)
        self.one, self.two, self.three = self._linear(3, 32), self._linear(32, 32), self._linear(32, 32)
        self.head = self._linear(32, CLASSES)
        self.a, self.b, self.mean, self.c = (self._relu() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self._act(self.b, self.two(self._act(self.a, self.one(self.input(x)))))
        return self.head(self._act(self.c, self.three(self._act(self.mean, x.mean(dim=1)))))  # type: ignore[no-any-return]


class Mixed(ItemSet):
    """32 items of 3: each item beside the mean of all, x_i W + mean(x) W', then as a set."""

    def __init__(self, quantised: bool) -> None:
        super().__init__(quantised)
        self.beside, self.centre = self._linear(32, 32), self._signed()

    def forward(self, x: Tensor) -> Tensor:
        x = self._act(self.a, self.one(self.input(x)))
        mean = self.beside(self._act(self.centre, x.mean(dim=1)))
        x = self._act(self.b, self.two(x) + mean.unsqueeze(1))
        return self.head(self._act(self.c, self.three(self._act(self.mean, x.mean(dim=1)))))  # type: ignore[no-any-return]


class Along(_Net):
    """16 items of 20 as a sequence: kernels of 3 and of 1, their mean, 32-16, and the head."""

    shape = (16, 20)

    def __init__(self, quantised: bool) -> None:
        super().__init__(quantised)
        self.wide, self.narrow = self._conv(20, 10, 3), self._conv(10, 10, 1)
        self.three, self.four, self.head = self._linear(10, 32), self._linear(32, 16), self._linear(16, CLASSES)
        self.a, self.b, self.mean, self.c, self.d = (self._relu() for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        x = self._act(self.a, self.wide(self.input(x).transpose(1, 2)))
        x = self._act(self.mean, self._act(self.b, self.narrow(x)).mean(dim=2))
        return self.head(self._act(self.d, self.four(self._act(self.c, self.three(x)))))  # type: ignore[no-any-return]


NETWORKS: dict[str, type[_Net]] = {
    "mlp 64-32-32": Dense,
    "deep set 32 x 3": ItemSet,
    "jedi-linear 32 x 3": Mixed,
    "conv1d 16 x 20": Along,
    "autoencoder 57": Reproducing,
}


def _runs(kind: type[_Net]) -> dict[str, Callable[[], None]]:
    """A step of a network in plain PyTorch, by fused operations, and as Brevitas has it."""
    x = torch.round(torch.randn(BATCH, *kind.shape) * 16).clamp(-128, 127) / 16
    y = torch.randint(0, CLASSES, (BATCH,))
    plain, fused, brevitas = kind(False), kind(True), kind(True)
    layers = FusedModules(fused)
    assert not layers.unknown

    def loss(out: Tensor) -> Tensor:
        return out.mean() if kind is Reproducing else LOSS(out, y)

    def shortcut() -> Tensor:
        with layers.active():
            return loss(fused(x))

    return {
        "torch": _automatic(lambda: loss(plain(x)), plain),
        "fused": _automatic(shortcut, fused),
        "brevitas": _automatic(lambda: loss(brevitas(x)), brevitas),
    }


def _twins() -> dict[str, Callable[[], None]]:
    """A step of the twins that fully connected families have of their own, beside those of the same by operations."""
    x = torch.round(torch.randn(BATCH, 16) * 16).clamp(-128, 127) / 16
    y = torch.randint(0, CLASSES, (BATCH,))
    network = MLP().build(
        MLPConfig(widths=(64, 32, 32), weight_bits=(4,) * 4, activation_bits=(5,) * 3, input_bits=8), 16, CLASSES
    )
    common = {"widths": (32, 16), "latent": 6, "square_bits": 7, "score_bits": 16, "input_bits": 8}
    config = AutoencoderConfig.model_validate(common | {"weight_bits": (4,) * 6, "activation_bits": (5,) * 5})
    other, seen = Autoencoder().build(config, 57, 1), torch.round(torch.randn(BATCH, 57) * 16).clamp(-128, 127) / 16
    other.match(seen, seen)
    squared = nn.functional.mse_loss
    steps = {"mlp, by operations": _automatic(lambda: network.objective(x, y, LOSS), network)}
    steps["autoencoder, by operations"] = _automatic(lambda: other.objective(seen, seen, squared), other)
    steps["mlp, its twin"] = _by_hand(network.twin(BATCH), x, y, LOSS)
    steps["autoencoder, its twin"] = _by_hand(other.twin(BATCH), *other.twin(BATCH).prepared(seen, seen), squared)
    return steps


def family_steps(rounds: int = 60, steps: int = 4) -> dict[str, Any]:
    """Milliseconds per training step at batch 512, in turns: medians of ``rounds`` short runs each, in processor time.

    Each network, all quantisers in: in plain PyTorch, by fused operations, and as Brevitas has it; the same loss, batch
    and optimiser. Beside them the twins of the fully connected families and the same networks by fused operations.
    """
    torch.manual_seed(0)
    found = {name: _measured(_runs(kind), rounds, steps) for name, kind in NETWORKS.items()}
    return {
        "batch": BATCH,
        "milliseconds_per_step": {
            name: {way: round(value, 3) for way, value in values.items()} for name, values in found.items()
        },
        "fused_over_torch": {name: round(v["fused"] / v["torch"], 2) for name, v in found.items()},
        "brevitas_over_fused": {name: round(v["brevitas"] / v["fused"], 1) for name, v in found.items()},
        "twins": {name: round(value, 3) for name, value in _measured(_twins(), rounds, steps).items()},
    }


def _measured(runs: dict[str, Callable[[], None]], rounds: int, steps: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, step in runs.items():
            start = time.process_time()
            for _ in range(steps):
                step()
            times[name].append((time.process_time() - start) / steps)
    return {name: median(values[5:]) * 1e3 for name, values in times.items()}
