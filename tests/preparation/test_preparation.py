"""Inputs prepared in the firmware: each operator beside float64, and one design in every model of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.layout import Layout
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.core.validation import validate
from codesign.data.preparation.prefix import Preparation, network_codes, network_of
from codesign.data.preparation.raw_codes import InputsSection
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator.circuit import Circuit
from codesign.handoff.inference import Session, codes_model, heads_of
from codesign.tasks.anomalies.level1_inputs import FEATURES, UNITS
from tests.preparation.prepared_networks import exact, network

NAMES = ("a_pt", "a_eta", "a_phi", "b_pt", "b_eta", "b_phi", "muon_phi")
RAW = {
    "*_pt": {"bits": 7, "step": 0.5},
    "*_eta": {"bits": 6, "signed": True, "step": 0.0435},
    "muon_phi": {"bits": 7, "signed": True, "turn": 96},
    "*_phi": {"bits": 6, "signed": True, "turn": 48},
}
#: an expression that the firmware computes, and whether it is exact
EXPRESSIONS = {
    "a_pt": True,
    "a_pt - b_pt": True,
    "a_eta - b_eta": True,
    "abs(a_eta - b_eta)": True,
    "0.5 * (a_pt + b_pt) - 3": True,
    "10 - a_pt / 4": True,
    "delta_phi(a_phi, b_phi)": True,
    "delta_phi(muon_phi, a_phi)": True,
    "abs(delta_phi(a_phi, b_phi))": True,
    "maximum(a_pt, b_pt) - minimum(a_pt, b_pt)": True,
    "maximum(a_pt, 3.5)": True,
    "clip(a_eta * 2, -0.435, 0.435)": True,
    "where(a_pt > b_pt, a_eta, b_eta)": True,
    "where(a_pt >= 20, a_pt, 0)": True,
    "where((a_pt > 10.2) & ~(b_pt < 4) | (a_eta == 0), 1, -1)": True,
    "2 < a_pt <= 9": True,
    "a_pt * b_pt": True,
    "a_pt ** 2 + b_pt ** 2": True,
    "log2(a_pt)": False,
    "log1p(a_pt)": False,
    "sqrt(a_pt)": False,
    "sqrt(a_pt ** 2 + b_pt ** 2)": False,
    "cos(a_phi)": False,
    "exp(a_eta)": False,
    "a_pt / b_pt": False,
    "log2(a_pt) - log2(b_pt)": False,
    "tanh(log2(a_pt) - 3)": False,
    "a_pt + 0.2": False,
}


def preparation(prepare, raw=RAW, names=NAMES):
    section = validate(InputsSection, {"raw": raw, "prepare": prepare}, "inputs")
    return Preparation.of(section, (Layout.of_features(names, ("",) * len(names)),))


def codes(prepared, events=2000, seed=0):
    low, high = prepared.quantisation.port.bounds
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.integers(low, high + 1, (events, len(low))), probe_codes(prepared.quantisation.port)[:200]]
    )


@pytest.mark.parametrize("fraction", [2, 6])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_operator_is_within_its_stated_error_of_float64(expression, fraction):
    prepared = preparation({"y": {"of": expression, "fraction": fraction, "bits": 14}})
    raw = codes(prepared)
    (number,) = prepared.numbers
    found, true = prepared.prepared(raw)[:, 0], prepared.reference(raw)["y"]
    assert (found == np.rint(found)).all()
    assert number.low <= found.min() <= found.max() <= number.high
    assert len(np.unique(found)) > 1
    most = ((1 << (13 if number.low < 0 else 14)) - 1) * number.size
    off = np.abs(found * number.size - np.clip(true, -most - number.size, most))
    if "phi" in expression and "cos" not in expression:  # on the circle
        off = np.minimum(off, np.abs(2 * np.pi - off))
    off = off[np.isfinite(true)]
    # beside the rounding of float64 itself
    assert off.max() <= number.error + 1e-9
    assert (number.error == 0) == EXPRESSIONS[expression]
    if number.error and "/" not in expression:
        assert off.max() >= number.error / 3, "the statement is about what happens"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    bits=st.integers(2, 9),
    step=st.sampled_from([0.25, 0.5, 1.0, 0.3]),
    fraction=st.integers(0, 8),
    function=st.sampled_from(["sqrt", "log2", "log1p", "exp", "tanh", "arctan"]),
    offset=st.integers(-20, 20),
)
def test_a_table_is_correctly_rounded_at_every_code(bits, step, fraction, function, offset):
    raw = {"x": {"bits": bits, "step": step}}
    offset = min(offset, 0) if function == "exp" else offset
    of = (
        f"{function}(clip(x, 0, 8) + {offset * step})"
        if offset >= 0
        else f"{function}(clip(x, 0, 8) - {-offset * step})"
    )
    prepared = preparation({"y": {"of": of, "fraction": fraction}}, raw, ("x",))
    every = np.arange(1 << bits)[:, None]
    found = prepared.prepared(every)[:, 0]
    with np.errstate(all="ignore"):
        argument = np.clip(np.rint(every[:, 0]), 0, round(8 / step)) * step + offset * step
        true = getattr(np, function)(argument)
    there = np.isfinite(true)
    (number,) = prepared.numbers
    assert (found[~there] == 0).all()
    assert (np.abs(found - true / number.size)[there] <= 0.5 + 1e-9).all()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(turn=st.sampled_from([16, 48, 144, 576]), bits=st.integers(4, 11), other=st.integers(4, 11))
def test_an_angle_is_brought_into_a_turn_whatever_the_codes(turn, bits, other):
    names = ("a", "b")
    raw = {n: {"bits": b, "signed": True, "turn": turn} for n, b in zip(names, (bits, other), strict=True)}
    if (1 << bits) + (1 << other) > 8 * turn:
        with pytest.raises(InputError, match="is not brought into a turn"):
            preparation({"y": "delta_phi(a, b)"}, raw, names)
        return
    prepared = preparation({"y": "delta_phi(a, b)"}, raw, names)
    every = codes(prepared, 3000)
    half = turn // 2
    expected = (every[:, 0] - every[:, 1] + half) % turn - half
    np.testing.assert_array_equal(prepared.prepared(every)[:, 0], expected)


SOME = {
    "lead": {"of": "log2(a_pt + 1)", "fraction": 4},
    "dphi": "delta_phi(a_phi, b_phi)",
    "far": {"of": "abs(delta_phi(muon_phi, a_phi))"},
    "deta": "a_eta - b_eta",
    "share": {"of": "b_pt / a_pt", "fraction": 5, "bits": 6},
    "soft": "where(b_pt > 10, b_pt, 0)",
    "mt": {"of": "sqrt(a_pt * b_pt)", "fraction": 3},
}


def test_a_network_may_take_each_input_in_a_type_of_its_own():
    """As learned precision wants them: the same codes, by the graph and by the quantisation's own formula."""
    prepared = preparation(SOME)
    raw = codes(prepared, 1500)
    own = network(prepared, raw)
    q = own.input_quantisation
    kinds = [FixedPoint(signed=True, integer_bits=2, fraction_bits=f) for f in (3, 1, -2, 2, 3, 0)]
    kinds.append(FixedPoint(signed=False, integer_bits=0, fraction_bits=0))
    steps = tuple(s * 2.0 ** (3 - k.fraction_bits) for s, k in zip(q.step, kinds, strict=True))
    several = q.model_copy(update={"types": tuple(kinds), "step": steps})
    narrow = Design(own.onnx, several, own.outputs)
    entered = network_codes(prepared.before(narrow))(raw)
    np.testing.assert_array_equal(entered, several.codes(prepared.prepared(raw)))
    assert len(np.unique(entered[:, 0])) > 8


