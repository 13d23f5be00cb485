"""Small designs, compiled by alkaid, that the tests of flows and tools share."""

from __future__ import annotations

from codesign.core.targets import load_target
from codesign.training import export
from tests.families.mlp_networks import network_of, quantised

TARGET = load_target("vu13p-360")


def design_of(config, seed=0):
    quantisation, x, _ = quantised(config, seed=seed)
    network = network_of(config, x, seed)
    network.fold()
    return network.eval(), export.export(network, quantisation, tuple("abcde")), quantisation.codes(x)
