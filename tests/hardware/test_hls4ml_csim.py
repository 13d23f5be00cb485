"""hls4ml's C simulation, compiled with g++, gives the integers of the trained network."""

import numpy as np

from codesign import export
from codesign.hardware.alkaid import probe_codes
from codesign.hardware.hls4ml_csim import CSimulation
from tests.hardware.test_alkaid import design_of
from tests.models.test_qmlp import CONFIGS


def test_c_simulation_equals_network(tmp_path):
    network, design, codes = design_of(CONFIGS[1])
    every = np.concatenate([codes, probe_codes(design.inputs)])
    assert np.array_equal(
        CSimulation(design, tmp_path / "hls").predict(every), export.brevitas_codes(network, design, every)
    )
