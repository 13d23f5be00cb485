"""What each layer of a network multiplies, found by walking through it once: whose signals, and how often.

Every activation gives numbers of its own making meanwhile, and what a layer is given is followed back to them. So
nobody has to say how a network is wired, and a sum, a mean, a choice or another order of the axes is seen through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from torch import Tensor, nn

from codesign.graph.cost import constant_bits
from codesign.training.network import Network

__all__ = ("ActivationSignals", "LayerOperand", "Wiring", "stand_ins", "wiring_of")

_EVENTS = 2


@dataclass(frozen=True)
class ActivationSignals:
    """What an activation gives: its ``channels``, on the last axis but ``behind``; ``block``: of an input, which;
    ``places``: how often each channel is there in an event."""

    module: nn.Module
    channels: int
    behind: int
    block: int | None = None
    places: int = 1


@dataclass(frozen=True)
class LayerOperand:
    """What a layer multiplies. ``places``: how often each weight does; ``reads``: by the place of each of the
    wiring's signals that reach it, (operands, channels), whether one is of the other; ``grows``: bits (operands,) that
    sums and factors in between add."""

    layer: nn.Module
    places: int
    reads: dict[int, Tensor]
    grows: Tensor


@dataclass(frozen=True)
class Wiring:
    """All activations of a network in the order in which they are reached, and all layers' operands."""

    signals: tuple[ActivationSignals, ...]
    operands: tuple[LayerOperand, ...]


@contextmanager
def stand_ins(network: nn.Module, of: Callable[[nn.Module], Callable[[Tensor], Tensor] | None]) -> Iterator[None]:
    """While this lasts, ``of`` a module computes it, where it gives anything."""
    found = [(module, stand) for module in network.modules() if (stand := of(module)) is not None]
    for module, stand in found:
        module.__dict__["forward"] = stand
    try:
        yield
    finally:
        for module, _ in found:
            del module.__dict__["forward"]


class _Walk:
    """What is seen on the way."""

    def __init__(self, blocks: tuple[Tensor, ...]) -> None:
        self._blocks = blocks
        self.signals: list[ActivationSignals] = []
        self.leaves: list[Tensor] = []
        self.given: list[tuple[nn.Module, Tensor, int]] = []
        self._behind = 0

    def stand(self, module: nn.Module) -> Callable[[Tensor], Tensor] | None:
        """What computes a module meanwhile."""
        if isinstance(module, QuantIdentity | QuantReLU):
            return lambda x: self._activation(module, x)
        if isinstance(module, QuantLinear | QuantConv1d | QuantConv2d):
            return lambda x: self._layer(module, x)
        return None

    def _activation(self, module: nn.Module, x: Tensor) -> Tensor:
        block = next((i for i, given in enumerate(self._blocks) if given is x), None)
        behind = 0 if block is not None else min(self._behind, x.dim() - 2)
        leaf = (0.6 + torch.rand(x.shape)).requires_grad_()
        channels = int(x.shape[x.dim() - 1 - behind])
        self.signals.append(ActivationSignals(module, channels, behind, block, x.numel() // len(x) // channels))
        self.leaves.append(leaf)
        return leaf

    def _layer(self, module: Any, x: Tensor) -> Tensor:
        out: Tensor = module.inner_forward_impl(x, module.weight, module.bias)
        self._behind = 0 if isinstance(module, QuantLinear) else out.dim() - 2
        self.given.append((module, x, out.numel() // len(out) // len(module.weight)))
        return out


def wiring_of(network: Network, inputs: int) -> Wiring:
    """Walk through a network of so many flat inputs. Each activation must be reached once."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        blocks = network.blocks(torch.rand(_EVENTS, inputs))
        walk = _Walk(blocks)
        with stand_ins(network, walk.stand):
            network(*blocks)
    return Wiring(tuple(walk.signals), tuple(_operand(walk, *given) for given in walk.given))


def _operand(walk: _Walk, layer: nn.Module, x: Tensor, places: int) -> LayerOperand:
    """Follow what a layer is given back to the activations."""
    axis = x.dim() - 1 if isinstance(layer, QuantLinear) else 1
    count = int(x.shape[axis])
    reads: dict[int, Tensor] = {}
    grows = torch.zeros(count)
    for channel in range(count if x.requires_grad else 0):
        one = x[0].movedim(axis - 1, 0)[channel].flatten()[0]
        found = torch.autograd.grad(one, walk.leaves, retain_graph=True, allow_unused=True)
        for place, (gradient, signals) in enumerate(zip(found, walk.signals, strict=True)):
            if gradient is None or not gradient.any():
                continue
            rows = reads.setdefault(place, torch.zeros(count, signals.channels, dtype=torch.bool))
            factors = gradient[0].movedim(gradient.dim() - 2 - signals.behind, -1).reshape(-1, signals.channels)
            rows[channel] |= (factors != 0).any(dim=0)
            grows[channel] = max(float(grows[channel]), _growth(factors[factors != 0]))
    return LayerOperand(layer, places, reads, grows)


def _growth(factors: Tensor) -> float:
    """Bits that a sum of so many numbers, each times its factor, has more than the widest of them."""
    bits = constant_bits(factors.detach().double().numpy())
    # what stands for 1/N has few bits; a product of two signals none that could be counted
    own = float(bits.max()) - 1 if bits.max() <= 12 else 0.0
    return float(np.ceil(np.log2(len(factors)))) + own
