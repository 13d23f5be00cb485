"""The C++ emulator, built with g++: equal to exact arithmetic through both of its interfaces, whatever the graph."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.probes import probe_codes
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QUANT_MODES, RoundingMode
from codesign.graph.reader import read_graph
from codesign.handoff import check_bundle, read_manifest, write_bundle
from codesign.handoff.emulator import Emulator, build_emulator, emulator_name, load_emulator, write_emulator
from codesign.handoff.emulator.circuit import Circuit, Integers
from tests.families.mlp_networks import CONFIGS
from tests.flows import small_designs
from tests.graph.graphs import GraphBuilder, design_of
from tests.graph.reader_graphs import KIND, everything, squares

pytestmark = pytest.mark.skipif(not (shutil.which("g++") and shutil.which("make")), reason="g++ or make is missing")


def exact(design, codes):
    return design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))


def built(design, folder, name="design"):
    # what is proven must not even be doubted by the compiler
    return load_emulator(build_emulator(write_emulator(design, name, folder), archflags="-Werror"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A design with every operator, and its emulator."""
    design = design_of(everything(np.random.default_rng(0)), KIND, 6)
    return design, built(design, tmp_path_factory.mktemp("small"))


def assert_equal(design, emulator, codes):
    expected = exact(design, codes)
    assert len(np.unique(expected, axis=0)) > 1
    np.testing.assert_array_equal(emulator.predict(codes), expected)
    np.testing.assert_array_equal(emulator.predict_any(codes), expected)


def roundings(rng):
    """Every rounding mode, signed and not, narrow or not, clipped or not; products of signals; a dead one; tables."""
    b = GraphBuilder(3)
    fine = b.node("MatMul", "x", b.constant(rng.integers(-9, 10, (3, 3)) / 16))
    parts = ["x", b.node("Mul", "x", fine), b.node("Mul", "x", b.constant(np.zeros(3)))]
    for mode in QUANT_MODES:
        parts += [
            b.quant(fine, 0.25, 4, 1, 0, mode.value),
            b.quant(fine, 1.0, 3, 0, 1, mode.value),
            b.quant(fine, 2.0, 8, 1, 1, mode.value),
            b.quant(fine, 2.0**30, 8, 1, 0, mode.value),
            b.quant("x", 0.125, 4, 1, 1, mode.value),
        ]
    parts += [b.quant("x", 1.0, 1), b.node("BipolarQuant", fine, b.constant(0.5))]
    code = b.quant(fine, 0.25, 5, 1, 0)
    parts += [
        b.node("Table", code, b.constant(rng.integers(-200, 200, (3, 32)) / 8), k=1, i=2, f=2),
        b.node("Table", b.quant("x", 1.0, 3, 0), b.constant(np.square(np.arange(8.0)) * 4096), k=0, i=3, f=0),
        b.node("MultiThreshold", fine, b.constant(rng.integers(-9, 9, (3, 4)) / 16)),
    ]
    return b.finish(b.node("Concat", *parts, axis=1), 3 * len(parts))


