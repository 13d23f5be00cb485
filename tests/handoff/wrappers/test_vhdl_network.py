"""The network as VHDL: in GHDL, and as Verilog that GHDL made of it, the integers of the Verilog and of the graph."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from wrapper_designs import compiled, needs_ghdl, typed

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation
from codesign.core.probes import probe_codes
from codesign.flows.alkaid.alkaid_vhdl import write_vhdl
from codesign.flows.alkaid.flow import AlkaidSettings
from codesign.rtl.packing import pack, unpack
from codesign.rtl.signatures import Pin, Signature
from codesign.tools import ghdl
from codesign.verify.pin_simulation import play_in_ghdl, play_in_verilator
from codesign.verify.rtl import simulate
from tests.graph.graphs import GraphBuilder


def quantisation(kinds):
    n = len(kinds)
    return InputQuantisation(
        features=tuple(f"x{i}" for i in range(n)), units=("1",) * n, offset=(0.0,) * n, step=(1.0,) * n, types=kinds
    )


def various():
    """Signed and unsigned numbers of several grids, a square, a table, and an output that is always 0."""
    kinds = tuple(FixedPoint(signed=i % 2 == 0, integer_bits=3, fraction_bits=i % 3) for i in range(5))
    q = quantisation(kinds)
    rng = np.random.default_rng(2)
    b = GraphBuilder(5)
    hidden = b.quant(b.layer("x", rng.integers(-7, 8, (5, 4)) / 8), 0.25, 5, 0, 0, "HALF_UP")
    squared = b.node("Mul", hidden, hidden)
    looked_up = b.constant(rng.integers(-8, 8, (1, 32)) / 4.0)
    table = b.node("Table", hidden, looked_up, k=0, i=3, f=2)
    both = b.node("Concat", squared, table, axis=1)
    weights = rng.integers(-7, 8, (8, 4)) / 4
    weights[:, 3] = 0
    return typed(b.finish(b.layer(both, weights), 4), q, 4)


def played(network, design, codes, folder, work, verilator):
    """Output codes, an event each clock."""
    signature = Signature(
        network.top, "clk", (Pin("model_inp", "in", design.inputs.width), Pin("model_out", "out", design.outputs.width))
    )
    clocks = [{"model_inp": int(word, 16)} for word in pack(design.inputs, codes)]
    clocks += [clocks[-1]] * network.latency_cycles
    sources = [folder / name for name in network.sources]
    if verilator:
        found = play_in_verilator(signature, sources, [], clocks, work)
    else:
        found = play_in_ghdl(signature, sources, clocks, work)
    words = [f"{row['model_out']:x}" for row in found[network.latency_cycles :]]
    return unpack(design.outputs, words)


@pytest.mark.slow
@needs_ghdl
def test_vhdl_gives_the_integers_of_the_verilog(tmp_path):
    """In GHDL, translated in Verilator, and the Verilog that the flow wrote, pipelined alike: every output equal."""
    design = various()
    codes = np.concatenate([probe_codes(design.inputs)[:200], probe_codes(design.inputs)[-100:]])
    own = compiled(design, codes, tmp_path / "firmware", AlkaidSettings(stage_delay=2))
    network = write_vhdl(own.firmware, tmp_path / "vhdl", 2.0)
    assert network.latency_cycles == own.firmware.latency_cycles > 2
    assert any(name.endswith("_tables.vhd") for name in network.sources)
    verilog = simulate(own.firmware, codes, tmp_path / "verilog")
    assert verilog.latency_cycles == network.latency_cycles
    np.testing.assert_array_equal(verilog.outputs, own.outputs)
    for verilator in (False, True):
        found = played(network, design, codes, tmp_path / "vhdl", tmp_path / f"work{verilator}", verilator)
        np.testing.assert_array_equal(found, own.outputs)


@pytest.mark.slow
@needs_ghdl
def test_a_wrong_bit_in_the_vhdl_is_seen(tmp_path):
    design = various()
    codes = probe_codes(design.inputs)[:60]
    own = compiled(design, codes, tmp_path / "firmware")
    network = write_vhdl(own.firmware, tmp_path / "vhdl", 4.0)
    top = tmp_path / "vhdl" / f"{network.top}.vhd"
    text = top.read_text()
    wrong = re.sub(r"(model_out\(\d+ downto \d+\) <= )core_out", r"\1not core_out", text, count=1)
    assert wrong != text
    top.write_text(wrong)
    assert (played(network, design, codes, tmp_path / "vhdl", tmp_path / "wrong", False) != own.outputs).any()
    top.write_text(text)
    np.testing.assert_array_equal(
        played(network, design, codes, tmp_path / "vhdl", tmp_path / "right", False), own.outputs
    )


@pytest.mark.slow
@needs_ghdl
def test_another_clock_is_another_pipeline_of_the_same_circuit(tmp_path, level1):
    short = write_vhdl(level1.firmware, tmp_path / "short", 2.0)
    long = write_vhdl(level1.firmware, tmp_path / "long", 40.0)
    assert short.latency_cycles > long.latency_cycles
    few = level1.inputs[:40]
    for name, network in (("short", short), ("long", long)):
        found = played(network, level1.design, few, tmp_path / name, tmp_path / "work" / name, False)
        np.testing.assert_array_equal(found, level1.outputs[:40])


def test_folded_firmware_is_not_written_as_vhdl(tmp_path, level1):
    folded = level1.firmware.extra | {"by_items": True}
    with pytest.raises(UnsupportedError, match=r"only firmware that is one circuit"):
        write_vhdl(
            type(level1.firmware)(
                design=level1.design, target=level1.firmware.target, folder=level1.firmware.folder,
                rtl=level1.firmware.rtl, extra=folded,
            ),
            tmp_path, 4.0,
        )  # fmt: skip


def test_a_missing_ghdl_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match=r"^ghdl is missing: apt install ghdl"):
        ghdl.analyse([tmp_path / "a.vhd"], tmp_path)
