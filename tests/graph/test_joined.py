"""Heads that are pieces of one tensor are one output again, for flows that take chains."""

import numpy as np
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.reading.onnx import onnx_model
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.flows.finn.finn_layers import layers_of
from codesign.flows.hls4ml.hls4ml_graph import fold
from codesign.graph.exact import Exact
from codesign.graph.joined import join_heads
from codesign.graph.reader import read_graph
from codesign.tasks.heads import Head, LossObjective
from codesign.training.export import export
from codesign.training.lesson import Subject

HEADS = (
    Head("kind", ("a", "b"), LossObjective("cross-entropy")),
    Head("energy", ("low", "mid", "high"), LossObjective("quantile", quantiles=(0.16, 0.5, 0.84))),
)


def test_flows_of_chains_take_a_network_of_two_heads():
    subject = Subject(("u", "v", "w"), HEADS)
    x = np.random.default_rng(1).normal(size=(300, 3))
    quantisation = InputQuantisation.fit(x, subject.inputs, ("1",) * 3, 6)
    config = MLPConfig(widths=(5,), weight_bits=(4, 4), activation_bits=(4,), input_bits=6)
    torch.manual_seed(1)
    network = MLP().build(config, subject)
    values = quantisation.port.values(quantisation.codes(x))
    network.calibrate(torch.as_tensor(values, dtype=torch.float32))
    network.fold()
    design = export(network.eval(), quantisation, subject.outputs, None, subject.heads)
    flat = export(network.eval(), quantisation, subject.outputs)
    assert [len(onnx_model(d.onnx).graph.output) for d in (design, flat)] == [2, 1]
    assert join_heads(flat.onnx) == flat.onnx
    whole = join_heads(design.onnx)
    assert len(onnx_model(whole).graph.output) == 1
    truth = read_graph(design.onnx).run(values, Exact())
    for content in (whole, flat.onnx, fold(design).model.SerializeToString()):
        assert np.array_equal(read_graph(content).run(values, Exact()), truth)
    codes = quantisation.codes(x)
    assert np.array_equal(layers_of(design).run(codes), design.outputs.codes(truth))