@pytest.fixture(scope="module")
def whole():
    """A preparation, the network behind it, the design of both, and raw codes."""
    prepared = preparation(SOME)
    raw = codes(prepared, 1500)
    own = network(prepared, raw)
    return prepared, own, prepared.before(own), raw


def test_the_network_sees_in_training_what_the_firmware_makes(whole):
    prepared, own, design, raw = whole
    assert design.inputs == prepared.quantisation.port
    assert design.inputs.labels == NAMES
    assert design.trigger == "y0"
    entered = own.input_quantisation.codes(prepared.prepared(raw))
    np.testing.assert_array_equal(network_codes(design)(raw), entered)
    np.testing.assert_array_equal(exact(design, raw), exact(own, entered))
    assert len(np.unique(exact(design, raw), axis=0)) > 100
    assert max(own.input_quantisation.step) > 1, "something is shifted"


def test_every_model_of_it_gives_the_same_integers(whole, tmp_path):
    _, _, design, raw = whole
    expected = exact(design, raw)
    flow = Alkaid()
    firmware = flow.compile(design, load_target("vu13p-360"), tmp_path / "firmware", probe=raw)
    np.testing.assert_array_equal(flow.predict(firmware, raw), expected)
    found = Session(codes_model(design)).run(raw.astype(np.int32))
    heads = [found[name] for _, name in heads_of(design.outputs)]
    np.testing.assert_array_equal(np.concatenate(heads, axis=1), expected)
    low, high = design.outputs.bounds
    assert all(a <= n.low <= n.high <= b for a, n, b in zip(low, Circuit.of(design).outputs, high, strict=True))


def test_the_network_behind_it_is_had_again(whole):
    _, own, design, raw = whole
    again = network_of(design)
    assert again.input_quantisation == own.input_quantisation
    entered = network_codes(design)(raw)
    np.testing.assert_array_equal(exact(again, entered), exact(own, entered))
    with pytest.raises(InputError, match="has no preparation in front of its network"):
        network_of(own)


