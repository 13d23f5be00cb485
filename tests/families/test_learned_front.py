"""One training gives a front: non-dominated, exact once compiled, the same for the same seed."""

import numpy as np
import pytest
import torch

from codesign.core.errors import InputError
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_front import BudgetFront, accuracy, checkpoints
from codesign.families.learned.learned_fused import learned_forward
from codesign.families.learned.network import LearnedMLP
from codesign.training import export
from tests.families.learned_networks import CLASSES, events, exact_everywhere


def trained(seed=0, **more):
    physical, base, x, y = events(3000)
    config = LearnedMLPConfig(widths=(16, 8), beta_low=1e-6, beta_high=1e-2)
    arguments = {"outputs": 5, "epochs": 60, "batch": 250, "learning_rate": 2e-2, "seed": seed} | more
    loss = torch.nn.functional.cross_entropy
    return base, physical, y, checkpoints(config, x[:2000], y[:2000], x[2000:], y[2000:], loss, **arguments)


def test_one_training_gives_a_front_and_every_point_is_exact(tmp_path):
    base, physical, y, found = trained()
    assert len(found) >= 5
    scores = [c.score for c in found]
    assert scores == sorted(set(scores))  # by rising cost, each better than the one before
    assert found[0].ebops < 0.25 * found[-1].ebops
    assert found[-1].score > 0.5 > 1.5 / 5
    luts = []
    for place in (0, len(found) // 2, -1):
        network = found[place].network
        quantisation = network.input_quantisation(base)
        design = export.export(network, quantisation, CLASSES)
        codes = quantisation.codes(physical)
        firmware, outputs = exact_everywhere(network, design, codes, tmp_path / str(place))
        luts.append(firmware.extra["lut"])
        values = design.outputs.values(outputs[: len(codes)])[2000:]
        # the score was of float32 on a grid of 12 bits; the firmware's is of its own integers
        assert (values.argmax(axis=1) == y[2000:]).mean() == pytest.approx(found[place].score, abs=0.03)
    assert luts[0] < luts[1] < luts[2]


def test_training_is_repeatable_and_limited():
    points = [[(c.ebops, c.score, c.epoch) for c in trained(seed, epochs=12)[3]] for seed in (0, 0, 1)]
    assert points[0] == points[1] != points[2]
    few = trained(0, epochs=12, limit=3)[3]
    assert 1 <= len(few) <= 3
    assert few[-1].score == points[0][-1][1]


def test_several_starts_share_the_epochs_and_make_one_front():
    def points(**more):
        return [(c.ebops, c.score, c.epoch) for c in trained(0, limit=1000, **more)[3]]

    two = points(epochs=36, starts=3)
    first = points(epochs=12)
    assert any(epoch >= 12 for _, _, epoch in two)
    assert all(epoch < 36 for _, _, epoch in two)
    assert {p for p in two if p[2] < 12} <= set(first)  # the first training is the same to the bit
    assert max(s for _, s, _ in two) >= max(s for _, s, _ in first)


def test_front_keeps_what_nothing_dominates():
    front = BudgetFront()
    rng = np.random.default_rng(0)
    offered = [(float(c), float(s)) for c, s in zip(rng.integers(0, 40, 300), rng.integers(0, 40, 300), strict=True)]
    offered = [(c, s) for c, s in offered if s <= c]
    for epoch, (cost, score) in enumerate(offered):
        front.add(cost, score, epoch, [])
    best = {p for p in offered if not any((c <= p[0] and s >= p[1]) and (c, s) != p for c, s in offered)}
    assert {(p.cost, p.score) for p in front.points} == best
    assert len(best) > 3
    thinned = front.thinned(3)
    assert len(thinned) <= 3
    assert thinned[-1] is front.points[-1]


def test_accuracy():
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert accuracy(scores, torch.tensor([1, 0, 0])) == pytest.approx(2 / 3)


def test_another_device_goes_the_same_way():
    """Torch's name of the first processor stands for it: no twin of ours; the first epoch is the same to rounding."""
    here, there = (trained(0, epochs=6, device=device)[3] for device in ("cpu", "cpu:0"))
    assert [c.epoch for c in here] == [c.epoch for c in there]
    assert [c.ebops for c in there] == pytest.approx([c.ebops for c in here], rel=0.05)
    with pytest.raises(InputError, match="device: tpu: PyTorch finds no GPU here"):
        trained(0, epochs=1, device="tpu")


def test_what_is_priced_elsewhere_is_what_the_compiled_step_prices():
    torch.manual_seed(3)
    network = LearnedMLP(LearnedMLPConfig(widths=(6, 5)), 4, 3)
    x = torch.randn(200, 4)
    network.calibrate(x)
    _, operations = learned_forward(x, network.flat_parameters(), network.layout)
    assert network.priced().item() == operations.item() > 0
    names = [name for name, _ in network.named_parameters()]
    one, other = (
        dict(zip(names, torch.autograd.grad(cost, network.parameters(), allow_unused=True), strict=True))
        for cost in (operations, network.priced())
    )
    for name in (n for n in names if n.endswith(("fraction.value", "integer.value"))):
        assert torch.allclose(one[name], other[name], rtol=1e-5), name
