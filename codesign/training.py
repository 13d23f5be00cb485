"""Train a quantised network on the training split, deterministically for a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import InputError
from codesign.models.network import Loss, Network

__all__ = ("History", "train")

#: share of the epochs after which pruning has reached its final sparsity; the rest recovers from it
_PRUNED_BY = 0.6


@dataclass
class History:
    """Mean training loss of each epoch, and the share of weights that pruning set to zero."""

    loss: list[float] = field(default_factory=list)
    sparsity: float = 0.0


def train(
    network: Network,
    x: NDArray[np.float64],
    y: NDArray[Any],
    loss: Loss,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    sparsity: float,
    seed: int,
) -> History:
    """Train ``network`` in place through its fused twin, then fold it for export.

    ``x``: (events, n) values on the input grid; ``y``: (events,) or (events, targets). Adam with a one-cycle learning
    rate; weights are pruned by magnitude, layer by layer, along the cubic schedule of Zhu and Gupta (arXiv 1710.01878).
    Each step is the network's own ``twin``'s. InputError for what is no :class:`~codesign.models.network.Network`.
    Uses whatever number of torch threads the process has set: one per worker is the fastest.
    """
    if not isinstance(network, Network):
        raise InputError(
            f"the network {type(network).__name__} cannot be trained: derive it from codesign.models.network.Network"
        )
    torch.manual_seed(seed)
    inputs = torch.as_tensor(np.ascontiguousarray(x, dtype=np.float32))
    targets = torch.as_tensor(y)
    generator = torch.Generator().manual_seed(seed)
    network.match(inputs, targets)
    network.calibrate(inputs[torch.randperm(len(inputs), generator=generator)[:2048]])
    batch = max(1, min(batch, len(inputs)))
    twin = network.twin(batch)
    every, wanted = twin.prepared(inputs, targets)
    optimiser = torch.optim.Adam(twin.parameters, lr=learning_rate, fused=True)
    steps = len(inputs) // batch
    schedule = _one_cycle(optimiser, learning_rate, epochs * steps)
    weights = twin.prunable
    masks: list[Tensor] = []
    history = History()
    network.train()
    for epoch in range(epochs):
        if sparsity > 0 and epoch <= round(_PRUNED_BY * epochs):
            progress = min(1.0, epoch / max(1, round(_PRUNED_BY * epochs)))
            masks = [_largest(w, sparsity * (1 - (1 - progress) ** 3)) for w in weights]
        order = torch.randperm(len(inputs), generator=generator)
        total = 0.0
        for step in range(steps):
            index = order[step * batch : (step + 1) * batch]
            values, target = every.index_select(0, index), wanted.index_select(0, index)
            total += twin.gradients(values, target, loss, (epoch * steps + step) / (epochs * steps))
            optimiser.step()
            schedule.step()
            if masks:
                torch._foreach_mul_(weights, masks)
        history.loss.append(total / steps)
    history.sparsity = float(sum((w == 0).sum() for w in weights) / sum(w.numel() for w in weights))
    twin.finish()
    network.eval()
    network.settle(inputs)
    network.fold()
    return history


def _one_cycle(optimiser: torch.optim.Optimizer, rate: float, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """The rate rises for a tenth of the steps; of a handful of steps for more, as PyTorch's divides by their number."""
    steps = max(steps, 3)
    share = max(0.1, 1.5 / steps)
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=share)


def _largest(weight: Tensor, sparsity: float) -> Tensor:
    """Mask (1 or 0) that keeps the largest share ``1 - sparsity`` of the weights by magnitude."""
    drop = int(sparsity * weight.numel())
    if drop == 0:
        return torch.ones_like(weight)
    threshold = weight.abs().flatten().kthvalue(drop).values
    return (weight.abs() > threshold).to(weight.dtype)
