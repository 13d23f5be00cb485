"""Small fully connected networks that the tests of the flows share."""

from __future__ import annotations

import numpy as np
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.training.lesson import Subject

CONFIGS = [
    MLPConfig(widths=(8,), weight_bits=(2, 3), activation_bits=(2,), input_bits=4),
    MLPConfig(widths=(16, 8), weight_bits=(4, 3, 6), activation_bits=(3, 5), input_bits=8),
    MLPConfig(widths=(12, 9, 7), weight_bits=(8, 6, 5, 4), activation_bits=(8, 4, 2), input_bits=6, sparsity=0.5),
]


def quantised(config, events=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(events, 16)).astype(np.float32)
    names = tuple(f"f{i}" for i in range(16))
    quantisation = InputQuantisation.fit(x, names, ("1",) * 16, config.input_bits)
    return quantisation, quantisation.port.values(quantisation.codes(x)), np.abs(x[:, :5]).argmax(axis=1)


def network_of(config, x, seed=0):
    torch.manual_seed(seed)
    network = MLP().build(config, Subject.of_sizes(16, 5))
    for linear in network.linears:
        torch.nn.init.normal_(linear.bias, std=0.2)
    network.calibrate(torch.as_tensor(x, dtype=torch.float32))
    return network
