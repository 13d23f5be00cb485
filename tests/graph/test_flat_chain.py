"""Chains over items and images as flat ones: the same integers, or the node that is in no chain."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.probes import probe_codes
from codesign.flows.finn.finn_layers import layers_of
from codesign.flows.hls4ml.hls4ml_graph import fold
from codesign.graph import flat_chain as module
from codesign.graph.exact import Exact
from codesign.graph.flat_chain import flat_chain
from codesign.graph.reader import read_graph
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, weights
from tests.graph.item_networks import network

CHAINS = ("deep set, sum", "deep set, mean", "conv1d", "conv1d, even kernel", "conv2d", "mixer")


def chain_of(kind: str, items: int = 8):
    """A network of a kind, its events and what it gives."""
    design = network(kind, items, 3, seed=2, width=3, outputs=3)
    values = design.inputs.values(probe_codes(design.inputs, 60))
    return design, values, read_graph(design.onnx).run(values, Exact())


@pytest.mark.parametrize("kind", CHAINS)
def test_a_chain_gives_the_same_integers(kind: str) -> None:
    design, values, truth = chain_of(kind)
    flat = read_graph(flat_chain(design.onnx, design.inputs.size, "any"))
    assert {n.op for n in flat.nodes} <= {"MatMul", "Add", "Relu", "Quant"}
    assert np.array_equal(flat.run(values, Exact()), truth)
    codes = design.inputs.codes(values)
    assert np.array_equal(layers_of(design).run(codes), design.outputs.codes(truth)), "FINN's layers"
    made = fold(design)
    assert np.array_equal(read_graph(made.model.SerializeToString()).run(values, Exact()), truth), "hls4ml's graph"


def test_a_flat_graph_is_left_as_it_is() -> None:
    b = GraphBuilder(6)
    design = design_of(b.finish(b.layer("x", weights(np.random.default_rng(0), (6, 2), 4)), 2), kind_of(4, True), 6)
    assert flat_chain(design.onnx, 6, "any") == design.onnx


def turned_design():
    """Steps that differ from channel to channel, behind a turn; the turned elements are the outputs."""
    b = GraphBuilder(6)
    x = b.node("Transpose", b.node("Reshape", "x", b.constant([0, 3, 2], np.int64)), perm=[0, 2, 1])
    h = b.quant(x, np.array([[[1.0], [2.0]]]), 4)
    return design_of(b.finish(b.node("Flatten", h), 6), kind_of(5, True), 6)


def test_steps_of_elements_move_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    design = turned_design()
    values = design.inputs.values(probe_codes(design.inputs, 100))
    truth = read_graph(design.onnx).run(values, Exact())

    def found():
        return read_graph(flat_chain(design.onnx, 6, "any")).run(values, Exact())

    assert np.array_equal(found(), truth)
    monkeypatch.setattr(module._Chain, "moved", lambda chain, node, shape: np.arange(6))
    assert not np.array_equal(found(), truth), "an order that is forgotten"


REFUSED = {
    "deep set, max": "ReduceMax_n9: operator 'ReduceMax' is neither linear nor an activation",
    "deep set, validity bit": "Mul_n10: 'Mul' of two signals",
    "JEDI-linear": "Add_n7: 'Add' of two signals",
    "conv2d, pools": "MaxPool_n10: operator 'MaxPool'",
    "linear attention": "MatMul_n14: 'MatMul' of two signals",
    "event beside items": "several inputs or outputs",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_no_chain_is_refused_by_its_node(kind: str) -> None:
    design = network(kind, 8, 3, seed=2, width=3, outputs=3)
    for flow, made in (("hls4ml", fold), ("finn", layers_of)):
        with pytest.raises(UnsupportedError, match=f"flow {flow}: {REFUSED[kind]}"):
            made(design)


def test_a_matrix_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 600)
    with pytest.raises(UnsupportedError, match=r"flow hls4ml: Conv_n\d+: a matrix of 27 x 27 is too large"):
        fold(network("conv1d", 9, 3, seed=2, width=3, outputs=3))
