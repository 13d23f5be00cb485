"""A network on items, (8, 3), with a dead channel and items that are absent: exact in every domain and in its RTL."""

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.finn.flow import Finn
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.training.export import qonnx_codes
from codesign.verify.rtl import verify
from tests.graph.everywhere import design_for, equal_everywhere
from tests.graph.qonnx_models import QONNX, constant, model

KIND = FixedPoint(signed=True, integer_bits=2, fraction_bits=1)
ITEMS = 8


def quantised(x, y, bits, signed=0):
    return ("Quant", [x, "half", "zero", bits], [y], {"domain": QONNX, "signed": signed, "narrow": 0,
                                                      "rounding_mode": "ROUND"})  # fmt: skip


def on_items(pooled, items=ITEMS):
    """Two shared layers, a sum or maximum over the items, and a head of two classes."""
    rng = np.random.default_rng(5)
    first, second, head = (rng.integers(-3, 4, s) / 2 for s in ((3, 5), (5, 4), (4, 2)))
    first[:, 2] = 0  # a dead channel, with a bias that rounds half to even
    constants = [constant(n, v) for n, v in (("w1", first), ("w2", second), ("w3", head))]
    constants += [constant("b1", [0.5, -1, 0.75, 0, 1.5]), constant("axis", [1], np.int64)]
    constants += [constant(n, v) for n, v in (("half", 0.5), ("zero", 0.0), ("four", 4.0), ("six", 6.0))]
    return model(
        [
            ("MatMul", ["x", "w1"], ["a"], {}),
            ("Add", ["a", "b1"], ["b"], {}),
            ("Relu", ["b"], ["c"], {}),
            quantised("c", "d", "four"),
            ("MatMul", ["d", "w2"], ["e"], {}),
            quantised("e", "f", "six", 1),
            (pooled, ["f", "axis"], ["g"], {"keepdims": 0}),
            ("MatMul", ["g", "w3"], ["y"], {}),
        ],
        constants,
        shape=("events", items, 3),
        out=("events", 2),
    )


def events(number, items=ITEMS):
    codes = np.random.default_rng(1).integers(KIND.minimum, KIND.maximum + 1, (number, items, 3))
    codes[::3, items // 2 :] = 0  # items that are absent
    return codes.reshape(number, -1)


@pytest.mark.parametrize("pooled", ["ReduceSum", "ReduceMax"])
def test_items_are_exact_in_every_domain(pooled):
    design = design_for(on_items(pooled), [KIND] * (3 * ITEMS))
    codes = events(200)
    truth = equal_everywhere(design, codes)
    assert np.array_equal(qonnx_codes(design, codes), truth)
    assert len(np.unique(truth, axis=0)) > 50


def test_items_are_exact_in_rtl(tmp_path):
    design = design_for(on_items("ReduceSum", 2), [KIND] * 6)
    codes = events(120, 2)
    firmware = Alkaid().compile(design, load_target("vu13p-360"), tmp_path / "firmware")
    references = {"exact": equal_everywhere(design, codes, hardware=False)}
    verdict = verify(firmware, codes, references, tmp_path / "simulation")
    assert verdict.exact, verdict.first_difference
    assert verdict.events == len(codes)


@pytest.mark.parametrize("flow", [Hls4ml, Finn])
def test_a_flow_without_a_maximum_over_items_refuses_it_by_name(flow, tmp_path):
    design = design_for(on_items("ReduceMax"), [KIND] * (3 * ITEMS))
    if not flow().available().available:
        pytest.skip(f"{flow.name}: {flow().available().reason}")
    with pytest.raises(UnsupportedError, match=f"flow {flow.name}"):
        flow().compile(design, load_target("vu13p-360"), tmp_path / "firmware")
