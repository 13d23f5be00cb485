"""The loss of a training whose output shall not know a quantity: that of the heads and a squared distance correlation.

Distance correlation: Szekely, Rizzo, Bakirov, Ann. Stat. 35 (2007) 2769; as a term of a loss (DisCo): Kasieczka, Shih,
Phys. Rev. Lett. 125 (2020) 122001.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from codesign.tasks.heads import Head
from codesign.training.network import Tensors
from codesign.training.nuisance import Decorrelation
from codesign.training.objectives import HeadsLoss

__all__ = ("DecorrelatedLoss", "distance_correlation")

#: events of a batch that the term is made of: its cost goes with their square
_MOST = 512


def distance_correlation(one: Tensor, other: Tensor, weights: Tensor | None = None) -> Tensor:
    """Squared distance correlation, 0 to 1, of two numbers (events,) of each event; 0 only where they are independent
    (as the number of events grows). ``weights``: (events,)."""
    each = torch.ones_like(one) if weights is None else weights
    each = each / each.sum().clamp_min(1e-12)
    a, b = _centred(one, each), _centred(other, each)
    pairs = each[:, None] * each[None, :]
    product = (a * b * pairs).sum()
    return product / ((a * a * pairs).sum() * (b * b * pairs).sum()).clamp_min(1e-20).sqrt()


def _centred(values: Tensor, each: Tensor) -> Tensor:
    """Distances of all pairs less the weighted means of rows and columns."""
    distances = (values[:, None] - values[None, :]).abs()
    rows = (distances * each[None, :]).sum(dim=1)
    return distances - rows[:, None] - rows[None, :] + (rows * each).sum()


class DecorrelatedLoss(HeadsLoss):
    """The heads' loss and the term. The last of the targets is :meth:`Decorrelation.beside`, (events, 2)."""

    def __init__(self, heads: Sequence[Head], wanted: Decorrelation) -> None:
        super().__init__(heads)
        self._strength = wanted.strength
        first = 0
        for head in heads:
            if wanted.output in head.outputs:
                self._columns = slice(first, first + len(head.outputs))
                self._place, self._classes = head.outputs.index(wanted.output), head.objective.name == "cross-entropy"
            first += len(head.outputs)

    def __call__(self, outputs: Tensor, target: Tensors, weights: Tensor | None = None) -> Tensor:
        """The loss of a batch, a scalar."""
        assert isinstance(target, tuple), "with what is beside the heads' targets"
        *own, beside = target
        usual = super().__call__(outputs, own[0] if len(own) == 1 else tuple(own), weights)
        some = torch.nonzero(beside[:, 1] > 0)[:_MOST, 0]
        if len(some) < 8:  # too few to say anything of
            return usual
        values = outputs[some, self._columns]
        values = values.softmax(dim=1) if self._classes and values.shape[1] > 1 else values
        chosen = None if weights is None else weights[some]
        term = distance_correlation(values[:, self._place], beside[some, 0].to(outputs.dtype), chosen)
        return usual + self._strength * term
