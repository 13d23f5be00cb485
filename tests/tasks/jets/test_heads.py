"""The loss of each head is minimal where it should be, and weights switch heads off."""

import numpy as np
import pytest
import torch

from codesign.tasks.jets.heads import closure_loss, heads_of, joint_loss, outputs_of


def _target(truth, flavour=0.0, correction=1.0, quantiles=1.0, closure=0.0, label=0, cell=-1):
    n = len(truth)
    columns = [torch.as_tensor(truth, dtype=torch.float32)]
    columns += [
        torch.as_tensor(v, dtype=torch.float32).expand(n)
        for v in (flavour, correction, quantiles, closure, label, cell)
    ]
    return torch.stack(columns, dim=1)


def test_the_quantile_heads_learn_the_quantiles():
    truth = np.random.default_rng(1).gamma(2, 0.1, 4_000)
    p = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([p], lr=0.01)
    for _ in range(500):
        optimiser.zero_grad()
        joint_loss(p.expand(len(truth), 3), _target(truth)).backward()
        optimiser.step()
    low, high = np.quantile(truth, [0.16, 0.84])
    assert p[1].item() == pytest.approx(low, abs=0.01)
    assert p[2].item() == pytest.approx(high, abs=0.01)
    assert np.median(truth) - 0.01 < p[0].item() < truth.mean() + 0.01


def test_a_head_without_weight_gets_no_gradient():
    outputs = torch.randn(50, 7, requires_grad=True)
    joint_loss(outputs, _target(np.zeros(50), flavour=0, quantiles=0)).backward()
    assert outputs.grad[:, 4].abs().sum() > 0
    assert outputs.grad[:, [0, 1, 2, 3, 5, 6]].abs().sum() == 0


def test_the_flavours_head_is_cross_entropy():
    outputs = torch.randn(50, 7)
    target = _target(np.zeros(50), flavour=2, correction=0, quantiles=0, label=3)
    expected = 2 * torch.nn.functional.cross_entropy(outputs[:, :4], torch.full((50,), 3))
    assert joint_loss(outputs, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_far_away_targets_do_not_overflow():
    outputs = torch.zeros(2, 3, requires_grad=True)
    loss = joint_loss(outputs, _target([1e4, -1e4]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(outputs.grad).all()


def test_outputs_and_their_parts():
    names = outputs_of(("a", "b"), tagged=True)
    assert names == ("a", "b", "correction", "correction_16", "correction_84")
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
            joint_loss(outputs, _target(truth, quantiles=0, closure=closure, cell=cell)).backward()
            optimiser.step()
        slopes.append(p.item())
    assert slopes[0] == pytest.approx(0.5, abs=0.05)  # what is measured as badly as it varies is halved
    assert slopes[1] > 0.9
