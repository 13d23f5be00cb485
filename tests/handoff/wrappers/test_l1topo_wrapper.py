"""An algorithm of L1Topo's kind: VHDL in GHDL and C++ give the same bits for the same objects."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from wrapper_designs import compiled, needs_ghdl, typed

from codesign.core.fixedpoint import FixedPoint, InputQuantisation
from codesign.handoff.emulator import build_emulator, write_emulator
from codesign.handoff.wrappers.destination import Golden, simulate_destination, write_destination
from codesign.handoff.wrappers.wrapper import play
from tests.graph.graphs import GraphBuilder

OBJECTS = {"em0": ("et", "eta", "phi"), "em1": ("et", "eta", "phi"), "jet0": ("et", "eta", "phi"), "met": ("et", "phi")}
NAMES = tuple(f"{kind}_{value}" for kind, values in OBJECTS.items() for value in values)


def design():
    """Objects of ten, seven and six bits, some of which saturate, to one score."""
    ends = [name.rpartition("_")[2] for name in NAMES]
    kinds = tuple(FixedPoint(signed=end != "et", integer_bits=5 if end != "et" else 6, fraction_bits=0) for end in ends)
    q = InputQuantisation(
        features=NAMES, units=("",) * len(NAMES), types=kinds,
        offset=tuple(24.0 if e == "et" else 0.0 for e in ends), step=tuple(8.0 if e == "et" else 2.0 for e in ends),
    )  # fmt: skip
    rng = np.random.default_rng(4)
    b = GraphBuilder(len(NAMES))
    hidden = b.quant(b.layer("x", rng.integers(-3, 4, (len(NAMES), 5)) * 0.25), 2, 6, 0, 0, "HALF_UP")
    return typed(b.finish(b.quant(b.layer(hidden, rng.integers(-1, 4, (5, 1)) * 0.25), 1, 7, 0), 1), q, 1)


@pytest.fixture(scope="module")
def topo(tmp_path_factory):
    own, rng = design(), np.random.default_rng(2)
    low, high = own.inputs.bounds
    low = np.where([n.endswith("et") for n in NAMES], -3, np.where([n.endswith("phi") for n in NAMES], -16, low))
    high = np.where([n.endswith("phi") for n in NAMES], 15, high)
    folder = tmp_path_factory.mktemp("topo")
    made = compiled(own, rng.integers(low, high + 1, (120, len(NAMES))), folder / "firmware")
    return (
        made,
        folder / "l1topo",
        write_destination("l1topo", made.firmware, Golden(made.inputs, made.outputs), folder / "l1topo"),
    )


@needs_ghdl
def test_the_bit_of_every_event_at_every_threshold(tmp_path, topo):
    made, folder, written = topo
    events, difference = simulate_destination(written, folder, tmp_path)
    assert difference is None
    assert events > 60
    bits = [row["Results"] for row in written.benches[0].expected if "Results" in row]
    assert 10 < sum(bits) < len(bits) - 10
    rows = json.loads((folder / "athena_inputs.json").read_text())
    assert [row["name"] for row in rows] == list(NAMES)
    assert {row["object"] for row in rows} == {0, 1, 2, 3}
    assert made.design.inputs.labels == NAMES


@needs_ghdl
@pytest.mark.slow
def test_translated_and_with_a_planted_fault(tmp_path, topo):
    _, folder, written = topo
    assert simulate_destination(written, folder, tmp_path / "verilator", verilator=True)[1] is None
    copy = shutil.copytree(folder, tmp_path / "l1topo")
    path = copy / "codesign_l1topo.vhd"
    path.write_text(path.read_text().replace(">= signed('0' & Parameters(0))", "> signed('0' & Parameters(0))"))
    assert play(written.benches[0], written.network, copy, tmp_path / "wrong") is not None


MAIN = """
#include "l1topo.h"
#include <iostream>
int main() {
  codesign_l1topo::GenericTOB tobs[codesign_l1topo::objects];
  std::int32_t expected = 0, events = 0;
  while (true) {
    for (auto& tob : tobs) std::cin >> tob.Et >> tob.Eta >> tob.Phi;
    if (!(std::cin >> expected)) break;
    if (codesign_l1topo::score(tobs) != expected) return 1;
    if (!codesign_l1topo::result(tobs, expected) || codesign_l1topo::result(tobs, expected + 1)) return 2;
    ++events;
  }
  std::cout << events;
}
"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") and shutil.which("make")), reason="g++ or make is missing")
def test_the_same_in_cpp(tmp_path, topo):
    made, folder, written = topo
    library = build_emulator(write_emulator(made.design, "topo", tmp_path / "emulator"))
    (tmp_path / "main.cpp").write_text(MAIN)
    program = tmp_path / "main"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1", "-I", str(folder / "cpp")]
    subprocess.run(["g++", *flags, str(tmp_path / "main.cpp"), str(library), "-o", str(program)], check=True)
    objects = (folder / "test/objects.txt").read_text()
    done = subprocess.run([str(program)], input=objects, capture_output=True, text=True, check=True)
    assert int(done.stdout) == written.benches[0].events
