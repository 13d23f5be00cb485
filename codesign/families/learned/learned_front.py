"""One training that walks along a front: the price of a bit operation rises, the best networks on the way are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_fused import learned_forward
from codesign.families.learned.network import LearnedMLP, LearnedTwin
from codesign.tasks.heads import TorchLoss
from codesign.training.batches import Events, Truths, Values, first_events
from codesign.training.budget_front import (
    NEXT_SEED,
    BudgetFront,
    Checkpoint,
    PassedNetwork,
    PriceClimb,
    Score,
    accuracy,
    quality,
)
from codesign.training.devices import device_named
from codesign.training.learned_precision import parameters_of_bits
from codesign.training.lesson import Progress, quiet
from codesign.training.loop import run_course
from codesign.training.network import Twin
from codesign.training.objectives import HeadsLoss

__all__ = ("BudgetFront", "Checkpoint", "accuracy", "checkpoints", "quality")


def checkpoints(
    config: LearnedMLPConfig,
    x_train: Values,
    y_train: Truths,
    x_val: Values,
    y_val: Truths,
    loss: HeadsLoss | TorchLoss,
    *,
    outputs: int,
    epochs: int,
    batch: int = 1024,
    learning_rate: float = 1e-2,
    seed: int = 0,
    score: Score = accuracy,
    limit: int = 32,
    warm: float = 0.1,
    starts: int = 1,
    prepare: Callable[[LearnedMLP], None] | None = None,
    weights: NDArray[np.float64] | None = None,
    progress: Progress = quiet,
    device: str = "cpu",
) -> list[Checkpoint]:
    """Train and return the front, by rising EBOPs: at most ``limit`` networks, non-dominated on validation.

    ``x_*``: (events, n) values on the base grid of the inputs (``config.input_bits``); ``y_*``: (events,) or (events,
    targets), of several heads one for each; ``loss``: theirs, or a function of the outputs and ``y_*``. For the share
    ``warm`` of the epochs beta stays at ``beta_low``, then it rises logarithmically to ``beta_high`` (HGQ, arXiv
    2405.00645). The network of each epoch is judged on the validation events. With several ``starts`` the epochs are
    shared out among as many trainings from other weights, and their fronts are one: what was pruned early, by chance,
    does not come back. ``prepare`` may set the weights that a start begins with; its ranges are fitted after that.
    ``weights``: (events,), of the loss of the training events; those of the validation events are ``score``'s.
    On another ``device`` each step goes through PyTorch's automatic differentiation. Deterministic for a seed and one
    torch thread.
    """
    place = device_named(device)
    total = loss if isinstance(loss, HeadsLoss) else HeadsLoss.of_function(loss)
    events, validation = Events.of(x_train, y_train, weights, place), Events.of(x_val, y_val, device=place)
    front = BudgetFront()

    def visit(network: LearnedMLP, first: int, twin: Twin, epoch: int) -> None:
        with torch.no_grad():
            if isinstance(twin, LearnedTwin):
                flat = twin.flat
                scores, ebops = learned_forward(validation.inputs, flat, network.layout)
                cost = float(ebops)
            else:
                flat, scores = network.flat_parameters(), network.fused(validation.inputs)
                cost = float(network.priced())
            quality = score(scores, validation.targets)
            constant = bool((scores == scores[:1]).all())  # pruned to nothing: no firmware can be made of it
            if not constant and front.offers(cost, quality):
                front.add(cost, quality, first + epoch, [p.detach().cpu().clone() for p in flat])

    for start in range(starts):
        first, share = epochs * start // starts, epochs * (start + 1) // starts - epochs * start // starts
        torch.manual_seed(seed + NEXT_SEED * start)
        network = LearnedMLP(config, events.inputs.shape[1], outputs)
        generator = torch.Generator().manual_seed(seed + NEXT_SEED * start)
        if prepare is not None:
            prepare(network)
        network.to(place)
        network.calibrate(first_events(events, generator))
        size = min(batch, len(events))
        twin = network.twin_on(place, size)
        bits = twin.parameters[1:] if isinstance(twin, LearnedTwin) else parameters_of_bits(network)
        course = PriceClimb(share, learning_rate, warm, bits, partial(visit, network, first, twin))
        run_course(twin, events, total, course, size, generator, progress)
    sizes = (events.inputs.shape[1], *config.widths, outputs)
    found = [_checkpoint(config, point, sizes, events.inputs) for point in front.thinned(limit)]
    return [c for c in found if c.ebops > 0]


def _checkpoint(
    config: LearnedMLPConfig, point: PassedNetwork, sizes: tuple[int, ...], inputs: torch.Tensor
) -> Checkpoint:
    network = LearnedMLP(config, sizes[0], sizes[-1])
    network.set_flat_parameters(point.parameters)
    network.eval()
    network.settle(inputs.cpu())
    network.fold()
    return Checkpoint(network, network.ebops(), point.score, point.epoch)
