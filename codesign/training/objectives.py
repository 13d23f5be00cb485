"""What is made smaller in torch: the objectives by their names, and the weighted sum of those of all heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from codesign.core.errors import InputError, UnsupportedError
from codesign.tasks.heads import Head, LossObjective, TorchLoss, WeightedTorchLoss
from codesign.training.network import Tensors

__all__ = ("HeadsLoss", "WeightedLoss", "loss_of")


def _square(outputs: Tensor, target: Tensor) -> Tensor:
    return torch.nn.functional.mse_loss(outputs, target.reshape(outputs.shape))


def _reconstruction(outputs: Tensor, target: Tensor) -> Tensor:
    if outputs.shape != target.shape:
        raise InputError(
            f"{target.shape[1]} inputs are to be reproduced, and this network has {outputs.shape[1]} outputs: choose "
            "a family that reproduces its inputs, such as 'vae' or 'autoencoder'"
        )
    return (outputs - target).square().mean()


def _pinball(quantiles: tuple[float, ...]) -> TorchLoss:
    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        away = target.reshape(len(outputs), 1) - outputs
        levels = torch.tensor(quantiles, dtype=outputs.dtype, device=outputs.device)
        return torch.maximum(levels * away, (levels - 1) * away).mean()

    return loss


_BY_NAME: dict[str, TorchLoss] = {
    "cross-entropy": torch.nn.functional.cross_entropy,
    "squared": _square,
    "reconstruction": _reconstruction,
}


def loss_of(objective: LossObjective) -> TorchLoss:
    """The task's own function, or that of the name; UnsupportedError where there is neither."""
    if objective.function is not None:
        return objective.function
    if objective.quantiles:
        return _pinball(objective.quantiles)
    if objective.name in _BY_NAME:
        return _BY_NAME[objective.name]
    raise UnsupportedError(f"the objective '{objective.name}' has no function of torch: give the task a loss")


class WeightedLoss:
    """The mean of a loss over events with weights of their own, where the loss is a mean over events.

    UnsupportedError where it is none, such as one with a term of the whole batch: a weight would have no meaning. Such
    a one is given with ``weighted``, a function of its own.
    """

    def __init__(self, loss: TorchLoss, weighted: WeightedTorchLoss | None = None) -> None:
        self._loss, self._weighted, self._checked = loss, weighted, False

    def __call__(self, outputs: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss of a batch, a scalar; ``weights``: (events,), or None where all events count alike."""
        if weights is None:
            return self._loss(outputs, target)
        if self._weighted is not None:
            return self._weighted(outputs, target, weights)
        if not self._checked:
            self._check(outputs.detach(), target)
            self._checked = True
        return (weights * self._each(outputs, target)).sum() / weights.sum().clamp_min(1e-12)

    def _each(self, outputs: Tensor, target: Tensor) -> Tensor:
        one: Callable[[Tensor, Tensor], Tensor] = lambda o, t: self._loss(o[None], t[None])  # noqa: E731
        return torch.vmap(one)(outputs, target)

    def _check(self, outputs: Tensor, target: Tensor) -> None:
        try:
            mean = self._each(outputs, target).mean()
        except RuntimeError as error:  # torch's, of a function that asks for a value
            why = f"it cannot be evaluated event by event ({' '.join(str(error).split())[:120]})"
        else:
            if torch.allclose(mean, self._loss(outputs, target), rtol=1e-3, atol=1e-5):
                return
            why = "it is no mean over the events of a batch"
        raise UnsupportedError(f"the events have weights, and the task's loss cannot be weighted: {why}")


class HeadsLoss:
    """The sum of the heads' losses, each times the head's weight. A head that weighs nothing is not asked."""

    def __init__(self, heads: Sequence[Head]) -> None:
        losses = [WeightedLoss(loss_of(head.objective), head.objective.weighted) for head in heads]
        self._heads = [(head.weight, loss) for head, loss in zip(heads, losses, strict=True)]
        self._sizes = [len(head.outputs) for head in heads]

    @classmethod
    def of_function(cls, function: TorchLoss) -> Self:
        """Of one head, whatever its outputs are."""
        return cls((Head("scores", ("score",), LossObjective("own", function)),))

    def __call__(self, outputs: Tensor, target: Tensors, weights: Tensor | None = None) -> Tensor:
        """The loss of a batch, a scalar. ``outputs``: of all heads, one after another, (events, m); ``target``: that of
        the only head, or one for each; ``weights``: (events,), or None where all events count alike."""
        if isinstance(target, Tensor):
            ((factor, loss),) = self._heads
            return factor * loss(outputs, target, weights) if factor != 1 else loss(outputs, target, weights)
        total: Tensor | None = None
        for (factor, loss), own, wanted in zip(self._heads, outputs.split(self._sizes, dim=1), target, strict=True):
            if factor:
                value = factor * loss(own, wanted, weights)
                total = value if total is None else total + value
        assert total is not None
        return total
