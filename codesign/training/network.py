"""What a family builds: a torch module that can be trained, folded and exported; and what trains it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from codesign.core.fixedpoint import InputQuantisation

__all__ = ("Autograd", "Loss", "Network", "Phase", "Tensors", "Twin", "loss_gradient")

#: a tensor; where there are several heads, one for each
Tensors: TypeAlias = Tensor | tuple[Tensor, ...]
#: flat outputs (events, m) and targets of a batch to a scalar
Loss: TypeAlias = Callable[[Tensor, Tensors], Tensor]


@dataclass(frozen=True)
class Phase:
    """A part of a training: its name, and its share of the epochs, relative to the others' shares."""

    name: str = ""
    share: float = 1.0


class Twin(Protocol):
    """A network's parameters while it is trained in steps of so many events."""

    #: what the optimiser moves
    parameters: list[Tensor]
    #: weights that may be pruned, layer by layer, as views into ``parameters``
    prunable: list[Tensor]

    def prepared(self, x: Tensor, target: Tensors) -> tuple[Tensor, Tensors]:
        """What :meth:`gradients` is given parts of, from all training events: what each step would do to them."""
        return x, target

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """The loss of one step (a price at ``progress`` not counted), its gradients left in the parameters."""

    def finish(self) -> None:
        """Give the parameters back to the network."""


def loss_gradient(scores: Tensor, target: Tensors, loss: Loss) -> tuple[float, Tensor]:
    """A loss and its gradient of ``scores``, for a :class:`Twin`: of a step the loss alone goes through autograd."""
    leaf = scores.detach().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad


class Network(nn.Module, ABC):
    """A quantised network. Values in and out, (events, n) to (events, m); ``forward`` is what is exported.

    Of blocks that are not flat, ``shapes`` names the shape of each, and ``forward`` is given one tensor (events,
    *shape) for each; it may return a tuple, one tensor for each head. Everything else gets and gives the flat ones.

    What has a body here is used where a network has it: it may stay as it is.
    """

    #: set once :meth:`fold` was called, and by whoever loads the weights of a folded network
    folded: bool = False
    #: of each block that ``forward`` is given; empty where it is given the flat inputs
    shapes: tuple[tuple[int, ...], ...] = ()

    @abstractmethod
    def forward(self, *args: Any, **kwargs: Any) -> Tensors:  # type: ignore[explicit-any]
        """Brevitas' own computation, of one tensor, or one for each block: (events, n) to (events, m)."""

    def blocks(self, x: Tensor) -> tuple[Tensor, ...]:
        """Flat inputs (events, n) as ``forward`` is given them."""
        if not self.shapes:
            return (x,)
        parts = x.split([prod(shape) for shape in self.shapes], dim=1)
        return tuple(part.reshape(len(x), *shape) for part, shape in zip(parts, self.shapes, strict=True))

    def of_flat(self, x: Tensor) -> Tensor:
        """``forward`` of flat inputs (events, n); the heads one after another, (events, m)."""
        found = self(*self.blocks(x))
        return torch.cat(found, dim=1) if isinstance(found, tuple) else found

    @abstractmethod
    def calibrate(self, x: Tensor) -> None:
        """Set the ranges of activations from a batch (events, n), before the first step."""

    @abstractmethod
    def fold(self) -> None:
        """Make the network the exact function that is exported: roundings into biases, biases onto their grid."""

    def fused(self, x: Tensor) -> Tensor:
        """The numbers and gradients of ``forward`` before :meth:`fold`, in fewer operations where that is possible."""
        return self.of_flat(x)

    def phases(self) -> Sequence[Phase]:
        """Parts of the training, in order, such as a self-supervised one first. Each has an optimiser and rates of its
        own; what is pruned is pruned in the last."""
        return (Phase(),)

    def enter(self, phase: Phase) -> None:
        """Called before each phase: ``objective``, ``penalty`` and ``twin`` may be others from here on."""

    def match(self, x: Tensor, target: Tensors) -> None:
        """Called before the first step, with all training events (events, n) and their targets, of several heads one
        for each."""

    def settle(self, x: Tensor) -> None:
        """Called after the last step and before :meth:`fold`, with all training events (events, n)."""

    @property
    def prunable(self) -> Sequence[Tensor]:
        """The weights that may be pruned, layer by layer."""
        return [m.weight for m in self.modules() if isinstance(m, nn.Linear)]

    def objective(self, x: Tensor, target: Tensors, loss: Loss) -> Tensor:
        """What a step makes smaller, a scalar."""
        return loss(self.fused(x), target)

    def penalty(self, progress: float) -> Tensor | float:
        """A price that is added to the objective while progress goes from 0 to 1."""
        return 0.0

    def twin(self, events: int) -> Twin:
        """What trains the network in steps of ``events`` events. One's own does all by itself that ``fused``,
        ``objective`` and ``penalty`` do."""
        return Autograd(self)

    def twin_on(self, device: str, events: int) -> Twin:
        """What trains it on a device: :meth:`twin`, which runs on the processor, or PyTorch's own differentiation."""
        return self.twin(events) if device == "cpu" else Autograd(self)

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    def input_quantisation(self, base: InputQuantisation) -> InputQuantisation:
        """The quantisation of the inputs, where it was learned, on the grid of ``base``."""
        return base

    def ebops(self) -> float | None:
        """Effective bit operations of the trained network where it learned them; None where its family knew before."""
        return None


class Autograd(Twin):
    """The twin of a network that has none of its own: PyTorch's automatic differentiation."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.parameters = list(network.parameters())
        self.prunable = [w.detach() for w in network.prunable]

    def gradients(self, x: Tensor, target: Tensors, loss: Loss, progress: float) -> float:
        """One step through ``objective`` and ``penalty``."""
        for parameter in self.parameters:
            parameter.grad = None
        value = self._network.objective(x, target, loss)
        total = value + self._network.penalty(progress)
        total.backward()
        return value.item()

    def finish(self) -> None:
        """The parameters are the network's own."""
