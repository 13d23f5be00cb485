"""Weights of events are in the loss: what weighs nothing teaches nothing, what weighs double counts as two."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from codesign.core.errors import UnsupportedError
from codesign.families.autoencoder.family import VAE
from codesign.families.mlp.family import MLP
from codesign.tasks.heads import LossObjective
from codesign.training.lesson import Fold, Subject
from codesign.training.loop import train
from codesign.training.objectives import WeightedLoss

CONFIG = {"widths": [6], "weight_bits": [4, 4], "activation_bits": [4], "input_bits": 6}


def trained(x, y, weights=None, loss=cross_entropy, **more):
    torch.manual_seed(1)
    network = MLP().build(MLP().read(CONFIG, "test"), Subject.of_sizes(4, 2))
    how = {"epochs": 3, "batch": 50, "learning_rate": 0.02, "sparsity": 0.3, "seed": 2} | more
    train(network, x, y, loss, weights=weights, **how)
    return network


def events(seed=0, number=400):
    rng = np.random.default_rng(seed)
    x = rng.integers(-32, 32, (number, 4)) / 8
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def test_the_weighted_loss_is_that_of_events_taken_so_often():
    rng = torch.Generator().manual_seed(0)
    outputs, classes = torch.randn(6, 3, generator=rng), torch.tensor([0, 1, 2, 0, 1, 2])
    often = torch.tensor([1, 2, 0, 3, 1, 1])
    for loss, target in ((cross_entropy, classes), (mse_loss, torch.randn(6, 3, generator=rng))):
        outputs.grad = None
        leaf, again = (outputs.clone().requires_grad_() for _ in range(2))
        weighted = WeightedLoss(loss)(leaf, target, often.float())
        whole = loss(again.repeat_interleave(often, 0), target.repeat_interleave(often, 0))
        assert torch.allclose(weighted, whole)
        weighted.backward()
        whole.backward()
        assert torch.allclose(leaf.grad, again.grad, atol=1e-6)


def test_what_weighs_nothing_teaches_nothing():
    """Half of the events have wrong labels and no weight; without the weights nothing is learned."""
    x, y = events(number=800)
    wrong = np.arange(len(y)) % 2 == 0
    weights = np.where(wrong, 0.0, 1.0)
    flipped = np.where(wrong, 1 - y, y)

    def right(network):
        with torch.no_grad():
            scores = network(torch.as_tensor(x, dtype=torch.float32))
        return float((scores.argmax(dim=1).numpy() == y).mean())

    assert right(trained(x, flipped, weights, epochs=12)) > 0.9
    assert right(trained(x, flipped, epochs=12)) < 0.8


def test_equal_weights_change_nothing_but_rounding():
    x, y = events()
    one, other = (trained(x, y, weights).state_dict() for weights in (None, np.full(400, 2.0)))
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], atol=0.05), name


def test_a_loss_of_the_whole_batch_cannot_be_weighted():
    x, y = events()
    with pytest.raises(UnsupportedError, match="no mean over the events"):
        trained(
            x, y, np.ones(400), lambda scores, target: cross_entropy(scores, target) + scores.mean(0).square().sum()
        )
    with pytest.raises(UnsupportedError, match="event by event"):
        trained(x, y, np.ones(400), lambda scores, target: mse_loss(scores, scores * float(target.sum())))


def test_families_say_what_they_cannot_weigh():
    subject = Subject.of_sizes(1, 1, LossObjective("reconstruction"))
    weighted = replace(subject, weighted=True)
    assert "no weights of events" in VAE().can(weighted)
    assert VAE().can(subject) is None
    assert "one output" in VAE().can(Subject.of_sizes(1, 2))
    assert MLP().can(weighted) is None
    assert "do not reproduce 3 inputs" in MLP().can(Subject.of_sizes(3, 1, LossObjective("reconstruction")))


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(4), np.zeros(4), np.array([1, 1, np.nan, 1])])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        Fold(np.zeros((4, 2)), {"y": np.zeros(4, np.int64)}, weights)
