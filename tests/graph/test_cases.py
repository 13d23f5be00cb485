"""Small graphs as people write them: exact in every domain and as onnxruntime has it, or refused with the reason."""

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from codesign.core.errors import CodesignError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.nodes import QONNX
from tests.graph.everywhere import QUIET, design_for, equal_everywhere, exact_codes
from tests.graph.qonnx_models import constant, model

KIND = FixedPoint(signed=True, integer_bits=3, fraction_bits=0)


def codes_for(size):
    """Every corner and many others of four-bit inputs."""
    rng = np.random.default_rng(0)
    corners = np.array(list(itertools.product((-8, -1, 0, 7), repeat=min(size, 4))))
    corners = np.pad(corners, ((0, 0), (0, size - corners.shape[1])), constant_values=3)
    return np.concatenate([corners, rng.integers(-8, 8, (400, size))])


def runtime(content, values, shape):
    session = onnxruntime.InferenceSession(content, QUIET, providers=["CPUExecutionProvider"])
    one_by_one = isinstance(session.get_inputs()[0].shape[0], int)
    x = values.reshape(len(values), *shape).astype(np.float32)
    pieces = [x[i : i + 1] for i in range(len(x))] if one_by_one else [x]
    return np.concatenate([np.reshape(session.run(None, {"x": p})[0], (len(p), -1)) for p in pieces])


