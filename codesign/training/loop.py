"""Train a quantised network on the training split, deterministically for a seed: the one loop of every torch family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.core.errors import InputError
from codesign.tasks.heads import TorchLoss
from codesign.training.batches import Events, Truths, Values, first_events, match_events
from codesign.training.coded import Coded
from codesign.training.early_stop import EarlyStop
from codesign.training.lesson import Progress, StepSettings, part_of, quiet
from codesign.training.network import Network, Tensors, Twin
from codesign.training.objectives import HeadsLoss
from codesign.training.optimisers import optimiser_of, rate_of

__all__ = ("Course", "History", "Scheduled", "run_course", "train")

_STEPS = StepSettings()
#: share of the epochs after which pruning has reached its final sparsity; the rest recovers from it
_PRUNED_BY = 0.6


@dataclass
class History:
    """Mean training loss of each epoch, and the share of weights that pruning set to zero."""

    loss: list[float] = field(default_factory=list)
    sparsity: float = 0.0


class Course(ABC):
    """How a training goes on: what moves the parameters, and what is done around its steps and epochs.

    A course has a length, in ``epochs``; pruning, a price that rises, and what is kept of a training on its way are
    parts of a course.
    """

    def __init__(self, epochs: int, learning_rate: float) -> None:
        self.epochs, self.learning_rate = epochs, learning_rate

    @abstractmethod
    def begin(self, twin: Twin, steps: int) -> torch.optim.Optimizer:
        """The optimiser of the twin's parameters; ``steps`` are those of an epoch."""

    @abstractmethod
    def progress(self, epoch: int, step: int) -> float:
        """How far the training is, 0 to 1, at a step: what a price goes by."""

    def before(self, epoch: int) -> None:  # noqa: B027 - nothing to do is the default
        """Called before each epoch."""

    def stepped(self) -> None:  # noqa: B027
        """Called after each step of the optimiser."""

    def after(self, epoch: int) -> None:  # noqa: B027
        """Called after each epoch."""

    @property
    def ended(self) -> bool:
        """Whether it ends before its last epoch."""
        return False


class Scheduled(Course):
    """An optimiser with a learning rate by the step; weights are pruned by magnitude, layer by layer, to ``sparsity``,
    along the cubic schedule of Zhu and Gupta (arXiv 1710.01878), and decay apart from the gradient (arXiv 1711.05101).

    ``stop`` looks at the validation events once nothing more is pruned, and may end it before.
    """

    def __init__(
        self, epochs: int, learning_rate: float, sparsity: float = 0.0, how: StepSettings = _STEPS,
        stop: EarlyStop | None = None,
    ) -> None:  # fmt: skip
        super().__init__(epochs, learning_rate)
        self._sparsity, self._how, self._stop = sparsity, how, stop
        self._masks: list[Tensor] = []

    def begin(self, twin: Twin, steps: int) -> torch.optim.Optimizer:
        """The optimiser, its rate by the step."""
        self._twin, self._weights, self._steps = twin, twin.prunable, steps
        self._optimiser = optimiser_of(self._how, twin.parameters, self.learning_rate)
        self._rate = rate_of(self._how, self._optimiser, self.learning_rate, self.epochs * steps)
        return self._optimiser

    def progress(self, epoch: int, step: int) -> float:
        """By the steps."""
        return (epoch * self._steps + step) / (self.epochs * self._steps)

    def before(self, epoch: int) -> None:
        """Choose which weights are pruned, until the sparsity is reached."""
        last = self._pruned_by
        if self._sparsity > 0 and epoch <= last:
            progress = min(1.0, epoch / max(1, last))
            self._masks = [_largest(w, self._sparsity * (1 - (1 - progress) ** 3)) for w in self._weights]

    @property
    def _pruned_by(self) -> int:
        return round(_PRUNED_BY * self.epochs)

    def stepped(self) -> None:
        """Set the next rate, let weights decay, and set to zero again what is pruned."""
        if self._how.weight_decay:
            rate = float(self._optimiser.param_groups[0]["lr"])
            with torch.no_grad():
                torch._foreach_mul_(self._weights, 1 - rate * self._how.weight_decay)
        self._rate.step()
        if self._masks:
            with torch.no_grad():
                torch._foreach_mul_(self._weights, self._masks)

    def after(self, epoch: int) -> None:
        """Look at the validation events, once nothing more is pruned."""
        if self._stop is not None and (not self._sparsity or epoch >= self._pruned_by):
            self._stop.look(self._twin)

    @property
    def ended(self) -> bool:
        """Whether the validation events see nothing better."""
        return self._stop is not None and self._stop.ended


