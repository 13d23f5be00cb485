"""A self-checking SystemVerilog testbench with golden vectors, for any simulator, without Python."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.quoting import verilog_identifier
from codesign.core.runfolder import write_atomically
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import observed_port, pack, port_width

__all__ = ("run_testbench", "write_testbench")

_TEMPLATE = """\
// Self-checking testbench of module {top}: a new event every clock, every output compared with its golden value.
// Needs inputs.mem and outputs.mem (one hexadecimal word per event) in the working directory; prints PASS or FAIL.
// Latency: the result of the event that rising edge 0 samples is at the output after rising edge {latency}.
`timescale 1ns / 1ps

module tb;
  localparam int EVENTS = {events};
  localparam int LATENCY = {latency};
  localparam int INPUT_BITS = {inp};
  localparam int OUTPUT_BITS = {out};
  localparam int SHOWN = 10;  // mismatches printed in full

  logic [INPUT_BITS-1:0] inputs[0:EVENTS-1];
  logic [OUTPUT_BITS-1:0] outputs[0:EVENTS-1];
  logic clk = 1'b0;
  logic [INPUT_BITS-1:0] model_inp = '0;
  logic [OUTPUT_BITS-1:0] model_out;
  int failures = 0;
{threshold}
  {top} dut (.clk(clk), {ports});

  initial begin
    $readmemh("inputs.mem", inputs);
    $readmemh("outputs.mem", outputs);
    // The input changes, and the output is read, at the falling edge: half a period away from the sampling edge.
    for (int edges = 0; edges < EVENTS + LATENCY; edges++) begin
      if (edges < EVENTS) model_inp = inputs[edges];
      #{half} clk = 1'b1;
      #{half} clk = 1'b0;
      if (edges >= LATENCY && model_out !== outputs[edges-LATENCY]) begin
        failures++;
        if (failures <= SHOWN)
          $display("event %0d: output %h, expected %h", edges - LATENCY, model_out, outputs[edges-LATENCY]);
      end
    end
    if (failures == 0) $display("PASS: %0d events", EVENTS);
    else $display("FAIL: %0d of %0d events differ", failures, EVENTS);
    $finish;
  end
endmodule
"""


def write_testbench(
    firmware: Firmware, codes: NDArray[np.int64], outputs: NDArray[np.int64], folder: Path
) -> tuple[Path, Path, Path]:
    """Write ``tb.sv``, ``inputs.mem`` and ``outputs.mem`` into ``folder``; returns their paths.

    ``codes`` (events, n) are input codes, ``outputs`` (events, m) the output codes expected of them. The clock runs at
    the target's frequency. A design that triggers is given a threshold that half of the events reach, and its trigger
    bit is compared too. InputError if there are no events, or codes do not fit the design's types.
    """
    if not len(codes) or len(codes) != len(outputs):
        raise InputError(
            f"golden vectors: {len(codes)} events of inputs but {len(outputs)} of outputs; expected as many"
        )
    design, inputs = firmware.design, firmware.design.inputs
    observed, ports, declared = observed_port(design), ".model_inp(model_inp), .model_out(model_out)", ""
    if design.threshold is not None and design.trigger_index is not None:
        kind = design.threshold.types[0]
        code = int(np.quantile(outputs[:, design.trigger_index], 0.5, method="higher"))
        outputs = np.concatenate([outputs, design.fires(outputs, code)[:, None].astype(np.int64)], axis=1)
        (word,) = pack(design.threshold, np.array([[code]], dtype=np.int64))
        declared = (
            "  // half of the events reach it; the trigger bit is above the outputs in outputs.mem\n"
            f"  localparam logic [{kind.width - 1}:0] THRESHOLD = {kind.width}'h{word};\n"
        )
        high = port_width(design.outputs)
        ports = (
            f".model_inp(model_inp), .threshold(THRESHOLD), .model_out(model_out[{high - 1}:0]), "
            f".trigger(model_out[{high}])"
        )
    text = _TEMPLATE.format(
        top=verilog_identifier(firmware.top),
        events=len(codes),
        latency=firmware.latency_cycles,
        inp=port_width(inputs),
        out=port_width(observed),
        threshold=declared,
        ports=ports,
        half=f"{firmware.target.clock_ns / 2:.3f}",
    )
    files = {
        "tb.sv": text,
        "inputs.mem": "\n".join(pack(inputs, codes)) + "\n",
        "outputs.mem": "\n".join(pack(observed, outputs)) + "\n",
    }
    for name, content in files.items():
        write_atomically(folder / name, content.encode("ascii"))
    return folder / "tb.sv", folder / "inputs.mem", folder / "outputs.mem"


def run_testbench(folder: Path, sources: Sequence[Path], timeout: float = 1800) -> str:
    """Run a test bench of :func:`write_testbench` in Verilator on Verilog ``sources``; what it printed.

    ``folder`` holds the test bench and gets the build. ToolError where Verilator, make or the compiler fail, or the
    bench says FAIL.
    """
    from codesign.core.process import run_tool
    from codesign.tools.verilator import root, verilog

    environment = {"VERILATOR_ROOT": str(root())}
    arguments: list[str | Path] = [root() / "bin" / "verilator_bin", "--cc", "--main", "--exe", "--timing"]
    arguments += ["-Wno-fatal", "-Wno-lint", "-CFLAGS", "-std=c++20", "--top-module", "tb", "--prefix", "Vtb", "tb.sv"]
    run_tool([*arguments, *verilog(sources, folder)], folder, timeout, environment)
    build = folder / "obj_dir"
    with _runtime(build):
        # the wheel's makefile lacks the flag with which a precompiled header is included
        run_tool(["make", "-f", "Vtb.mk", "CFG_CXXFLAGS_PCH_I=-include"], build, timeout, environment)
    return run_tool([(build / "Vtb").resolve()], folder, timeout, name="test bench").output


@contextlib.contextmanager
def _runtime(build: Path) -> Iterator[None]:
    """Give make the objects of Verilator's own library, which it finds up to date; where they are not kept, keep its.

    The key holds all that goes in: the makefiles but for the names of the design's classes, versions and compiler.
    """
    from codesign.tools.verilator import cache_folder, compiler_identity, tool_version

    names = (build / "Vtb_classes.mk").read_text(encoding="utf-8").splitlines()
    given = [line for line in names if not line.strip().startswith("Vtb")]
    key = "\n".join([(build / "Vtb.mk").read_text(encoding="utf-8"), *given, tool_version(), compiler_identity()])
    place = cache_folder() / f"bench-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    if place.is_dir():
        for made in place.glob("verilated*.o"):
            shutil.copyfile(made, build / made.name)
        yield
        return
    yield
    with contextlib.suppress(OSError):  # no room, or no right to write: the next one compiles again
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".building-") as temporary:
            for made in build.glob("verilated*.o"):
                shutil.copyfile(made, Path(temporary) / made.name)
            Path(temporary).rename(place)
            Path(temporary).mkdir()  # for its end
