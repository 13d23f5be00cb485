"""A bench of the EMP payload that plays a text vector of anybody's: ``make run VECTORS=FILE`` gives ``results.txt``.

In Verilator, with the VHDL as GHDL translates it: one bench for networks in VHDL and in Verilog.
"""

from __future__ import annotations

from codesign.handoff.wrappers.verilog_benches import TRANSLATED
from codesign.handoff.wrappers.wrapper import WrappedNetwork
from codesign.rtl.signatures import HARNESS, Signature

__all__ = ("vector_bench", "vector_rules")

_TB = "codesign_vectors"
_PLACE = "test/vectors"
#: in the order of a word's metadata: start of orbit, start, last, valid
_FLAGS = ("start_of_orbit", "start", "last", "valid")


def vector_bench(signature: Signature, links: int, results: int, delay: int) -> dict[str, str]:
    """Harness and bench: ``links`` in, ``results`` links out, and ``delay`` clocks after the last frame.

    Every clock from the first frame on is a frame of the results, as a board's buffer captures them.
    """
    given, found = signature.places("in"), signature.places("out")
    driven = "".join(
        f"        d[{given[f'd[{link}].data'].low} +: 64] = words[{link}];\n"
        + f"        d[{given[f'd[{link}].strobe'].low}] = 1;\n"
        + "".join(f"        d[{given[f'd[{link}].{f}'].low}] = flags[{link}][{3 - i}];\n" for i, f in enumerate(_FLAGS))
        for link in range(links)
    )
    written = "".join(
        '        $fwrite(out, "    '
        + "%b" * len(_FLAGS)
        + ' %016x", '
        + ", ".join(f"q[{found[f'q[{link}].{f}'].low}]" for f in _FLAGS)
        + f", q[{found[f'q[{link}].data'].low} +: 64]);\n"
        for link in range(results)
    )
    numbers = " ".join(f"           {link:03d}        " for link in range(results))
    reset = given["rst_loc"]
    text = f"""`timescale 1ns / 1ps
// Plays a text vector of the EMP framework (version 2) of {links} links and writes what comes out as another.
module {_TB};
  reg clk = 0;
  reg [{signature.width("in") - 1}:0] d = 0;
  wire [{signature.width("out") - 1}:0] q;
  {HARNESS} harness (.clk(clk), .d(d), .q(q));

  reg [63:0] words [0:{links - 1}];
  reg [4:0] flags [0:{links - 1}];
  string given, line, word;
  integer vectors, out, frame, number, link, after, at, count;

  task tick;
    begin
      clk = 0;
      #5 clk = 1;
      #5;
    end
  endtask

  task capture;
    begin
        $fwrite(out, "Frame %04d", frame);
{written}        $fwrite(out, "\\n");
        frame = frame + 1;
    end
  endtask

  initial begin
    if (!$value$plusargs("vectors=%s", given)) $fatal(1, "FAIL: give +vectors=FILE");
    vectors = $fopen(given, "r");
    if (vectors == 0) $fatal(1, "FAIL: %s cannot be read", given);
    out = $fopen("build/results.txt", "w");
    $fwrite(out, "ID: x0\\nMetadata: (strobe,) start of orbit, start of packet, end of packet, valid\\n\\n");
    $fwrite(out, "      Link  {numbers}\\n");
    // to the line of the links
    word = "";
    while (word != "Link") if ($fscanf(vectors, "%s", word) != 1) $fatal(1, "FAIL: %s has no line of links", given);
    at = $fgets(line, vectors);
    count = 0;
    for (at = 0; at + 1 < line.len(); at = at + 1)
      if (line[at] == " " && line[at + 1] >= "0" && line[at + 1] <= "9") count = count + 1;
    if (count != {links}) $fatal(1, "FAIL: %s has %0d links, the payload reads {links}", given, count);
    d[{reset.low} +: {reset.width}] = ~0;
    tick;
    tick;
    d[{reset.low} +: {reset.width}] = 0;
    frame = 0;
    while ($fscanf(vectors, "%s %d", word, number) == 2) begin
        if (word != "Frame" || number != frame) $fatal(1, "FAIL: %s: expected frame %0d", given, frame);
        for (link = 0; link < {links}; link = link + 1)
          if ($fscanf(vectors, "%b %h", flags[link], words[link]) != 2)
            $fatal(1, "FAIL: %s: frame %0d, link %0d cannot be read", given, frame, link);
{driven}        tick;
        capture;
    end
    if (frame == 0) $fatal(1, "FAIL: %s has no frame", given);
    for (link = 0; link < {links}; link = link + 1) begin
        words[link] = 0;
        flags[link] = 0;
    end
{driven.replace("        d[", "    d[")}    for (after = 0; after < {delay}; after = after + 1) begin
        tick;
        capture;
    end
    $fclose(out);
    $display("build/results.txt: %0d frames", frame);
    $finish;
  end
endmodule
"""
    return {f"{_PLACE}/harness.vhd": signature.vhdl_harness(), f"{_PLACE}/tb.sv": text}


def vector_rules(network: WrappedNetwork, sources: tuple[str, ...]) -> list[str]:
    """``make run VECTORS=FILE``."""
    vhdl = " ".join((*network.vhdl, *sources, f"{_PLACE}/harness.vhd"))
    verilog = "$(NETWORK)" if network.verilog else ""
    lines = [
        line.replace("$(NETWORK)", verilog).format(
            sources=vhdl, build="build/vectors", top=network.top if network.verilog else "-", tb=_TB, place=_PLACE,
            file="tb.sv",
        ).rstrip()
        for line in TRANSLATED
    ]  # fmt: skip
    return [
        "# 'make run VECTORS=FILE' plays a text vector of yours: build/results.txt; it needs GHDL and Verilator 5",
        "VECTORS ?= test/in.txt",
        "VERILATOR ?= verilator",
        ".PHONY: run",
        "run:",
        "\tmkdir -p build/vectors",
        *lines,
        "\tbuild/vectors/made/bench +vectors=$(VECTORS)",
        "",
    ]