def run_course(
    twin: Twin, events: Events, loss: HeadsLoss, course: Course, batch: int, generator: torch.Generator,
    progress: Progress = quiet,
) -> list[float]:  # fmt: skip
    """Go through a course, in steps of ``batch`` events in random order; the mean loss of each epoch."""
    targets, weights = events.targets, events.weights
    steps, remembered = len(events) // batch, events.remembered(batch)
    optimiser = course.begin(twin, steps)
    losses = []
    for epoch in range(course.epochs):
        course.before(epoch)
        order = torch.randperm(len(events), generator=generator).to(events.kept.device)
        total = 0.0
        for step in range(steps):
            index = order[step * batch : (step + 1) * batch]
            values, target = events.values(index), _taken(targets, index)
            own = loss if weights is None else partial(loss, weights=weights.index_select(0, index))
            total += twin.gradients(values, target, own, course.progress(epoch, step))
            optimiser.step()
            course.stepped()
            if step % remembered == remembered - 1:
                events.forget()
        course.after(epoch)
        losses.append(total / steps)
        progress(epoch + 1, course.epochs)
        if course.ended:
            break
    return losses


def _taken(values: Tensors, index: Tensor) -> Tensors:
    """The targets of these events."""
    if isinstance(values, tuple):
        return tuple(each.index_select(0, index) for each in values)
    return values.index_select(0, index)


def train(
    network: Network,
    x: NDArray[np.float64] | Coded,
    y: Truths,
    loss: HeadsLoss | TorchLoss,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    sparsity: float,
    seed: int,
    weights: NDArray[np.float64] | None = None,
    device: str = "cpu",
    progress: Progress = quiet,
    how: StepSettings = _STEPS,
    patience: int | None = None,
    validation: tuple[Values | Coded, Truths, Values | None] | None = None,
) -> History:
    """Train ``network`` in place through its fused twin, then fold it for export.

    ``x``: (events, n) values on the input grid, or their codes; ``y``: (events,) or (events, targets), of several heads
    one for each; ``loss``: theirs, or a function of the outputs and ``y``; ``weights``: (events,), of the loss. Each of
    the network's phases is a course of its own, :class:`Scheduled`, moved by ``how``. With ``patience`` the last ends
    after so many epochs without a smaller loss of the ``validation`` events (inputs, targets, weights), and its best
    network is taken. Each step is the network's own ``twin``'s, on the processor; on another ``device`` it goes through
    PyTorch's automatic differentiation. Afterwards the network is on the processor. InputError for what is no
    :class:`~codesign.training.network.Network`. Uses whatever number of torch threads the process has set: one per
    worker is the fastest.
    """
    if not isinstance(network, Network):
        raise InputError(
            f"the network {type(network).__name__} cannot be trained: derive it from codesign.training.network.Network"
        )
    torch.manual_seed(seed)
    total = loss if isinstance(loss, HeadsLoss) else HeadsLoss.of_function(loss)
    events = Events.of(x, y, weights, device)
    network.to(device)
    generator = torch.Generator().manual_seed(seed)
    match_events(network, events)
    network.calibrate(first_events(events, generator))
    batch = max(1, min(batch, len(events)))
    history, phases = History(), network.phases()
    ends = np.rint(epochs * np.cumsum([p.share for p in phases]) / sum(p.share for p in phases)).astype(int).tolist()
    network.train()
    for phase, begin, end in zip(phases, [0, *ends], ends, strict=False):
        network.enter(phase)
        twin = network.twin_on(device, batch)
        prepared = events
        if type(twin).prepared is not Twin.prepared:
            prepared = Events(*twin.prepared(events.inputs, events.targets), events.weights)
        last = phase is phases[-1]
        stop = None
        if last and patience is not None and validation is not None:
            held = Events.of(validation[0], validation[1], validation[2], device)
            stop = EarlyStop(network, total, patience, held)
        course = Scheduled(end - begin, learning_rate, sparsity if last else 0.0, how, stop)
        told = part_of(progress, begin, epochs)
        history.loss += run_course(twin, prepared, total, course, batch, generator, told)
        if stop is not None:
            stop.restore(twin)
        pruned = twin.prunable
        history.sparsity = float(sum((w == 0).sum() for w in pruned) / sum(w.numel() for w in pruned))
        twin.finish()
    network.eval()
    if type(network).settle is not Network.settle:
        network.settle(events.inputs)
    network.to("cpu").fold()
    return history


def _largest(weight: Tensor, sparsity: float) -> Tensor:
    """Mask (1 or 0) that keeps the largest share ``1 - sparsity`` of the weights by magnitude."""
    drop = int(sparsity * weight.numel())
    if drop == 0:
        return torch.ones_like(weight)
    threshold = weight.abs().flatten().kthvalue(drop).values
    return (weight.abs() > threshold).to(weight.dtype)