def wide(bits):
    """Accumulators beyond what float32 tools could check, whose widths only the emulator's own proof covers."""
    rng = np.random.default_rng(bits)
    kind = FixedPoint(signed=True, integer_bits=bits // 2, fraction_bits=0)
    b = GraphBuilder(5)
    weights = b.constant(rng.integers(-1, 2, (5, 8)) * 2.0 ** (bits // 2 - 1) + rng.integers(-3, 4, (5, 8)))
    total = b.node("Add", b.node("MatMul", "x", weights), b.constant(rng.integers(-9, 9, 8)))
    scale = 2.0 ** (bits // 2)
    parts = [b.quant(total, scale, 24, 1, 0, mode.value) for mode in (RoundingMode.ROUND, RoundingMode.HALF_DOWN)]
    content = b.finish(b.node("Concat", *parts, axis=1), 16)
    return content, kind, FixedPoint(signed=True, integer_bits=23 + bits // 2, fraction_bits=-(bits // 2))


@pytest.mark.parametrize("config", CONFIGS)
def test_networks(config, tmp_path):
    _, design, codes = small_designs.design_of(config)
    emulator = built(design, tmp_path)
    assert (emulator.inputs, emulator.outputs, emulator.design) == (16, 5, design.hash)
    assert_equal(design, emulator, np.concatenate([codes, probe_codes(design.inputs)]))


def test_every_operator(small):
    assert_equal(*small, probe_codes(small[0].inputs))


def test_squares_and_products(tmp_path):
    design = design_of(squares(np.random.default_rng(1)), KIND, 6)
    assert_equal(design, built(design, tmp_path), probe_codes(design.inputs))
    assert all(node.low >= 0 for node in Circuit.of(design).outputs[:10]), "a square is never negative"


def test_every_rounding(tmp_path):
    design = design_of(roundings(np.random.default_rng(2)), KIND, 3)
    assert_equal(design, built(design, tmp_path), probe_codes(design.inputs))


@pytest.mark.parametrize("bits", [14, 28, 34, 44])
def test_as_wide_as_needed(bits, tmp_path):
    content, kind, out = wide(bits)
    inputs = InputQuantisation(
        features=tuple("abcde"), units=("1",) * 5, offset=(0.0,) * 5, step=(1.0,) * 5, types=(kind,) * 5
    )
    port = Port(name="y", types=(out,) * 16, labels=tuple(f"y{i}" for i in range(16)))
    design = Design(content, inputs, port)
    widest = 64 if bits > 30 else 32
    write_emulator(design, "design", tmp_path)
    kernel = (tmp_path / "design_v1.cpp").read_text().split("struct Block", 1)[1].split("BLOCK", 1)[0]
    assert f"<std::int{widest}_t>" in kernel
    assert widest == 64 or "int64" not in kernel
    assert_equal(design, built(design, tmp_path), probe_codes(design.inputs))


def test_long_sums_are_added_in_parts(tmp_path):
    rng = np.random.default_rng(4)
    b = GraphBuilder(150)
    weights = rng.integers(-3, 4, (150, 3)) * np.array([1.0, 1.0, 2.0**10])  # sums of 16 bits, and of 32
    total = b.node("Add", b.node("MatMul", "x", b.constant(weights)), b.constant([3.0, 0.0, -5.0]))
    content = b.finish(b.node("Concat", total, b.quant(total, 8.0, 6, 1, 0, "ROUND"), axis=1), 6)
    design = design_of(content, KIND, 150)
    emulator = built(design, tmp_path)
    assert_equal(design, emulator, probe_codes(design.inputs))
    longest = max(text.count("[e]") for text in (tmp_path / "design_v1.cpp").read_text().split("for (std::size_t e"))
    assert 60 < longest < 70


def test_no_undefined_behaviour(tmp_path):
    """The compiler's own sanitiser ends the process at the first overflow, bad shift or access."""
    design = design_of(roundings(np.random.default_rng(3)), KIND, 3)
    flags = "-O1 -fsanitize=undefined,bounds -fsanitize-undefined-trap-on-error"
    path = build_emulator(write_emulator(design, "checked", tmp_path), archflags=flags)
    np.save(tmp_path / "codes.npy", probe_codes(design.inputs))
    code = (
        "import sys, numpy as np; from codesign.handoff.emulator import load_emulator; e = load_emulator(sys.argv[1]); "
        "c = np.load(sys.argv[2]); assert (e.predict(c) == e.predict_any(c)).all()"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(tmp_path / "codes.npy")], check=True)


def test_a_wrong_constant_is_found(tmp_path):
    _, design, _ = small_designs.design_of(CONFIGS[1])
    codes = probe_codes(design.inputs)
    path = write_emulator(design, "design", tmp_path) / "design_v1.cpp"
    text = path.read_text()
    found = list(re.finditer(r"\* (-?\d+)\b", text[text.index("struct Block") :]))
    place = found[len(found) // 2]
    start = text.index("struct Block")
    path.write_text(text[: start + place.start(1)] + str(int(place[1]) + 1) + text[start + place.end(1) :])
    wrong = load_emulator(build_emulator(tmp_path))
    expected = exact(design, codes)
    assert not np.array_equal(wrong.predict(codes), expected)
    assert not np.array_equal(wrong.predict_any(codes), expected)


def test_any_number_of_events_and_the_ports_low_bits(small):
    design, emulator = small
    codes = probe_codes(design.inputs)
    expected = exact(design, codes)
    for events in (0, 1, 127, 128, 129, 300):
        np.testing.assert_array_equal(emulator.predict(codes[:events]), expected[:events])
    np.testing.assert_array_equal(emulator.predict(codes + (3 << KIND.width)), expected)
    assert emulator.predict(codes).dtype == np.int32


def test_bounds_are_within_the_ports():
    for config in CONFIGS:
        _, design, _ = small_designs.design_of(config)
        low, high = design.outputs.bounds
        for node, least, most in zip(Circuit.of(design).outputs, low, high, strict=True):
            assert least <= node.low <= node.high <= most


def test_wrong_codes_are_refused(small, tmp_path):
    _, emulator = small
    with pytest.raises(InputError, match=r"shape \(4, 5\): the emulator takes \(events, 6\)"):
        emulator.predict(np.zeros((4, 5), dtype=np.int64))
    for bad in (np.full((4, 6), 1 << 40), np.full((4, 6), 0.5)):
        with pytest.raises(InputError, match="beyond 32 bits, or no integers"):
            emulator.predict_any(bad)
    (tmp_path / "no.so").write_bytes(b"no library")
    with pytest.raises(ToolError, match="cannot be loaded"):
        Emulator(tmp_path / "no.so")
    with pytest.raises(InputError, match="holds no emulator"):
        build_emulator(tmp_path / "nowhere")


def test_two_emulators_in_one_process(small, tmp_path):
    other = design_of(everything(np.random.default_rng(1)), KIND, 6)
    for design, emulator in ((other, built(other, tmp_path)), small):
        assert_equal(design, emulator, probe_codes(design.inputs))


def test_names_and_labels_are_text_only(tmp_path):
    assert emulator_name("jets, made up") == "jets_made_up"
    assert emulator_name("__2 $") == "design_2"
    assert emulator_name("") == "design"
    design = design_of(everything(np.random.default_rng(0)), KIND, 6)
    for name in ("a b", "a__b", "_a", "a;", "../a", ""):
        with pytest.raises(InputError, match="is no name"):
            write_emulator(design, name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    # what ends a comment, continues a line, starts one, or is a place holder of ours
    evil = ("*/ \\", "a\n#error", "??/", "b\r#error", "\u2028", "@KERNEL@")
    q = design.input_quantisation.model_copy(update={"features": evil})
    changed = Design(design.onnx, q, design.outputs)
    assert built(changed, tmp_path).inputs == 6


def test_codes_beyond_32_bits_are_refused(tmp_path):
    design = design_of(
        everything(np.random.default_rng(0)), FixedPoint(signed=True, integer_bits=3, fraction_bits=2), 6
    )
    broad = FixedPoint(signed=False, integer_bits=32, fraction_bits=0)
    q = design.input_quantisation.model_copy(update={"types": (broad,) * 6})
    with pytest.raises(UnsupportedError, match="32 bits"):
        write_emulator(Design(design.onnx, q, design.outputs), "design", tmp_path)


HOST = r"""
#include <dlfcn.h>
#include <cstdio>
#include <string>
#include "design_v1.h"
using namespace design_v1;
int main(int, char** argv) {
  void* library = dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL);
  if (!library) return 1;
  auto* create = reinterpret_cast<decltype(&create_model)>(dlsym(library, "create_model"));
  auto* destroy = reinterpret_cast<decltype(&destroy_model)>(dlsym(library, "destroy_model"));
  hls4mlEmulator::Model* model = create();
  Input in;
  for (int& code : in) if (std::scanf("%d", &code) != 1) return 2;
  Output out, again;
  model->prepare_input(in);
  model->predict();
  model->read_result(&out);
  std::int32_t* first = in.data();
  model->prepare_input(first);
  model->predict();
  model->read_result(again.data());
  if (out != again) return 3;
  const std::int32_t* fixed = first;
  model->prepare_input(fixed);
  int refused = 0;
  try { model->prepare_input(std::string("text")); } catch (const std::bad_any_cast&) { ++refused; }
  try { model->read_result(out); } catch (const std::bad_any_cast&) { ++refused; }
  destroy(model);
  for (int code : out) std::printf("%d ", code);
  return refused == 2 ? 0 : 4;
}
"""


def test_a_host_that_loads_it_as_cmssw_does(tmp_path):
    design = design_of(everything(np.random.default_rng(4)), KIND, 6)
    path = build_emulator(write_emulator(design, "design", tmp_path))
    (tmp_path / "host.cpp").write_text(HOST)
    subprocess.run(
        ["g++", "-std=c++17", "-Wall", "-Werror", "host.cpp", "-o", "host", "-ldl"], cwd=tmp_path, check=True
    )
    codes = probe_codes(design.inputs)[-1:]
    given = " ".join(map(str, codes[0]))
    done = subprocess.run([tmp_path / "host", path], input=given, capture_output=True, text=True)
    assert done.returncode == 0
    assert [int(v) for v in done.stdout.split()] == exact(design, codes)[0].tolist()


def test_the_same_design_gives_the_same_source(tmp_path):
    _, design, _ = small_designs.design_of(CONFIGS[0])
    one, two = (write_emulator(design, "design", tmp_path / f) for f in "ab")
    assert sorted(p.name for p in one.iterdir()) == ["Makefile", "design_v1.cpp", "design_v1.h", "emulator.h"]
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_the_bundle_holds_it_and_it_predicts_the_golden_vectors(run, trial, tmp_path):
    bundle = write_bundle(run.path, trial, tmp_path / "bundle")
    assert check_bundle(bundle) == []
    listed = {f.path for f in read_manifest(bundle).files}
    written = {p.relative_to(bundle).as_posix() for p in (bundle / "emulator").iterdir()}
    assert written <= listed
    (header,) = [p for p in written if p.endswith("_v1.h")]
    assert header.removeprefix("emulator/") in (bundle / "README.md").read_text()
    emulator = load_emulator(build_emulator(bundle / "emulator"))
    golden = np.load(bundle / "golden.npz")
    np.testing.assert_array_equal(emulator.predict(golden["inputs"]), golden["outputs"])
    np.testing.assert_array_equal(emulator.predict_any(golden["inputs"]), golden["outputs"])


def test_a_bound_is_known_to_what_comes_after_it():
    """A clip, a choice and an absolute value by their own ends: by those of what they are made of, each grows."""
    domain = Integers()
    kind = FixedPoint(signed=True, integer_bits=7, fraction_bits=0)
    a, b = (np.array([[domain.input(i, kind)]], dtype=object) for i in (0, 1))
    clipped = domain.minimum(domain.maximum(a, np.array(-2.0)), np.array(5.5))
    choice = domain.at_least(a, b)
    given = {
        "clip": (clipped, (-2, 5.5)),
        "choice": (domain.select(choice, clipped, np.array(3.0)), (-2, 5.5)),
        "larger": (domain.maximum(clipped, b), (-2, 127)),
        "smaller": (domain.minimum(clipped, b), (-128, 5.5)),
        "absolute": (domain.absolute(b), (0, 128)),
    }
    assert {name: tuple(map(float, out[0, 0].ends)) for name, (out, _) in given.items()} == {
        name: ends for name, (_, ends) in given.items()
    }
