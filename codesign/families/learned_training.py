"""A training of learned precision, of any family's network: the price rises, the best networks on the way are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from codesign.families.torch_trained import ExportedNetwork, truths_of
from codesign.graph.cost import graph_cost
from codesign.training.batches import Events, first_events, match_events
from codesign.training.budget_front import BudgetFront, Checkpoint, PassedNetwork, PriceClimb, quality
from codesign.training.devices import device_named
from codesign.training.float_start import begin_floating
from codesign.training.layered_network import LayeredNetwork
from codesign.training.learned_precision import parameters_of_bits
from codesign.training.lesson import Budget, Lesson, Progress, part_of
from codesign.training.loop import run_course
from codesign.training.network import Autograd, Network
from codesign.training.objectives import HeadsLoss

__all__ = ("LearnedNetwork", "front_of", "open_network")

#: networks that are kept of one training
_KEPT = 24
#: share of the epochs before the price rises
_WARM = 0.1


class LearnedNetwork(ExportedNetwork):
    """A network of learned precision: its bit operations are those of its graph."""

    def cost(self) -> float:
        """Effective bit operations, counted in the exported graph."""
        return graph_cost(self.design()).bit_operations


def open_network(network: Network, state: Mapping[str, Tensor]) -> Network:
    """The folded network with these parameters."""
    network.load_state_dict(state)
    network.folded = True
    return network.eval()


def front_of(
    build: Callable[[], Network], lesson: Lesson, budget: Budget, seed: int, device: str, progress: Progress,
    float_share: float = 0.0,
) -> list[Checkpoint]:  # fmt: skip
    """Train and return the front by rising bit operations, as counted in the graphs; networks folded.

    A share ``float_share`` of the epochs comes first, in floating point. For a tenth of the others the price stays low,
    then it rises logarithmically. The network of each of these epochs is judged on the validation events.
    Deterministic for a seed and one torch thread.
    """
    heads, train, held = lesson.subject.heads, lesson.train, lesson.validation
    loss, wanted = HeadsLoss(heads), truths_of(held, heads)
    place = device_named(device)
    events = Events.of(train.inputs, truths_of(train, heads), train.weights, place)
    validation = Events.of(held.inputs, wanted, device=place)
    score = quality(loss, wanted, held.weights)
    torch.manual_seed(seed)
    network, front = build(), BudgetFront()
    precision, generator = network.precision, torch.Generator().manual_seed(seed)
    assert precision is not None
    network.to(place)
    match_events(network, events)
    size, floating = max(1, min(budget.batch, len(events))), round(float_share * budget.epochs)
    if floating and isinstance(network, LayeredNetwork):
        first = part_of(progress, 0, budget.epochs)
        begin_floating(network, events, loss, floating, budget.learning_rate, size, generator, first)
    precision.calibrate(network, first_events(events, generator))

    def visit(epoch: int) -> None:
        with torch.no_grad():
            cost = precision.work()
            scores = torch.cat([network.fused(x) for x in validation.pieces()])
            # pruned to nothing: no firmware can be made of it
            if cost > 0 and not bool((scores == scores[:1]).all()):
                found = score(scores, validation.targets)
                if front.offers(cost, found):
                    front.add(cost, found, epoch, [t.detach().cpu().clone() for t in network.state_dict().values()])

    network.train()
    course = PriceClimb(budget.epochs - floating, budget.learning_rate, _WARM, parameters_of_bits(network), visit)
    run_course(Autograd(network), events, loss, course, size, generator, part_of(progress, floating, budget.epochs))
    names = network.state_dict().keys()
    found = [
        _checkpoint(build(), dict(zip(names, point.parameters, strict=True)), point, lesson, events)
        for point in front.thinned(_KEPT)
    ]
    return _drop_dominated(found)


def _drop_dominated(found: list[Checkpoint]) -> list[Checkpoint]:
    """By rising bit operations, each better than all before; what the price counted and a graph counts differ."""
    kept: list[Checkpoint] = []
    for one in sorted(found, key=lambda c: (c.ebops, -c.score)):
        if one.ebops > 0 and (not kept or one.score > kept[-1].score):
            kept.append(one)
    return kept


def _checkpoint(
    network: Network, state: Mapping[str, Tensor], point: PassedNetwork, lesson: Lesson, events: Events
) -> Checkpoint:
    network.load_state_dict(state)
    network.eval()
    assert network.precision is not None
    network.precision.settle(network, (some.cpu() for some in events.pieces()))
    network.precision.freeze()
    network.fold()
    return Checkpoint(network, LearnedNetwork.of(network, lesson).cost(), point.score, point.epoch)
