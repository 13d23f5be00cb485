"""Objectives by their names, in torch, and the sum of several heads."""

import numpy as np
import pytest
import torch

from codesign.core.errors import InputError, UnsupportedError
from codesign.tasks.heads import Head, LossObjective, require_heads
from codesign.training.objectives import HeadsLoss, loss_of

QUANTILES = LossObjective("quantile", quantiles=(0.16, 0.5, 0.84))


def test_the_pinball_loss_finds_the_quantiles():
    truth = torch.as_tensor(np.random.default_rng(1).gamma(2, 1.0, 1000), dtype=torch.float32)
    p = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([p], lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        loss_of(QUANTILES)(p.expand(len(truth), 3), truth).backward()
        optimiser.step()
    assert p.detach().numpy() == pytest.approx(np.quantile(truth.numpy(), [0.16, 0.5, 0.84]), abs=0.1)


def test_a_number_of_each_event_is_no_row_of_all():
    """A target (events,) beside outputs (events, 1) is compared event by event."""
    outputs, target = torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0])
    assert loss_of(LossObjective("squared"))(outputs, target).item() == 2.0
    with pytest.raises(InputError, match="3 inputs are to be reproduced, and this network has 1 outputs"):
        loss_of(LossObjective("reconstruction"))(outputs, torch.zeros(2, 3))
    with pytest.raises(UnsupportedError, match="'unheard of' has no function of torch"):
        loss_of(LossObjective("unheard of"))


def two(weight=1.0, other=1.0):
    return (
        Head("flavour", ("a", "b"), LossObjective("cross-entropy"), weight),
        Head("energy", ("low", "mid", "high"), QUANTILES, other),
    )


def test_heads_add_up_by_their_weights():
    rng = torch.Generator().manual_seed(1)
    outputs = torch.randn(50, 5, generator=rng, requires_grad=True)
    target = torch.arange(50) % 2, torch.randn(50, generator=rng)
    first, second = (
        loss_of(head.objective)(part, t)
        for head, part, t in zip(two(), outputs.split([2, 3], dim=1), target, strict=True)
    )
    assert HeadsLoss(two(0.5, 3.0))(outputs, target).item() == pytest.approx((0.5 * first + 3 * second).item())
    HeadsLoss(two(0.0))(outputs, target).backward()
    assert not outputs.grad[:, :2].any(), "a head without weight teaches nothing"
    assert outputs.grad[:, 2:].all()


def test_events_of_weight_two_are_there_twice_in_every_head():
    rng = torch.Generator().manual_seed(2)
    outputs, often = torch.randn(30, 5, generator=rng), torch.arange(30) % 3
    target = torch.arange(30) % 2, torch.randn(30, generator=rng)
    again = tuple(t.repeat_interleave(often) for t in target)
    loss = HeadsLoss(two(2.0))
    whole = loss(outputs.repeat_interleave(often, 0), again)
    assert loss(outputs, target, often.float()).item() == pytest.approx(whole.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LossObjective("quantile"), "'quantile' alone"),
        (lambda: LossObjective("squared", quantiles=(0.5,)), "'quantile' alone"),
        (lambda: LossObjective("quantile", quantiles=(0.5, 0.2)), "between 0 and 1, rising"),
        (lambda: LossObjective("own"), "it needs one"),
        (lambda: LossObjective("squared", torch.nn.functional.mse_loss), "is of the objective 'own'"),
        (lambda: Head("a b", ("y",), LossObjective("squared")), "no name of a head"),
        (lambda: Head("a", (), LossObjective("squared")), "no outputs"),
        (lambda: Head("a", ("y",), QUANTILES), "1 outputs of 3 quantiles"),
        (lambda: Head("a", ("y",), LossObjective("squared"), float("nan")), "the weight nan"),
        (lambda: require_heads(()), "heads are none"),
        (lambda: require_heads((*two(), *two())), "the heads are flavour, energy, flavour, energy"),
        (lambda: require_heads(two(0.0, 0.0)), "no head has a weight above 0"),
    ],
)
def test_heads_that_cannot_be_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
