"""What each layer adds to alkaid's circuit."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_run import design

from codesign.core.figures import Fidelity, find
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid

CONFIG = {"widths": [12, 8], "weight_bits": [4, 3, 3], "activation_bits": [4, 4], "input_bits": 6, "sparsity": 0.3}


def test_costs_end_at_the_whole_circuit(tmp_path):
    flow, made = Alkaid(), design(CONFIG)
    firmware = flow.compile(made, load_target("vu13p-360"), tmp_path / "firmware")
    costs = flow.layers(firmware)
    figures = flow.figures(firmware)
    assert len(costs.layers) == 3
    last = costs.layers[-1]
    for quantity, value in (("lut", last.lut), ("ff", last.ff), ("latency_cycles", last.latency_cycles)):
        assert abs(find(figures, quantity, Fidelity.COMPILED).value - value) < 0.01
    cycles = [cost.latency_cycles for cost in costs.layers]
    assert cycles == sorted(cycles)
    assert cycles[0] > 0
    # the first layer is compiled as if the network ended there: it takes logic of its own, and less than the whole
    assert 0 < costs.layers[0].lut < last.lut
