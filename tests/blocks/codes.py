"""The codes of a network in every domain, and in the simulated RTL."""

from __future__ import annotations

import numpy as np

from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.handoff.inference import Session, codes_model, features_model, heads_of
from codesign.training import export
from codesign.verify.rtl import verify
from tests.graph.everywhere import exact_codes


def codes_everywhere(network, design, x, folder, rtl=True, distinct=50):
    """Output codes of physical inputs and of extreme codes, which every domain gives; more than ``distinct`` others."""
    given = np.concatenate([design.input_quantisation.codes(x[:300]), probe_codes(design.inputs, 200)])
    truth = exact_codes(design, given)
    assert len(np.unique(truth, axis=0)) > distinct
    firmware = Alkaid().compile(design, load_target("vu13p-360"), folder / "firmware")
    emulator = load_emulator(build_emulator(write_emulator(design, "blocks", folder / "emulator")))
    heads = heads_of(design.outputs)

    def standard(model, inputs):
        found = Session(model(design)).run(inputs)
        return np.concatenate([found[codes] for _, codes in heads], axis=1)

    found = {
        "Brevitas": export.brevitas_codes(network, design, given),
        "QONNX": export.qonnx_codes(design, given),
        "alkaid": Alkaid().predict(firmware, given),
        "C++": emulator.predict(given),
        "standard ONNX": standard(codes_model, given.astype(np.int32)),
        "standard ONNX of physical numbers": standard(features_model, x[:300]),
    }
    for name, integers in found.items():
        assert np.array_equal(integers, truth[: len(integers)]), name
    if rtl:
        verdict = verify(firmware, given, {"exact": truth}, folder / "simulation")
        assert verdict.exact, verdict.first_difference
    return truth
