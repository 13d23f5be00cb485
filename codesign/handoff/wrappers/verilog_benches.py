"""A bench as files for a network in Verilog: GHDL translates the VHDL around it, Verilator runs both with ``make``."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.handoff.wrappers.bench_sources import bench_words, whole_makefile
from codesign.handoff.wrappers.wrapper import PinBench, WrappedNetwork
from codesign.rtl.signatures import HARNESS, Signature

__all__ = ("TRANSLATED", "verilog_bench_files", "verilog_makefile")

_TB = "codesign_tb"
#: what GHDL makes of the VHDL, without the empty module that it leaves for the network
TRANSLATED = (
    "\t$(GHDL) --synth $(FLAGS) -Wno-binding --out=verilog {sources} -e " + HARNESS + " > {build}/whole.v",
    "\tawk '/^module {top}$$/ {{ skip = 1 }} !skip {{ print }} /^endmodule/ {{ skip = 0 }}' {build}/whole.v"
    " > {build}/translated.v",
    "\t$(VERILATOR) --binary --timing -CFLAGS -std=c++20 -Wno-fatal -Wno-lint --top {tb} --Mdir {build}/made -o bench"
    " {place}/{file} {build}/translated.v $(NETWORK)",
)


def verilog_bench_files(bench: PinBench, place: str) -> dict[str, str]:
    """The files of one bench in the folder ``place``."""
    signature = bench.signature
    return {
        f"{place}/harness.vhd": signature.vhdl_harness(),
        f"{place}/tb.sv": _bench_text(place, signature, bench),
    } | bench_words(bench, place)


def _bench_text(place: str, signature: Signature, bench: PinBench) -> str:
    wide, out = signature.width("in"), signature.width("out")
    return f"""`timescale 1ns / 1ps
// {bench.name}: plays stimulus.hex and compares every output bit with expected.txt, in which - may be anything
module {_TB};
  reg clk = 0;
  reg [{wide - 1}:0] d = 0;
  wire [{out - 1}:0] q;
  {HARNESS} harness (.clk(clk), .d(d), .q(q));

  integer given, wanted, clocks, wrong, i;
  reg equal;
  string row;
  initial begin
    given = $fopen("{place}/stimulus.hex", "r");
    wanted = $fopen("{place}/expected.txt", "r");
    if (given == 0 || wanted == 0) $fatal(1, "FAIL: no words");
    clocks = 0;
    wrong = 0;
    while ($fscanf(given, "%h", d) == 1) begin
      clk = 0;
      #5 clk = 1;
      #5;
      if ($fscanf(wanted, "%s", row) != 1) $fatal(1, "FAIL: expected.txt ends too early");
      equal = row.len() == {out};
      for (i = 0; i < {out}; i = i + 1) begin
        if (row[i] == "0" && q[{out - 1} - i] !== 1'b0) equal = 0;
        if (row[i] == "1" && q[{out - 1} - i] !== 1'b1) equal = 0;
      end
      if (!equal) begin
        wrong = wrong + 1;
        $display("clock %0d differs", clocks);
      end
      clocks = clocks + 1;
    end
    if (clocks != {len(bench.clocks)}) $fatal(1, "FAIL: %0d of {len(bench.clocks)} clocks were played", clocks);
    if (wrong > 0) $fatal(1, "FAIL: %0d of %0d clocks", wrong, clocks);
    $display("PASS: {bench.events} events, %0d clocks", clocks);
    $finish;
  end
endmodule
"""


def verilog_makefile(network: WrappedNetwork, benches: Sequence[tuple[PinBench, str]], more: Sequence[str] = ()) -> str:
    """``make test`` for benches and their folders around a network in Verilog; ``more``: other rules."""
    rules = []
    for bench, place in benches:
        build = f"build/{place.rpartition('/')[2]}"
        sources = " ".join((*bench.sources, f"{place}/harness.vhd"))
        rules += [
            f"\tmkdir -p {build}",
            *(
                line.format(sources=sources, build=build, top=network.top, tb=_TB, place=place, file="tb.sv")
                for line in TRANSLATED
            ),
            f"\t{build}/made/bench",
        ]
    said = "simulates every bench and compares every word; it needs GHDL and Verilator 5."
    return whole_makefile(said, ("GHDL ?= ghdl", "VERILATOR ?= verilator"), network.verilog, rules, more)
