"""Parts of a training that one loop does: phases, and steps through automatic differentiation on other devices."""

import numpy as np
import pytest
import torch
from torch import nn

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.probes import probe_codes
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.family import MLP
from codesign.families.mlp.network import QuantMLP
from codesign.graph.reference import qonnx_codes
from codesign.training.export import brevitas_codes, export
from codesign.training.lesson import Subject
from codesign.training.loop import train
from codesign.training.network import Autograd, Phase

CONFIG = {"widths": [6], "weight_bits": [4, 4], "activation_bits": [4], "input_bits": 6}


class Warmed(QuantMLP):
    """Begins with a decoder that is not in hardware."""

    def __init__(self, config, inputs, outputs):
        super().__init__(config, inputs, outputs)
        self.decoder, self.now, self.seen = nn.Linear(outputs, inputs), None, []

    def phases(self):
        return Phase("reproduce", 1), Phase("learn", 3)

    def enter(self, phase):
        self.now = phase

    def twin(self, events):
        self.seen.append(self.now.name)
        return Autograd(self) if self.now.name == "reproduce" else super().twin(events)

    def objective(self, x, target, loss):
        return (self.decoder(self.fused(x)) - x).square().mean()


def test_a_self_supervised_phase_comes_first_and_pruning_last():
    rng, told = np.random.default_rng(1), []
    x = rng.integers(-32, 32, (400, 4)) / 8
    y = (x[:, 0] > 0).astype(np.int64)
    torch.manual_seed(0)
    network = Warmed(MLP().read(CONFIG, "test"), 4, 2)
    before = network.decoder.weight.clone()
    history = train(
        network, x, y, nn.functional.cross_entropy, epochs=8, batch=50, learning_rate=0.02, sparsity=0.5, seed=1,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert network.seen == ["reproduce", "learn"]
    assert told == [(epoch, 8) for epoch in range(1, 9)]
    assert len(history.loss) == 8
    assert history.loss[0] > 2 * history.loss[2], "squares of up to 16, then cross-entropy"
    assert 0.45 < history.sparsity < 0.55
    assert not torch.equal(before, network.decoder.weight), "the first phase trained it"
    assert network.folded


def test_a_device_that_is_none_of_ours_steps_through_autograd(monkeypatch):
    """Torch's name of the first processor stands for another device: no twin of ours is used, and what comes of it is
    a folded network whose integers are exact."""
    rng = np.random.default_rng(1)
    inputs = InputQuantisation.fit(rng.normal(size=(300, 4)), tuple("abcd"), ("1",) * 4, 6)
    codes = probe_codes(inputs.port, 100)
    x = inputs.port.values(codes)
    for family, config in ((MLP(), CONFIG), (MLPLearned(), {"widths": [4], "input_bits": 6})):
        network = family.build(family.read(config, "test"), Subject.of_sizes(4, 2))
        monkeypatch.setattr(network, "twin", lambda events: pytest.fail("its own twin"))
        y = (x[:, 0] > 0).astype(np.int64)
        how = {"epochs": 2, "batch": 50, "learning_rate": 0.02, "sparsity": 0.0, "seed": 1}
        history = train(network, x, y, nn.functional.cross_entropy, device="cpu:0", **how)
        assert history.loss[1] < history.loss[0]
        design = export(network, network.input_quantisation(inputs), ("no", "yes"))
        again = probe_codes(design.inputs, 100)
        assert np.array_equal(brevitas_codes(network, design, again), qonnx_codes(design, again))
