"""What a study may make smaller in the place of a task's own objective: losses by name, shipped or of a package."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from codesign.core import plugins
from codesign.core.errors import UnsupportedError
from codesign.core.plugins import PlugIn
from codesign.tasks.heads import Head, LossObjective

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ("Absolute", "BinaryCrossEntropy", "Focal", "Huber", "LabelSmoothing", "Loss", "with_loss")


class Loss(PlugIn):
    """A loss for networks of torch, installed as an entry point of ``codesign.losses``."""

    kind = "losses"
    name: str
    #: names of the objectives that it can stand for, whose targets it is given: see
    #: :class:`codesign.tasks.heads.LossObjective`
    instead_of: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The mean over a batch's events, a scalar, of outputs (events, m) and the objective's target."""


class Focal(Loss):
    """Cross-entropy in which an event counts by (1 - p)^2, p the chance of its class: hard ones more (arXiv
    1708.02002)."""

    name = "focal"
    instead_of = ("cross-entropy",)

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Of logits and classes."""
        chance = outputs.log_softmax(dim=1).gather(1, target[:, None])[:, 0]
        return (-((1 - chance.exp()) ** 2) * chance).mean()


class LabelSmoothing(Loss):
    """Cross-entropy in which the other classes share a tenth (arXiv 1512.00567): scores grow less."""

    name = "label-smoothing"
    instead_of = ("cross-entropy",)

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Of logits and classes."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, target, label_smoothing=0.1)


class BinaryCrossEntropy(Loss):
    """Cross-entropy of a score that is a logit, where the target is 0 or 1."""

    name = "binary-cross-entropy"
    instead_of = ("squared",)

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Of logits and shares between 0 and 1."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs, target.reshape(outputs.shape).clamp(0, 1))


class Huber(Loss):
    """Squared up to a distance of 1, linear beyond: outliers count less."""

    name = "huber"
    instead_of = ("squared",)

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Of numbers."""
        from torch.nn.functional import huber_loss

        return huber_loss(outputs, target.reshape(outputs.shape))


class Absolute(Loss):
    """The distance itself: the median is learned, not the mean."""

    name = "absolute"
    instead_of = ("squared",)

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Of numbers."""
        return (outputs - target.reshape(outputs.shape)).abs().mean()


def with_loss(heads: Iterable[Head], name: str) -> tuple[Head, ...]:
    """The heads with the loss of this name in the place of the objectives that it can stand for; none: as they are.

    InputError for an unknown name, UnsupportedError where it can stand for none of the heads'.
    """
    own = tuple(heads)
    if not name:
        return own
    loss = plugins.load(Loss, name)
    found = tuple(
        replace(h, objective=LossObjective("own", loss)) if h.objective.name in loss.instead_of else h for h in own
    )
    if found == own:
        has = ", ".join(f"{head.name} ({head.objective.name})" for head in own)
        raise UnsupportedError(
            f"training.loss: '{name}' stands for the objective {' or '.join(loss.instead_of)}, and the task's are "
            f"{has}: leave it out, or choose another"
        )
    return found
