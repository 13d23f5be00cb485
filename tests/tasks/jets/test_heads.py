"""The loss of each head is minimal where it should be, and weights switch heads off."""

import numpy as np
import pytest
import torch

from codesign.tasks.jets.jet_heads import EnergyLoss, HeadWeights, closure_loss, flavour_loss, heads_for, heads_of


def target(truth, cell=-1, learning=1.0):
    """Of the energy: truth, cell of closure, learning weight."""
    columns = [torch.as_tensor(v, dtype=torch.float32).expand(len(truth)) for v in (truth, cell, learning)]
    return torch.stack(columns, dim=1)


def test_the_quantile_heads_learn_the_quantiles():
    truth = np.random.default_rng(1).gamma(2, 0.1, 4_000)
    p = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([p], lr=0.01)
    for _ in range(500):
        optimiser.zero_grad()
        EnergyLoss(1.0, 1.0, 0.0)(p.expand(len(truth), 3), target(truth)).backward()
        optimiser.step()
    low, high = np.quantile(truth, [0.16, 0.84])
    assert p[1].item() == pytest.approx(low, abs=0.01)
    assert p[2].item() == pytest.approx(high, abs=0.01)
    assert np.median(truth) - 0.01 < p[0].item() < truth.mean() + 0.01


def test_what_has_no_weight_gets_no_gradient():
    outputs = torch.randn(50, 3, requires_grad=True)
    EnergyLoss(1.0, 0.0, 0.0)(outputs, target(np.zeros(50))).backward()
    assert outputs.grad[:, 0].abs().sum() > 0
    assert outputs.grad[:, 1:].abs().sum() == 0


def test_the_flavours_head_is_cross_entropy_of_as_many_of_each():
    outputs, flavour = torch.randn(50, 4), torch.full((50,), 3)
    learning = torch.rand(50)
    found = flavour_loss(outputs, torch.stack([flavour.float(), learning], dim=1))
    each = torch.nn.functional.cross_entropy(outputs, flavour, reduction="none")
    assert found.item() == pytest.approx(float((learning * each).mean()), rel=1e-5)


def test_events_of_weight_two_are_there_twice():
    rng = np.random.default_rng(3)
    outputs = torch.as_tensor(rng.normal(size=(200, 3)), dtype=torch.float32)
    truth, cell, often = rng.normal(0, 0.1, 200), rng.integers(-1, 4, 200), torch.as_tensor(rng.integers(0, 4, 200))
    # halves of a batch are by place: closure of one cell in each half is the same
    loss, wanted = EnergyLoss(1.0, 0.5, 0.0), target(truth, cell)
    weighted = loss(outputs, wanted, often.float())
    repeated = loss(outputs.repeat_interleave(often, 0), wanted.repeat_interleave(often, 0))
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-5)
    bias, cells = torch.tanh(outputs[:, 0]), torch.as_tensor(cell)
    halves = [torch.where(torch.arange(200) // 100 == half, 2.0, 2.0) for half in (0, 1)]
    assert closure_loss(bias, cells, halves[0]).item() == pytest.approx(closure_loss(bias, cells).item(), rel=1e-5)


def test_far_away_targets_do_not_overflow():
    outputs = torch.zeros(2, 3, requires_grad=True)
    loss = EnergyLoss(1.0, 1.0, 0.0)(outputs, target([1e4, -1e4]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(outputs.grad).all()


def test_outputs_and_their_parts():
    flavours, energy = heads_for(("a", "b"), HeadWeights(flavour=5.0))
    assert (flavours.outputs, flavours.weight) == (("a", "b"), 5.0)
    assert (energy.outputs, energy.weight) == (("correction", "correction_16", "correction_84"), 1.0)
    assert heads_for(("a", "b"), HeadWeights()) == (energy,)
    scores = np.arange(10.0).reshape(2, 5)
    parts = heads_of(scores)
    assert parts.logits.tolist() == [[0, 1], [5, 6]]
    assert parts.correction.tolist() == [2, 7]
    assert heads_of(scores[:, 2:]).logits is None


def test_the_closure_loss_is_the_squared_bias_without_its_noise():
    rng = np.random.default_rng(1)
    cells = torch.as_tensor(rng.integers(-1, 4, (2000, 64)))
    biases = torch.tensor([0.1, -0.2, 0.0, 0.3, 9.0])  # the last is that of cell -1, which does not count
    values = torch.as_tensor(rng.normal(0, 0.5, cells.shape), dtype=torch.float32) + biases[cells]
    found = torch.stack([closure_loss(v, c) for v, c in zip(values, cells, strict=True)])
    error = found.std().item() / np.sqrt(len(found))
    assert found.mean().item() == pytest.approx(float((biases[:4] ** 2).mean()), abs=4 * error)
    assert closure_loss(values[0], torch.full((64,), -1)).item() == 0


def test_closure_is_bought_where_a_regression_would_draw_to_the_middle():
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 0.1, 5_000)
    x = torch.as_tensor(truth + rng.normal(0, 0.1, len(truth)), dtype=torch.float32)
    cell = np.clip(np.floor(truth / 0.1) + 2, 0, 3)
    slopes = []
    for closure in (0.0, 100.0):
        p = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.Adam([p], lr=0.02)
        for _ in range(200):
            optimiser.zero_grad()
            outputs = torch.stack([p * x, torch.zeros_like(x), torch.zeros_like(x)], dim=1)
            EnergyLoss(1.0, 0.0, closure)(outputs, target(truth, cell)).backward()
            optimiser.step()
        slopes.append(p.item())
    assert slopes[0] == pytest.approx(0.5, abs=0.05)  # what is measured as badly as it varies is halved
    assert slopes[1] > 0.9
