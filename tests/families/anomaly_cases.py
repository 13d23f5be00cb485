"""Small autoencoders that the tests of the trigger share."""

from __future__ import annotations

import numpy as np
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.families.autoencoder.config import AutoencoderConfig, VAEConfig
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.training.lesson import Subject

N = 6


COMMON = {"widths": (8,), "latent": 3, "square_bits": 6, "score_bits": 10, "input_bits": 7}


CASES = [
    (VAE(), VAEConfig(**COMMON, weight_bits=(4, 5), activation_bits=(4,))),
    (VAE(), VAEConfig(**COMMON | {"widths": (8, 5)}, weight_bits=(4, 3, 5), activation_bits=(4, 3), sparsity=0.4)),
    (Autoencoder(), AutoencoderConfig(**COMMON, weight_bits=(4, 5, 4, 4), activation_bits=(4, 5, 4))),
]


def data(config, events=1500, seed=0):
    """Numbers of very different scale, two of them bound to others."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(events, N)) * [1, 20, 0.1, 5, 1, 1]
    x[:, 4] = x[:, 0] + 0.1 * x[:, 4]
    x[:, 5] = x[:, 1] / 20 + 0.1 * x[:, 5]
    names = tuple(f"f{i}" for i in range(N))
    quantisation = InputQuantisation.fit(x, names, ("1",) * N, config.input_bits)
    values = quantisation.port.values(quantisation.codes(x)).astype(np.float32)
    return quantisation, values, (values * [1, 2, 0.5, 1, 1, 3]).astype(np.float32)


def built(family, config, seed=0):
    quantisation, x, target = data(config)
    torch.manual_seed(seed)
    network = family.build(config, Subject.of_sizes(N, 1))
    values, wanted = torch.as_tensor(x), torch.as_tensor(target)
    network.match(values, wanted)
    for linear in network.linears:
        torch.nn.init.normal_(linear.bias, std=0.2)
    network.calibrate(values)
    network.settle(values)
    return quantisation, values, wanted, network
