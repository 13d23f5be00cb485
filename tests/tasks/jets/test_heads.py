"""The loss of each head is minimal where it should be, and weights switch heads off."""

import numpy as np
import pytest
import torch

from codesign.tasks.jets.heads import heads_of, joint_loss, outputs_of


def _target(truth, flavour=0.0, correction=1.0, quantiles=1.0, label=0):
    n = len(truth)
    columns = [torch.as_tensor(truth, dtype=torch.float32)]
    columns += [torch.full((n,), float(v)) for v in (flavour, correction, quantiles, label)]
    return torch.stack(columns, dim=1)


def test_the_quantile_heads_learn_the_quantiles():
    truth = np.random.default_rng(1).gamma(2, 0.1, 20_000)
    p = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([p], lr=0.01)
    for _ in range(600):
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
