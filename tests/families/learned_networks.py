"""Small networks with learned precision, and what must hold of them everywhere."""

from __future__ import annotations

import numpy as np
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.family import MLPLearned
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.training import export
from codesign.training.lesson import Subject

CLASSES = tuple("abcde")


def events(number=600, seed=0):
    """Physical features, their grid, values on it, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    physical = rng.normal(size=(number, 16))
    base = InputQuantisation.fit(physical, tuple(f"f{i}" for i in range(16)), ("1",) * 16, 12)
    return physical, base, base.port.values(base.codes(physical)), np.abs(physical[:, :5]).argmax(axis=1)


def scattered(granularity="weight", widths=(12, 9, 7), seed=1):
    """A network with bits all over the place: dead neurons and inputs, single bits, saturation."""
    torch.manual_seed(seed)
    network = MLPLearned().build(LearnedMLPConfig(widths=widths, granularity=granularity), Subject.of_sizes(16, 5))
    for linear in network.linears:
        torch.nn.init.normal_(linear.bias, std=0.2)
    network.calibrate(torch.as_tensor(events()[2], dtype=torch.float32))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "fraction" in name:
                parameter.add_(torch.randn_like(parameter) * 1.5 - 2.2)
            if "integer" in name:
                parameter.add_(torch.randn_like(parameter) * 0.8 - 0.5)
    return network


def exported(network, seed=0):
    physical, base, _, _ = events(seed=seed)
    network.fold()
    quantisation = network.eval().input_quantisation(base)
    return export.export(network, quantisation, CLASSES), quantisation.codes(physical)


def exact_everywhere(network, design, codes, folder):
    codes = np.concatenate([codes, probe_codes(design.inputs)])
    brevitas = export.brevitas_codes(network, design, codes)
    assert np.array_equal(brevitas, export.qonnx_codes(design, codes))
    ours = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    assert np.array_equal(brevitas, design.outputs.codes(ours))
    flow = Alkaid()
    firmware = flow.compile(design, load_target("vu13p-360"), folder)
    assert np.array_equal(brevitas, flow.predict(firmware, codes))
    return firmware, brevitas
