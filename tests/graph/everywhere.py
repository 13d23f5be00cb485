"""One graph in every domain: exact numbers, intervals, standard ONNX, integer circuits, alkaid's signals."""

from __future__ import annotations

import numpy as np
import onnxruntime

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.handoff.emulator.circuit import Circuit, Clip, Floor, Input, Linear, Lookup, Product, Selected, Sign
from codesign.handoff.inference import codes_model
from codesign.testing.graphs import port_of_one_kind

QUIET = onnxruntime.SessionOptions()
QUIET.log_severity_level = 3
QUIET.intra_op_num_threads = 1
# onnxruntime merges two pairs of QuantizeLinear and DequantizeLinear into one that rounds otherwise
QUIET.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def design_for(content, kinds):
    """A design of a graph whose inputs have these types, its outputs' types by intervals."""
    first = port_of_one_kind(kinds[0], len(kinds))
    quantisation = first.model_copy(update={"types": tuple(kinds), "step": tuple(k.lsb for k in kinds)})
    found = read_graph(content).run(Interval.of_port(quantisation.port), Intervals())
    ends = zip(found.low[0], found.high[0], found.step[0], strict=True)
    types = tuple(tightest_type(float(low), float(high), float(step)) for low, high, step in ends)
    return Design(content, quantisation, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))


def circuit_codes(design, codes):
    """Run the integer circuit that the C++ emulator is written from, one event after another, in Python's integers."""
    circuit = Circuit.of(design)
    out = np.empty((len(codes), len(circuit.outputs)), dtype=np.int64)
    for event, row in enumerate(codes.tolist()):
        values: dict[int, int] = {}
        for node in circuit.nodes:
            match node.op:
                case Input(index, _):
                    value = row[index]
                case Linear(terms, constant):
                    value = constant + sum(values[n.number] * c for n, c in terms)
                case Product(left, right):
                    value = values[left.number] * values[right.number]
                case Floor(x, shift, constant, coefficient, bit):
                    v = values[x.number]
                    extra = {"none": 0, "negative": int(v < 0), "odd": (v >> shift) & 1}[bit]
                    value = (v + constant + coefficient * extra) >> shift
                case Clip(x, low, high):
                    value = values[x.number]
                    value = value if low is None else max(value, low)
                    value = value if high is None else min(value, high)
                case Sign(x):
                    value = 1 if values[x.number] >= 0 else -1
                case Selected(bit, chosen, other):
                    value = values[chosen.number] if values[bit.number] else values[other.number]
                case Lookup(x, first, table):
                    assert 0 <= values[x.number] - first < len(table), "beyond the table"
                    value = table[values[x.number] - first]
            assert node.low <= value <= node.high, "a bound that does not hold"
            values[node.number] = value
        out[event] = [values[n.number] for n in circuit.outputs]
    return out


def alkaid_values(design, x):
    """Output values of the circuit that alkaid traces, for input values (events, n)."""
    from alkaid.trace import FVArray, HWConfig, trace

    t = design.inputs.types
    signal = FVArray.from_kif(
        np.array([[int(k.signed) for k in t]]),
        np.array([[k.integer_bits for k in t]]),
        np.array([[k.fraction_bits for k in t]]),
        HWConfig(1, -1, -1),
    )
    circuit = trace(signal, read_graph(design.onnx).run(signal, Signals()), optimize=False)
    return circuit.predict(np.ascontiguousarray(x), n_threads=1)


def alkaid_codes(design, codes):
    return design.outputs.codes(alkaid_values(design, design.inputs.values(codes)))


def session_codes(design, codes):
    session = onnxruntime.InferenceSession(codes_model(design), QUIET, providers=["CPUExecutionProvider"])
    return np.concatenate(session.run(None, {"input_codes": codes.astype(np.int32)}), axis=1).astype(np.int64)


def exact_codes(design, codes):
    values = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    return design.outputs.codes(values)  # raises where a value lies outside of the type that intervals derived


def equal_everywhere(design, codes, hardware=True, circuit=64):
    """Codes that every domain gives; AssertionError names the one that differs."""
    truth = exact_codes(design, codes)
    assert np.array_equal(session_codes(design, codes), truth), "standard ONNX"
    assert np.array_equal(circuit_codes(design, codes[:circuit]), truth[:circuit]), "integer circuit"
    if hardware:
        assert np.array_equal(alkaid_codes(design, codes), truth), "alkaid"
    return truth
