"""Who computed a design's integers is said truthfully."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from codesign.core.design import Design
from codesign.graph.nodes import CODESIGN, QONNX
from codesign.graph.reference import EXACT_ARITHMETIC, ONNXRUNTIME, QONNX_EXECUTOR, qonnx_codes, reference_name
from tests.graph.everywhere import design_for, exact_codes
from tests.graph.kinds import BITS
from tests.graph.random_graphs import RandomGraph
from tests.importing.small import model, quant


def of(node: str) -> Design:
    """A design of one quantiser, of QONNX or of codesign."""
    fixed = helper.make_node("FixedPoint", ["x", "k", "i", "f"], ["y"], "fixed", domain=CODESIGN, overflow="SAT")
    made = quant("x", "y", "one", "two") if node == QONNX else fixed
    constants = {"one": 1.0, "two": 2.0, "zero": 0.0, "k": [[1.0]], "i": [[1.0]], "f": [[0.0]]}
    content = model([made], constants, shape=("n", 2), domains=(QONNX, CODESIGN)).SerializeToString()
    return design_for(content, [BITS, BITS])


@pytest.mark.parametrize(("domain", "name"), [(QONNX, QONNX_EXECUTOR), (CODESIGN, EXACT_ARITHMETIC)])
def test_an_operator_of_our_own_is_not_said_to_be_run_by_qonnx(domain: str, name: str) -> None:
    made = of(domain)
    assert reference_name(made) == name
    assert qonnx_codes(made, np.array([[-8, 7], [1, -1]])).tolist() == [[-2, 1], [1, -1]]


def test_trees_are_run_by_onnxruntime_as_the_executor_loses_their_version() -> None:
    grown = next(g for g in map(RandomGraph, range(2000)) if g.nodes and g.nodes[0].op_type == "TreeEnsembleRegressor")
    made = design_for(grown.content(), grown.kinds)
    codes = np.stack(made.inputs.bounds).astype(np.int64)
    assert reference_name(made) == ONNXRUNTIME
    assert np.array_equal(qonnx_codes(made, codes), exact_codes(made, codes))
