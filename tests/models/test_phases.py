"""A training in two phases: first the network reproduces its inputs, then it learns; one loop does both."""

import numpy as np
import torch
from torch import nn

from codesign.models.mlp import MLP
from codesign.models.network import Autograd, Phase
from codesign.models.qmlp import QuantMLP
from codesign.training import train

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
