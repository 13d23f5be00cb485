"""One network that tags and regresses: what its outputs are, and the loss of each head.

Outputs, in this order: a logit per flavour (where the study asks for them), the correction, and its 16 % and 84 %
quantiles, all of ln(reference pT / uncorrected pT): the corrected pT is the uncorrected one times the exponential.
CMS's unified taggers offer the same (NanoAOD's ``Jet_UParTAK4RegPtRawCorr`` and ``...RegPtRawRes``). Loss:
cross-entropy of the logits, log-cosh of the correction, pinball (Koenker, Bassett, Econometrica 46 (1978) 33) of the
quantiles, as CMS's regression of b jets has them (Comput. Softw. Big Sci. 4 (2020) 10).

What is best given the measured jet is not closed at a given reference pT: a regression draws to the middle what it
measures badly. So the correction's bias in cells of reference pT and |eta| is a loss of its own, as the binned
inversion is in a factorised correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.tasks.heads import Head, LossObjective

if TYPE_CHECKING:
    import torch

__all__ = (
    "CORRECTION",
    "ENERGY",
    "ENERGY_HEADS",
    "FLAVOUR",
    "QUANTILES",
    "TARGETS",
    "EnergyLoss",
    "HeadWeights",
    "Heads",
    "closure_loss",
    "flavour_loss",
    "heads_for",
    "heads_of",
)

#: names of the heads
FLAVOUR, ENERGY = "flavour", "energy"
#: the outputs of the regression; the quantiles' levels are those of one standard deviation
ENERGY_HEADS = ("correction", "correction_16", "correction_84")
CORRECTION = 0
QUANTILES = (0.16, 0.84)

#: what a sample holds of each jet for learning
TARGETS = ("log_correction",)

#: residuals are counted in this unit, about the resolution: below it log-cosh is quadratic, above it linear, so that
#: the correction is near the median; and all heads' losses are of order 1
SCALE = 0.1


class HeadWeights(BaseModel):
    """Weight of each head in the loss; the outputs of the flavours exist where theirs is above 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flavour: float = Field(default=0.0, ge=0, description="cross-entropy of the flavours")
    correction: float = Field(default=1.0, gt=0, description="log-cosh of the correction")
    quantiles: float = Field(default=0.5, ge=0, description="pinball loss of the 16 % and 84 % quantiles")
    closure: float = Field(default=10.0, ge=0, description="squared bias in bins of reference pT and eta")


class Heads(NamedTuple):
    """Scores taken apart: logits (events, flavours), None where there are none; (events,) each of the others."""

    logits: NDArray[np.float64] | None
    correction: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def heads_of(scores: NDArray[np.float64]) -> Heads:
    """Take scores (events, outputs) apart."""
    logits, energy = scores[:, : -len(ENERGY_HEADS)], scores[:, -len(ENERGY_HEADS) :]
    return Heads(logits if logits.shape[1] else None, energy[:, 0], energy[:, 1], energy[:, 2])


def heads_for(flavours: tuple[str, ...], chosen: HeadWeights) -> tuple[Head, ...]:
    """What the network learns: the flavours where they have a weight, and the energy."""
    energy = EnergyLoss(chosen.correction, chosen.quantiles, chosen.closure)
    heads = (Head(ENERGY, ENERGY_HEADS, LossObjective("own", energy, weighted=energy)),)
    if not chosen.flavour:
        return heads
    return (Head(FLAVOUR, flavours, LossObjective("own", flavour_loss), chosen.flavour), *heads)


def flavour_loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy; ``target``: (events, 2), the flavour's index and the jet's learning weight."""
    from torch.nn.functional import cross_entropy

    flavour, learning = target.unbind(1)
    return (learning * cross_entropy(outputs, flavour.long(), reduction="none")).mean()


@dataclass(frozen=True)
class EnergyLoss:
    """Log-cosh of the correction, pinball of its quantiles, and the squared bias, with a weight of each.

    ``target``: (events, 3): the correction's logarithm, the cell in which the jet's closure is judged, -1 where it is
    not, and the jet's learning weight. ``weights``: (events,), of the events.
    """

    correction: float
    quantiles: float
    closure: float

    def __call__(
        self, outputs: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The loss of a batch, a scalar."""
        import torch
        from torch.nn import functional

        truth, cell, learning = target.unbind(1)
        away = (outputs - truth[:, None]) / SCALE
        residual = away[:, CORRECTION]
        # log cosh x = |x| + log(1 + exp(-2 |x|)) - log 2, which does not overflow
        size = residual.abs()
        log_cosh = size + functional.softplus(-2 * size) - np.log(2)
        pinball = sum(
            torch.maximum(-level * away[:, 1 + i], (1 - level) * away[:, 1 + i]) for i, level in enumerate(QUANTILES)
        )
        each = self.correction * learning * log_cosh + self.quantiles * learning * pinball
        mean = each.mean() if weights is None else (weights * each).sum() / weights.sum().clamp_min(1e-12)
        # tanh, the slope of log cosh: the bias is that of what the correction minimises
        total: torch.Tensor = mean + self.closure * closure_loss(torch.tanh(residual), cell.long(), weights)
        return total


def closure_loss(bias: torch.Tensor, cell: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean square over cells of the mean of ``bias`` in each, (events,) all three; cells by the events they hold.

    Without the noise of the means: each square is the product of the means of two halves of the batch. It may so be
    negative, and its expectation is right.
    """
    import torch

    cells = max(int(cell.max()), 0) + 1
    half = (torch.arange(len(bias)) < len(bias) // 2).long()
    inside = cell >= 0
    place = (cell + cells * half)[inside]
    each = torch.ones(len(place), dtype=bias.dtype) if weights is None else weights[inside]
    number = torch.zeros(2 * cells, dtype=bias.dtype).index_add(0, place, each)
    total = torch.zeros(2 * cells, dtype=bias.dtype).index_add(0, place, each * bias[inside])
    least = torch.finfo(bias.dtype).tiny  # of a cell without events
    first, second = (total / number.clamp(min=least)).chunk(2)
    weight = torch.minimum(*number.chunk(2))
    return (weight * first * second).sum() / weight.sum().clamp(min=least)
