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

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = (
    "CORRECTION",
    "ENERGY_HEADS",
    "QUANTILES",
    "TARGETS",
    "Heads",
    "closure_loss",
    "heads_of",
    "joint_loss",
    "outputs_of",
)

#: the outputs of the regression; the quantiles' levels are those of one standard deviation
ENERGY_HEADS = ("correction", "correction_16", "correction_84")
CORRECTION = 0
QUANTILES = (0.16, 0.84)

#: what a sample holds of each jet for learning
TARGETS = ("log_correction",)

#: residuals are counted in this unit, about the resolution: below it log-cosh is quadratic, above it linear, so that
#: the correction is near the median; and all heads' losses are of order 1
SCALE = 0.1


class Heads(NamedTuple):
    """Scores taken apart: logits (events, flavours), None where there are none; (events,) each of the others."""

    logits: NDArray[np.float64] | None
    correction: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def outputs_of(flavours: tuple[str, ...], tagged: bool) -> tuple[str, ...]:
    """Names of the network's outputs."""
    return (*(flavours if tagged else ()), *ENERGY_HEADS)


def heads_of(scores: NDArray[np.float64]) -> Heads:
    """Take scores (events, outputs) apart."""
    logits, energy = scores[:, : -len(ENERGY_HEADS)], scores[:, -len(ENERGY_HEADS) :]
    return Heads(logits if logits.shape[1] else None, energy[:, 0], energy[:, 1], energy[:, 2])


def joint_loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Weighted sum of the heads' losses, a scalar.

    ``target``: (events, 7): the correction's logarithm, the jet's weight of each head (flavours, correction, quantiles,
    closure), the flavour's index and the cell in which the jet's closure is judged, -1 where it is not. A weight may be
    0.
    """
    import torch
    from torch.nn import functional

    energy = outputs[:, -len(ENERGY_HEADS) :]
    truth, by_flavour, by_correction, by_quantiles, by_closure, flavour, cell = target.unbind(1)
    away = (energy - truth[:, None]) / SCALE
    residual = away[:, CORRECTION]
    # log cosh x = |x| + log(1 + exp(-2 |x|)) - log 2, which does not overflow
    size = residual.abs()
    log_cosh = size + functional.softplus(-2 * size) - np.log(2)
    pinball = sum(
        torch.maximum(-level * away[:, 1 + i], (1 - level) * away[:, 1 + i]) for i, level in enumerate(QUANTILES)
    )
    total = (by_correction * log_cosh + by_quantiles * pinball).mean()
    # tanh, the slope of log cosh: the bias is that of what the correction minimises
    total = total + by_closure.mean() * closure_loss(torch.tanh(residual), cell.long())
    if outputs.shape[1] > len(ENERGY_HEADS):
        entropy = functional.cross_entropy(outputs[:, : -len(ENERGY_HEADS)], flavour.long(), reduction="none")
        total = total + (by_flavour * entropy).mean()
    return total  # type: ignore[no-any-return]


def closure_loss(bias: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
    """Mean square over cells of the mean of ``bias`` in each, (events,) both; cells by the events they hold.

    Without the noise of the means: each square is the product of the means of two halves of the batch. It may so be
    negative, and its expectation is right.
    """
    import torch

    cells = max(int(cell.max()), 0) + 1
    half = (torch.arange(len(bias)) < len(bias) // 2).long()
    inside = cell >= 0
    place = (cell + cells * half)[inside]
    ones = torch.ones(len(place), dtype=bias.dtype)
    number = torch.zeros(2 * cells, dtype=bias.dtype).index_add(0, place, ones)
    total = torch.zeros(2 * cells, dtype=bias.dtype).index_add(0, place, bias[inside])
    first, second = (total / number.clamp(min=1)).chunk(2)
    weight = torch.minimum(*number.chunk(2))
    return (weight * first * second).sum() / weight.sum().clamp(min=1)
