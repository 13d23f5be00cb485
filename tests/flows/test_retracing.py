"""Our tracing of a circuit once more gives what alkaid's gives, and a round that would change nothing is left out."""

from __future__ import annotations

import numpy as np
import pytest
from alkaid.trace import FVArray, HWConfig, trace
from alkaid.trace.passes import canonical_sort
from alkaid.trace.passes.retrace import _retrace

from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.alkaid_passes import _ROUNDS, _clean, _fixpoint
from codesign.flows.alkaid.retracing import Structures, retrace
from codesign.graph.reader import read_graph
from tests.graph.everywhere import design_for
from tests.graph.random_graphs import RandomGraph
from tests.make_run import design

CONFIG = {"widths": [6, 5], "weight_bits": [4, 3, 3], "activation_bits": [4, 4], "input_bits": 5, "sparsity": 0.3}


def _circuits():
    designs = [design(CONFIG)]
    for seed in (0, 1, 5, 9, 17, 23):
        grown = RandomGraph(seed)
        designs.append(design_for(grown.content(), grown.kinds))
    for made in designs:
        kinds = made.inputs.types
        signal = FVArray.from_kif(
            np.array([[int(t.signed) for t in kinds]]),
            np.array([[t.integer_bits for t in kinds]]),
            np.array([[t.fraction_bits for t in kinds]]),
            HWConfig(1, -1, -1),
        )
        yield trace(signal, read_graph(made.onnx).run(signal, Signals()), optimize=False)


@pytest.fixture(scope="module")
def circuits():
    return list(_circuits())


def test_circuits_are_alkaids(circuits):
    for circuit in circuits:
        cleaned = canonical_sort(_clean(circuit, wraps=False))
        assert retrace(cleaned) == _retrace(cleaned)


def test_the_fixed_point_is_that_of_all_rounds(circuits):
    for circuit in circuits:
        whole = circuit
        for _ in range(_ROUNDS):
            before = canonical_sort(_clean(whole, wraps=False))
            whole = canonical_sort(_clean(_retrace(before), wraps=False))
            if whole == before:
                break
        assert _fixpoint(circuit, wraps=False) == whole


def test_structures_differ_in_what_a_tracing_reads(circuits):
    circuit = next(c for c in circuits if any(op.opcode == 3 for op in c.ops))
    structures = Structures()
    number = structures.number(circuit)
    assert structures.number(circuit) == number
    place = next(i for i, op in enumerate(circuit.ops) if op.opcode == 3)
    narrower = circuit.ops[place].qint._replace(max=0.0, min=-1.0)
    other = circuit._replace(
        ops=[*circuit.ops[:place], circuit.ops[place]._replace(qint=narrower), *circuit.ops[place + 1 :]]
    )
    assert structures.number(other) != number
    negated = circuit._replace(out_negs=[not n for n in circuit.out_negs])
    assert structures.number(negated) != number
