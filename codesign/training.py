"""Train a quantised network on the training split, deterministically for a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ("History", "Twin", "loss_gradient", "train")

Loss = Callable[[Tensor, Tensor], Tensor]

#: share of the epochs after which pruning has reached its final sparsity; the rest recovers from it
_PRUNED_BY = 0.6


@dataclass
class History:
    """Mean training loss of each epoch, and the share of weights that pruning set to zero."""

    loss: list[float] = field(default_factory=list)
    sparsity: float = 0.0


class Twin(Protocol):
    """What a network's ``twin(events)`` gives: its parameters while it is trained in steps of so many events."""

    #: what the optimiser moves
    parameters: list[Tensor]
    #: weights that may be pruned, layer by layer, as views into ``parameters``
    prunable: list[Tensor]

    def prepared(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`gradients` is given parts of, from all training events: what each step would do to them."""
        return x, target

    def gradients(self, x: Tensor, target: Tensor, loss: Loss, progress: float) -> float:
        """The loss of one step (a price at ``progress`` not counted), its gradients left in the parameters."""

    def finish(self) -> None:
        """Give the parameters back to the network."""


def loss_gradient(scores: Tensor, target: Tensor, loss: Loss) -> tuple[float, Tensor]:
    """A loss and its gradient of ``scores``, for a :class:`Twin`: of a step the loss alone goes through autograd."""
    leaf = scores.detach().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad


class _Autograd(Twin):
    """The twin of a network that has none: PyTorch's automatic differentiation."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._penalty = getattr(network, "penalty", None)
        self.parameters = list(network.parameters())
        linears = [m.weight for m in network.modules() if isinstance(m, nn.Linear)]
        self.prunable = [w.detach() for w in getattr(network, "prunable", None) or linears]

    def gradients(self, x: Tensor, target: Tensor, loss: Loss, progress: float) -> float:
        for parameter in self.parameters:
            parameter.grad = None
        if hasattr(self._network, "objective"):
            value = self._network.objective(x, target, loss)
        else:
            value = loss(self._network.fused(x), target)
        price = self._penalty(progress) if self._penalty is not None else 0.0
        (value + price).backward()
        return value.item()  # type: ignore[no-any-return]

    def finish(self) -> None:
        pass


def train(
    network: Any,
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
    A network may have an objective of its own, ``network.objective(x, target, loss)`` instead of
    ``loss(network.fused(x), target)``, and a price of its own: ``network.penalty(progress)``, progress from 0 to 1, is
    added to the loss. One that has a ``twin(events)``, not None, is trained by that :class:`Twin` alone, which does all
    this faster.
    Uses whatever number of torch threads the process has set: one per worker is the fastest.
    """
    torch.manual_seed(seed)
    inputs = torch.as_tensor(np.ascontiguousarray(x, dtype=np.float32))
    targets = torch.as_tensor(y)
    generator = torch.Generator().manual_seed(seed)
    if hasattr(network, "match"):
        network.match(inputs, targets)
    network.calibrate(inputs[torch.randperm(len(inputs), generator=generator)[:2048]])
    batch = max(1, min(batch, len(inputs)))
    make = getattr(network, "twin", None)
    twin: Twin = _Autograd(network) if make is None else make(batch)
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
    if hasattr(network, "settle"):
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