def test_a_changed_table_is_seen(whole):
    """What makes the references: one entry of the first table by one."""
    from onnx import numpy_helper

    from codesign.core.reading.onnx import onnx_model

    prepared, own, design, raw = whole
    model = onnx_model(design.onnx)
    table = next(node for node in model.graph.node if node.op_type == "Table")
    for tensor in model.graph.initializer:
        if tensor.name == table.input[1]:
            values = numpy_helper.to_array(tensor).copy()
            values[len(values) // 2] += 8
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    changed = Design(model.SerializeToString(), design.input_quantisation, design.outputs)
    entered = own.input_quantisation.codes(prepared.prepared(raw))
    assert not np.array_equal(network_codes(changed)(raw), entered)


def test_the_triggers_own_codes():
    features = Layout.of_features(FEATURES, UNITS)
    section = validate(
        InputsSection,
        {"raw": "l1-scales", "prepare": {"d": "delta_phi(jet0_phi, muon1_phi)", "m": "met_pt - jet0_pt"}},
        "inputs",
    )
    prepared = Preparation.of(section, (features,))
    widths = {code.name: (code.kind.width, code.kind.signed) for code in prepared.codes}
    assert widths["met_pt"] == (12, False)
    assert widths["muon0_phi"] == (10, True)
    assert widths["jet9_eta"] == (8, True)
    x = np.zeros((3, len(FEATURES)), dtype=np.float32)
    x[:, FEATURES.index("jet0_phi")] = (71, -72, 3)
    x[:, FEATURES.index("muon1_phi")] = (-288, 287, 10)
    x[:, FEATURES.index("met_pt")] = (40, 4000, 0)
    np.testing.assert_array_equal(prepared.of_features(x), [[-4, 40], [1, 4000], [2, 0]])


def test_a_pattern_is_an_input_for_each_feature():
    prepared = preparation({"*_pt": {"of": "log2(x + 1)", "fraction": 4}, "*_eta": {"of": "x", "less": 2}})
    assert prepared.names == ("a_pt", "a_eta", "b_pt", "b_eta"), "as the features are"
    raw = codes(prepared, 300)
    true = prepared.reference(raw)
    found = prepared.prepared(raw)
    np.testing.assert_array_equal(found[:, 3], raw[:, NAMES.index("b_eta")])
    np.testing.assert_array_equal(found[:, 2], np.floor(np.log2(raw[:, NAMES.index("b_pt")] * 0.5 + 1) * 16 + 0.5))
    assert list(true) == list(prepared.names)
    types = prepared.input_quantisation(found, 6).types
    assert [t.width for t in types] == [6, 4, 6, 4]


def test_the_anomaly_triggers_inputs_may_be_its_raw_codes():
    """As they are upstream by default: what is there is handed on, and reduced to the network's bits by a shift."""
    prepare = {"*_pt": "x", "*_eta": {"of": "x", "less": 3}, "*_phi": {"of": "x", "less": 3}}
    section = validate(InputsSection, {"raw": "l1-scales", "prepare": prepare}, "inputs")
    prepared = Preparation.of(section, (Layout.of_features(FEATURES, UNITS),))
    assert prepared.names == FEATURES
    rng = np.random.default_rng(2)
    low, high = prepared.quantisation.port.bounds
    x = rng.integers(low, high + 1, (50, len(FEATURES)))
    np.testing.assert_array_equal(prepared.of_features(x.astype(np.float32)), x)
    assert all(number.error == 0 for number in prepared.numbers)
    widths = [t.width for t in prepared.input_quantisation(x.astype(float), 7).types]
    assert widths[:3] == [7, 4, 4]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ({"y": "a_pt + a_eta"}, "on no common grid"),
        ({"y": "a_pt / b_pt"}, "a ratio needs 'bits'"),
        ({"y": "mean(a_pt)"}, "'mean' is not computed in the firmware"),
        ({"y": "nothing"}, "there is no column 'nothing'"),
        ({"y": "log2(a_pt) > 3"}, "a number that is rounded is compared"),
        ({"y": "cos(log2(a_pt))"}, "'cos' is of a number that is rounded"),
        ({"y": "a_pt % 3"}, "Mod of these two is not computed"),
        ({"y": "3 + 4"}, "it is of no raw feature"),
        ({"y": "delta_phi(a_pt, b_pt)"}, "would be a full turn"),
        ({"y": "(a_pt * b_pt) * (a_pt * b_pt)"}, "to which float32 is exact"),
        ({"y": "exp(a_pt)"}, "clip what the function is of"),
        ({"y": "__import__('os')"}, "there is no function"),
        ({"y": {"of": "a_pt", "where": "offline"}}, "'firmware'"),
        ({"y; rm": "a_pt"}, "prepare"),
        ({"z*": "x"}, "no feature matches"),
        ({"*_pt": "x", "a*": "x"}, "'a_pt' is prepared already"),
        ({"y": "x"}, "there is no column 'x'"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_said_in_one_line(prepare, said):
    with pytest.raises(InputError, match=said) as found:
        preparation(prepare)
    assert "\n" not in str(found.value)


def test_raw_codes_are_said_of_every_feature():
    with pytest.raises(InputError, match=r"inputs.raw says nothing of 'b_phi'"):
        preparation({"y": "a_pt"}, {k: v for k, v in RAW.items() if k != "*_phi"} | {"a_phi": RAW["*_phi"]})
    with pytest.raises(InputError, match=r"'a_pt' is no Level-1 object's"):
        preparation({"y": "a_pt"}, "l1-scales")
