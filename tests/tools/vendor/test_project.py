"""Vivado's scripts, run in Tcl against stubs of Vivado's commands, and their Verilog through Verilator's lint."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.rtl.firmware import Firmware
from codesign.tools.vendor.project import STREAM_TOP, write_vivado_project
from codesign.tools.verilator import root
from codesign.training.lesson import Subject
from tests.verify.small_firmware import make_small

tkinter = pytest.importorskip("tkinter", reason="Python's own Tcl interpreter runs the scripts")

AMD = ("vu13p-360", "vu13p-240", "vu9p-200", "alveo-u250", "alveo-u55c", "zcu102", "kv260", "pynq-z2")
BOARDS = ("zcu102", "kv260", "pynq-z2")

#: every command that is not Tcl's own is recorded; those that look for something find what the scripts ask for
STUBS = """
set calls {}
proc unknown {name args} {
  lappend ::calls [list $name {*}$args]
  switch $name {
    get_board_parts { return $::board_parts }
    get_property { return $::progress }
    get_bd_cells - get_bd_pins - get_bd_intf_pins { return [lindex $args 0] }
    make_wrapper { return wrapper.v }
  }
  return {}
}
rename file real_file
proc file {what args} {
  if {$what eq "copy"} { lappend ::calls [list file copy {*}$args]; return }
  real_file $what {*}$args
}
"""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return make_small(tmp_path_factory.mktemp("firmware") / "f", events=10, stage_delay=2.0).firmware


def on(firmware: Firmware, name: str) -> Firmware:
    return replace(firmware, target=load_target(name))


def run(script: Path, monkeypatch: pytest.MonkeyPatch, parts: str = "a:1.0 a:1.10", progress: str = "100%") -> list:
    monkeypatch.chdir(script.parent)
    tcl = tkinter.Tcl()
    assert tcl.eval(f"info complete {{{script.read_text()}}}") == "1"
    tcl.eval(STUBS)
    tcl.setvar("board_parts", parts)
    tcl.setvar("progress", progress)
    tcl.eval(f"source {{{script}}}")
    return [tcl.splitlist(call) for call in tcl.splitlist(tcl.eval("set calls"))]


def first(calls: list, name: str) -> int:
    return next(i for i, call in enumerate(calls) if call[0] == name)


@pytest.mark.parametrize("name", AMD)
def test_the_network_alone_is_built_for_every_amd_target(
    firmware: Firmware, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = load_target(name)
    project = write_vivado_project(on(firmware, name), tmp_path)
    calls = run(project.build, monkeypatch)
    read = [Path(c[1]) for c in calls if c[0] == "read_verilog"]
    assert len(read) == len(project.sources) == len(set(read))
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in read)
    order = [first(calls, n) for n in ("read_xdc", "synth_design", "opt_design", "place_design", "route_design")]
    assert order == sorted(order)
    synthesis = calls[first(calls, "synth_design")]
    assert synthesis[1:] == ("-mode", "out_of_context", "-top", firmware.top, "-part", target.part)
    constraint = (tmp_path / "clock.xdc").read_text()
    assert f"-period {target.clock_ns:.4f} [get_ports clk]" in constraint
    assert (project.board is not None) == (name in BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_a_boards_block_design_is_wired_and_leaves_its_bitstream(
    firmware: Firmware, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_vivado_project(on(firmware, name), tmp_path)
    assert project.board is not None
    calls = run(project.board, monkeypatch)
    cells = {call[-1] for call in calls if call[0] == "create_bd_cell"}
    assert cells == {"ps", "reset", "dma", "control", "memory", "network"}
    ends = [pin for call in calls if call[0].startswith("connect_bd") for pin in call[1:]]
    assert {pin.split("/")[0] for pin in ends} == cells
    ones = {"dma/M_AXIS_MM2S", "network/s_axis", "network/m_axis", "dma/S_AXIS_S2MM", "dma/S_AXI_LITE"}
    assert all(ends.count(pin) == 1 for pin in ones)
    clocked = {pin for pin in ends if pin.endswith(("aclk", "ACLK", "_clk"))}
    assert {"network/aclk", "reset/slowest_sync_clk", "dma/m_axi_s2mm_aclk"} <= clocked
    assert all(ends.count(pin) == 1 for pin in clocked)
    added = calls[first(calls, "add_files")][2].split()
    assert {Path(p).name for p in added} >= {f"{STREAM_TOP}.v", "codesign_axi.v", "axi_stream.v"}
    assert all(Path(p).is_file() for p in added)
    assert calls[first(calls, "set_property")][1:3] == ("board_part", "a:1.10")  # the newest that is installed
    made = {Path(call[-1]).name for call in calls if call[:2] == ("file", "copy")}
    assert "codesign.bit" in made
    assert "write_hw_platform" in {call[0] for call in calls}


def test_missing_board_files_and_a_failed_implementation_are_said(
    firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_vivado_project(on(firmware, "kv260"), tmp_path)
    assert project.board is not None
    with pytest.raises(tkinter.TclError, match=r"no board files for .*kv260_som.* install them"):
        run(project.board, monkeypatch, parts="")
    with pytest.raises(tkinter.TclError, match="the implementation failed"):
        run(project.board, monkeypatch, progress="52%")


@pytest.mark.parametrize("trigger", [False, True])
def test_the_stream_of_a_board_passes_the_lint(trigger: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _scored(tmp_path / "f", trigger)
    project = write_vivado_project(made, tmp_path / "project")
    assert project.board is not None
    files = [*(tmp_path / "project" / "axi").glob("*.v"), *(tmp_path / "project" / "src").glob("*.v")]
    command = [
        root() / "bin" / "verilator_bin",
        "--lint-only",
        "--timing",
        "-Wall",
        "-Wno-DECLFILENAME",
        "--top-module",
        STREAM_TOP,
    ]
    own = [f for f in files if f.name == f"{STREAM_TOP}.v"]
    command += [*own, *(f for f in files if f not in own)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"VERILATOR_ROOT": str(root())})
    complaints = [line for line in done.stderr.splitlines() if f"{STREAM_TOP}.v:" in line]
    assert complaints == []
    assert "%Error" not in done.stderr.replace("%Error: Exiting due to", "")
    calls = run(project.board, monkeypatch)
    wired = [pin for call in calls if call[0] == "connect_bd_net" for pin in call[1:]]
    assert ("network/threshold" in wired) == trigger
    assert any(call[-1] == "threshold" for call in calls if call[0] == "create_bd_cell") == trigger


def _scored(folder: Path, trigger: bool) -> Firmware:
    """A small real design, with a score that may be compared with a threshold."""
    import torch

    from codesign.core.fixedpoint import InputQuantisation
    from codesign.families.mlp.config import MLPConfig
    from codesign.families.mlp.family import MLP
    from codesign.training import export

    torch.manual_seed(0)
    x = torch.randn(500, 3)
    names = ("a", "b", "c")
    quantisation = InputQuantisation.fit(x.numpy(), names, ("1",) * 3, 5)
    config = MLPConfig(widths=(4,), weight_bits=(3, 3), activation_bits=(3,), input_bits=5)
    network = MLP().build(config, Subject.of_sizes(3, 1))
    network.calibrate(torch.as_tensor(quantisation.port.values(quantisation.codes(x.numpy())), dtype=torch.float32))
    network.fold()
    design = export.export(network.eval(), quantisation, ("score",), **({"trigger": "score"} if trigger else {}))
    return Alkaid().compile(design, load_target("pynq-z2"), folder)


def test_sources_may_stand_elsewhere(firmware: Firmware, tmp_path: Path) -> None:
    project = write_vivado_project(on(firmware, "vu13p-360"), tmp_path / "vivado", "../firmware")
    assert all(source.startswith("../firmware/") for source in project.sources)
    assert not (tmp_path / "vivado" / "src").exists()


def test_what_vivado_cannot_build_is_refused(firmware: Firmware, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="parts of AMD, not LFE5U"):
        write_vivado_project(on(firmware, "ulx3s-85f"), tmp_path)
    assert firmware.rtl is not None
    other = replace(firmware, rtl=replace(firmware.rtl, protocol="axi-stream"))
    with pytest.raises(UnsupportedError, match="pipelined RTL"):
        write_vivado_project(other, tmp_path)