SPARSE = helper.make_sparse_tensor(constant("sv", [1.0, -2.0]), constant("si", [1, 3], np.int64), [4])
IDENTITY = np.eye(4)
FOUR = {"shape": ("events", 4)}
EXACT = {
    "constant value_float": (([("Constant", [], ["k"], {"value_float": 0.5}), ("Mul", ["x", "k"], ["y"], {})],), {}),
    "constant value_floats": (
        ([("Constant", [], ["k"], {"value_floats": [1.0, 2, 0, -4]}), ("Add", ["x", "k"], ["y"], {})],),
        {},
    ),
    "constant value_int": (
        (
            [
                ("Constant", [], ["i"], {"value_int": 2}),
                ("Cast", ["i"], ["k"], {"to": 1}),
                ("Mul", ["x", "k"], ["y"], {}),
            ],
        ),
        {},
    ),
    "constant value_ints": (
        ([("Constant", [], ["k"], {"value_ints": [-1, 4]}), ("Reshape", ["x", "k"], ["y"], {})],),
        {},
    ),
    "constant value": (
        ([("Constant", [], ["k"], {"value": constant("v", [1, 2, 3, 4])}), ("Sub", ["k", "x"], ["y"], {})],),
        {},
    ),
    "constant sparse_value": (
        ([("Constant", [], ["k"], {"sparse_value": SPARSE}), ("Add", ["x", "k"], ["y"], {})],),
        {"compare": False},  # onnxruntime has no sparse constants in every build
    ),
    "neg": (([("Neg", ["x"], ["y"], {})],), {}),
    "div by a power of two": (([("Div", ["x", "w"], ["y"], {})], [constant("w", 4.0)]), {}),
    "flatten -1": (([("Flatten", ["x"], ["y"], {"axis": -1})],), {}),
    "concat with a constant": (
        ([("Concat", ["x", "w"], ["y"], {"axis": 1})], [constant("w", [[1.0, -2.0]])]),
        {"out": ("events", 6), "shape": (1, 4)},
    ),
    "reduce to one number": (
        ([("ReduceSum", ["x", "a"], ["y"], {"keepdims": 0})], [constant("a", [1], np.int64)]),
        {"out": ("events",)},
    ),
    "matmul with a vector": (
        ([("MatMul", ["x", "w"], ["y"], {})], [constant("w", [1.0, 0, -2, 3])]),
        {"out": ("events",)},
    ),
    "output of two axes": (
        ([("Reshape", ["x", "s"], ["y"], {})], [constant("s", [-1, 2, 2], np.int64)]),
        {"out": ("events", 2, 2)},
    ),
    "input of two axes": (
        ([("MatMul", ["x", "w"], ["m"], {}), ("Flatten", ["m"], ["y"], {})], [constant("w", [[1.0, 2], [3, -1]])]),
        {"shape": ("events", 2, 2)},
    ),
    "a shared layer with a dead row": (
        ([("MatMul", ["x", "w"], ["m"], {}), ("Flatten", ["m"], ["y"], {})], [constant("w", [[1.0, 0], [0, 0]])]),
        {"shape": ("events", 2, 2)},
    ),
    "a sum over a dead row": (
        (
            [
                ("Mul", ["x", "w"], ["m"], {}),
                ("ReduceSum", ["m", "a"], ["s"], {"keepdims": 1}),
                ("Flatten", ["s"], ["y"], {}),
            ],
            [constant("w", [[1.0, 2], [0, 0]]), constant("a", [2], np.int64)],
        ),
        {"shape": ("events", 2, 2), "out": ("events", 2)},
    ),
    "product of two signals": (
        (
            [
                ("Gather", ["x", "i"], ["a"], {"axis": 1}),
                ("Gather", ["x", "j"], ["b"], {"axis": 1}),
                ("Mul", ["a", "b"], ["y"], {}),
            ],
            [constant("i", [0, 1], np.int64), constant("j", [2, 3], np.int64)],
        ),
        {"out": ("events", 2)},
    ),
    "product with half a step": (
        (
            [
                ("Gather", ["x", "i"], ["a"], {"axis": 1}),
                ("Gather", ["x", "j"], ["b"], {"axis": 1}),
                ("Add", ["a", "h"], ["c"], {}),
                ("Mul", ["c", "b"], ["y"], {}),
            ],
            [constant("i", [0], np.int64), constant("j", [2], np.int64), constant("h", 0.5)],
        ),
        {"out": ("events", 1)},
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_written_so_it_is_exact(name):
    arguments, options = EXACT[name]
    options = dict(options)
    compare = options.pop("compare", True)
    content = model(*arguments, **options)
    shape = options.get("shape", ("events", 4))[1:]
    design = design_for(content, [KIND] * int(np.prod(shape)))
    codes = codes_for(design.inputs.size)
    truth = design.outputs.values(equal_everywhere(design, codes))
    if compare:
        assert np.array_equal(runtime(content, design.inputs.values(codes), shape), truth)


MINE = helper.make_function(
    "mine", "Relu", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
)


def test_a_function_of_the_file_is_what_the_file_says():
    content = model([("Relu", ["x"], ["y"], {"domain": "mine"})], functions=[MINE], extra=[("mine", 1)])
    design = design_for(content, [KIND] * 4)
    codes = np.array([[-1, 2, -3, 4], [-8, 7, 0, 1]])
    assert np.array_equal(design.outputs.values(equal_everywhere(design, codes)), -codes)


def endless(domain):
    """Functions that call one another."""
    ours, other = helper.make_node("B", ["a"], ["b"], domain=domain), helper.make_node("A", ["a"], ["b"], domain=domain)
    opsets = [helper.make_opsetid(domain, 1)]
    return [helper.make_function(domain, n, ["a"], ["b"], [i], opsets) for n, i in (("A", ours), ("B", other))]


def exploding(domain, depth=40):
    """Each function calls the next one twice."""
    found = []
    for level in range(depth):
        inner = f"F{level + 1}" if level + 1 < depth else "Neg"
        where = domain if level + 1 < depth else ""
        nodes = [
            helper.make_node(inner, ["a"], ["c"], domain=where),
            helper.make_node(inner, ["c"], ["b"], domain=where),
        ]
        opsets = [helper.make_opsetid(domain, 1), helper.make_opsetid("", 17)]
        found.append(helper.make_function(domain, f"F{level}", ["a"], ["b"], nodes, opsets))
    return found


EXTERNAL = constant("w", IDENTITY)
EXTERNAL.ClearField("raw_data")
EXTERNAL.data_location = TensorProto.EXTERNAL
EXTERNAL.external_data.add(key="location", value="weights.bin")
NAN = np.where(np.arange(16).reshape(4, 4) == 6, np.nan, 1.0)
REFUSED = {
    "a constant that moves the events": (
        ([("Add", ["x", "w"], ["y"], {})], [constant("w", [[[1.0, 2, 3, 4]]])]),
        {},
        "mix events",
    ),
    "a constant for each of four events": (
        ([("Add", ["x", "w"], ["y"], {})], [constant("w", [[1.0]] * 4)]),
        {},
        "mix events",
    ),
    "a matrix of three axes": (([("MatMul", ["x", "w"], ["y"], {})], [constant("w", [IDENTITY])]), {}, "mix events"),
    "a weight that is NaN": (
        ([("MatMul", ["x", "w"], ["y"], {})], [constant("w", NAN)]),
        {},
        r"tensor 'w': nan at \[1, 2\]",
    ),
    "text": (
        ([("Relu", ["x"], ["y"], {})], [helper.make_tensor("s", TensorProto.STRING, [1], [b"a"])]),
        {},
        "tensor 's' holds neither numbers nor bits",
    ),
    "data in another file": (
        ([("MatMul", ["x", "w"], ["y"], {})], [EXTERNAL]),
        {},
        "tensor 'w' lies in another file",
    ),
    "events in another axis": (
        (
            [
                ("Reshape", ["x", "s"], ["a"], {}),
                ("ReduceSum", ["a", "ax"], ["r"], {"keepdims": 1}),
                ("Reshape", ["r", "s1"], ["y"], {}),
            ],
            [constant("s", [2, -1], np.int64), constant("ax", [1], np.int64), constant("s1", [1, -1], np.int64)],
        ),
        {"shape": (1, 4), "out": (1, 2)},
        "would mix events",
    ),
    "a function that calls itself": (
        ([("A", ["x"], ["y"], {"domain": "mine"})],),
        {"functions": endless("mine"), "extra": [("mine", 1)]},
        "calls itself",
    ),
    "functions that explode": (
        ([("F0", ["x"], ["y"], {"domain": "mine"})],),
        {"functions": exploding("mine"), "extra": [("mine", 1)]},
        "more than",
    ),
    "a name of ONNX' in another domain": (
        ([("Relu", ["x"], ["y"], {"domain": "other"})],),
        {"extra": [("other", 1)]},
        "domain 'other'",
    ),
    "an open axis": (([("Relu", ["x"], ["y"], {})],), {"shape": ("events", "n", 2)}, "axis of unknown length"),
    "division by three": (([("Div", ["x", "w"], ["y"], {})], [constant("w", 3.0)]), {}, "no power of two"),
    "a mean over ten": (
        ([("ReduceMean", ["x", "a"], ["y"], {})], [constant("a", [1], np.int64)]),
        {"shape": ("events", 10), "out": ("events", 1)},
        "a mean over 10",
    ),
    "a float bias": (
        (
            [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "b"], ["y"], {})],
            [constant("w", IDENTITY), constant("b", [0.1, 0.2, 0.3, 0.7])],
        ),
        {},
        "'b' is not quantised.*bias_quant=Int16Bias",
    ),
    "two obstacles": (([("Det", ["x"], ["a"], {}), ("Einsum", ["a"], ["y"], {})],), {}, "'Det'.*'Einsum'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_with_the_reason(name):
    arguments, options, reason = REFUSED[name]
    content = model(*arguments, **options)
    lengths = [n if isinstance(n, int) else 2 for n in options.get("shape", ("events", 4))[1:]]
    with pytest.raises(CodesignError, match=reason):
        design_for(content, [KIND] * int(np.prod(lengths)))


def test_a_constant_neuron_that_rounds_half_to_even_is_firmware():
    """A hidden neuron without weights: 0.875 on a grid of 0.25 is half way; alkaid does not wrap what is constant."""
    nodes = [
        ("MatMul", ["x", "w"], ["m"], {}),
        ("Add", ["m", "b"], ["h"], {}),
        ("Quant", ["h", "s", "z", "n"], ["q"], {"domain": QONNX, "signed": 0, "narrow": 0, "rounding_mode": "ROUND"}),
        ("MatMul", ["q", "v"], ["y"], {}),
    ]
    weights = np.where(np.arange(4) == 1, 0.0, 1.0) * np.ones((4, 1))
    given = [constant("w", weights), constant("b", [0.125, 0.875, 0.5, 0.375]), constant("v", IDENTITY)]
    given += [constant("s", 0.25), constant("z", 0.0), constant("n", 4.0)]
    design = design_for(model(nodes, given), [KIND] * 4)
    equal_everywhere(design, codes_for(4))


def test_shared_cases_behave_as_their_readme_says(published_cases):
    """The files themselves, where they are."""
    refused = {"add_col", "add_rank3", "matmul_3d", "nan_const", "string_init", "external_data", "reshape_first_axis"}
    for path in published_cases:
        content = path.read_bytes()
        if path.stem in refused:
            with pytest.raises(CodesignError):
                design_for(content, [KIND] * 4)
            continue
        design = design_for(content, [KIND] * 4)
        equal_everywhere(design, codes_for(4))
        assert exact_codes(design, codes_for(4)).shape[1] == design.outputs.size


@pytest.fixture
def published_cases(published_data):
    from pathlib import Path

    folder = Path(__file__).resolve().parents[3] / "shared" / "cases"
    found = sorted(folder.glob("*.onnx"))
    if not found:
        pytest.skip(f"no cases at {folder}")
    return found
