"""Files that others published: lowered, and equal to what real arithmetic makes of them. Skipped where they are not."""

import numpy as np
import onnx
import pytest

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.exact import Exact
from codesign.graph.lowering import lower
from codesign.graph.passes.folding import real_values
from codesign.graph.reader import read_graph
from codesign.testing.graphs import port_of_one_kind

PIXEL, BIT = (FixedPoint(signed=s, integer_bits=i, fraction_bits=f) for s, i, f in ((False, 0, 8), (True, 1, 0)))
FEATURE = FixedPoint(signed=True, integer_bits=6, fraction_bits=10)
#: file -> its inputs' type and number, and what is left out behind its outputs
FILES = {
    "TFC_1W2A.onnx": (PIXEL, 784, ["what Sub_49 does to all outputs alike"]),
    "unsw_nb15-mlp-w2a2.onnx": (BIT, 600, []),
    "qkeras_jettagging.onnx": (FEATURE, 16, ["Softmax"]),
}


def without_softmax(content):
    """The file up to its last node."""
    model = onnx.load_from_string(content)
    model.graph.output[0].name = model.graph.node[-1].input[0]
    del model.graph.node[-1], model.graph.value_info[:]
    return model.SerializeToString()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_published_network_is_what_real_arithmetic_makes_of_it(name, published_data):
    path = published_data(f"models/{name}")
    kind, size, dropped = FILES[name]
    content, port = path.read_bytes(), port_of_one_kind(kind, size).port
    found = lower(content, port, order_only=True)
    assert [d.what for d in found.dropped] == dropped
    codes = np.random.default_rng(0).integers(kind.minimum, kind.maximum + 1, (10, size))
    values = port.values(codes)
    ours = read_graph(found.content).run(values, Exact())
    real = real_values(without_softmax(content) if dropped == ["Softmax"] else content, values)
    if dropped and dropped != ["Softmax"]:  # a factor and an offset, the same for all
        low, high = np.unravel_index(ours.argmin(), ours.shape), np.unravel_index(ours.argmax(), ours.shape)
        factor = (real[high] - real[low]) / int(ours[high] - ours[low])
        real = np.vectorize(lambda v: (v - real[low]) / factor + int(ours[low]), otypes=[object])(real)
        assert factor > 0
    assert ours.shape == real.shape
    assert all(ours[place] == real[place] for place in np.ndindex(*ours.shape))
