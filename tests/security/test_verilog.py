"""Verilog that calls the system, reaches C or other files, or steers tools, is refused before any tool sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core import plugins, resources
from codesign.core.errors import ToolError
from codesign.core.targets import load_target
from codesign.core.trust.verilog import check_sources, check_text
from codesign.flows.base import Flow
from codesign.tools import verilator
from codesign.tools.slang import elaborate
from codesign.tools.yosys import used_sources

REFUSED = {
    # the system
    "system": 'initial $system("touch X");',
    "system, spelled apart": 'initial $system/* here */\n(\n"touch X");',
    "system, after a number": '#1$system("touch X");',
    "system, after a real": '#1e5$system("touch X");',
    "system, in a name": 'wire a$system; initial a$system("touch X");',
    "C": 'initial $c("system(\\"touch X\\");");',
    "C of a width": 'assign y = $c32("system(0)");',
    "pure C": "assign y = $cpure(1);",
    "a file that is written": 'integer f; initial f = $fopen("x", "w");',
    "memory that is written": 'initial $writememh("x", m);',
    "waves": 'initial $dumpfile("x");',
    "options": 'initial if ($test$plusargs("x")) y = 1;',
    "another task": "initial $some_task_of_a_plugin;",
    # what hides what is called
    "a macro": "`define RUN $system\ninitial `RUN(1);",
    "pasted": '`define S(x) $sys``x\ninitial `S(tem)("touch X");',
    "a use of a macro": "`RUN",
    "a macro of a tool": "`verilator_config",
    "C by directive": '`systemc_header\n#include "x"',
    "pragma": "`pragma protect begin",
    "line": '`line 1 "x" 1',
    # other files
    "include": '`include "/etc/passwd"',
    "include, of a library": "include /etc/passwd;",
    "memory from elsewhere": 'initial $readmemh("/etc/passwd", m);',
    "memory from above": 'initial $readmemh("../../secret", m);',
    "memory by a name in digits": "initial $readmemh(64'h2f6574632f706173, m);",
    "memory by parts": 'initial $readmemh({"/", "etc"}, m);',
    "memory by an escape": 'initial $readmemb("\\057etc\\057passwd", m);',
    "memory by a parameter": 'parameter NAME = "/etc/passwd";',
    # C by import, and other modules
    "DPI": 'import "DPI-C" function int system(input string s);',
    "DPI, pure": 'import "DPI-C" context function void f();',
    "DPI, spelled apart": 'import/**/"DPI-C" function int system(input string s);',
    "DPI, out": 'export "DPI-C" function f;',
    "bind": "bind top evil e(.*);",
    "program": "program p; endprogram",
    "config": "config c; endconfig",
    # comments and attributes that tools obey
    "a comment of Verilator": "/*verilator public_flat_rw*/",
    "a comment of Verilator, in a line": "// verilator tracing_off",
    "code for no synthesis": "// synopsys translate_off",
    "cases": "// synthesis full_case parallel_case",
    "a pragma": "/* pragma translate_off */",
    "an attribute": "(* blackbox *) module x; endmodule",
    "a second attribute": '(* keep_hierarchy, techmap_wrap = "exec" *) wire x;',
    "an attribute's escaped name": "(* \\blackbox  *) wire x;",
    # where a token begins
    "a string without end": 'initial $display("x;\n$system("touch X");',
    "a comment without end": "/* \n $system(1);",
    "three quotes": 'initial $display("""x" $system("touch X");""");',
    "an escape in a string": 'initial $display("\\x41");',
    "a return in a comment": '// comment\rinitial $system("touch X");',
    "a zero byte": "wire a;\0",
    "another alphabet": "wire \u0430;",
    "a lone sign": "wire q[$];",
}

ALLOWED = {
    "words in a comment": '// calls $system, `include and import "DPI-C"\n/* $c (* blackbox *) */',
    "words in a string": 'initial $display("$system `define (* blackbox *)");',
    "an attribute in a string": 'initial $display("(* x *)"); wire a; // "\n',
    "an escaped name": "wire \\$system ; assign \\$system = 1'b0; wire \\a/b*c ;",
    "signed": "assign y = $signed(a) >>> $clog2(8);",
    "every signal": "always @(*) y = a; always @ ( * ) z = a;",
    "power": "localparam X = (a**b) * (c);",
    "lint": "// verilator lint_off UNUSEDSIGNAL\n/* verilator lint_on WIDTHTRUNC */",
    "a package": "import mvu_pkg::*;",
    "attributes": '(* DONT_TOUCH = X? "TRUE" : "FALSE", RAM_STYLE = RAM_STYLE *) reg [7:0] m[3];',
    "memory": 'initial $readmemh("./x.dat", m); initial $readmemh(FILE, m);\n'
    'initial $readmemh($sformatf("%sx_%0d.dat", PATH, i), m);',
    "condition": "`ifdef VERILATOR\nwire a;\n`else\nwire b;\n`endif\n`timescale 1 ns / 1 ps",
    "text": "// gates of \u00e9tude, \u2500\u2500\r\nwire a;\r\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_run_or_open_is_refused(what):
    before = "module x;\nwire a;\n"
    found = check_text(before + REFUSED[what])
    assert found is not None
    assert found[0] >= 3
    assert "\n" not in found[1]


@pytest.mark.parametrize("what", ALLOWED)
def test_what_only_looks_like_it_is_not(what):
    assert check_text(ALLOWED[what]) is None


WELL_FORMED = st.sampled_from(
    [
        *ALLOWED.values(), "module x;", "endmodule", "wire \\a\"b/*  ;", '"\\""', "// \\", "/* // */", "8'hff", "#1e3",
        "(* keep_hierarchy *)", "`ifdef A", "`endif", "\\`x ", "a = b * (c);", "// ( * \"", "/* \" */", '"(* \\\\"',
    ]
)  # fmt: skip


@settings(derandomize=True, max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(WELL_FORMED, st.sampled_from([" ", "\n", "\r\n", "\t"])), max_size=8),
    st.sampled_from(list(REFUSED)),
)
def test_nothing_before_it_hides_what_is_refused(before, what):
    text = "".join(f"{piece}\n" if "//" in piece else piece + gap for piece, gap in before)
    assert check_text(text) is None
    assert check_text(text + "\n" + REFUSED[what]) is not None


def test_all_that_is_shipped_and_written_here_passes(tiny, tmp_path):
    flow = plugins.load(Flow, "alkaid")
    firmware = flow.compile(tiny, load_target("vu13p-360"), tmp_path / "f")
    check_sources(firmware.folder / s for s in firmware.sources)
    check_sources(sorted((resources.folder("targets") / "boards").glob("*.v")))


@pytest.mark.parametrize("family", ["ecp5", "nexus", "xc7", "xcup"])
def test_yosys_models_of_cells_pass(family):
    from codesign.tools.gates import _modules

    assert {name: found for name, text in _modules(family).items() if (found := check_text(text)) is not None} == {}


SOURCE = 'module top(input clk);\n  initial $system("touch {}");\nendmodule\n'


@pytest.mark.parametrize("name", ["top.v", "top.sv", "top.vlt", "top.cpp", "top.so"])
def test_no_tool_is_given_a_source_that_is_refused(name, tmp_path, marker, monkeypatch):
    source = tmp_path / name
    source.write_text(SOURCE.format(marker))
    for module in ("codesign.tools.verilator", "codesign.tools.slang"):
        monkeypatch.setattr(f"{module}.run_tool", lambda *_, **__: pytest.fail("a tool was run"))
    enters = [
        lambda: verilator.build([source], "top", {}, tmp_path / "simulation"),
        lambda: elaborate([source], [], "top", (), tmp_path / "elaborated", 10),
        lambda: used_sources([source], "top"),
    ]
    for enter in enters:
        with pytest.raises(ToolError, match=r"top.*given to no tool") as caught:
            enter()
        assert "\n" not in str(caught.value)


def test_a_large_source_takes_no_time(tmp_path):
    text = "".join(f"wire [7:0] v{i} = $signed(v{i - 1}) + 8'd{i % 256}; // {i}\n" for i in range(1, 5_000))
    Path(tmp_path / "large.v").write_text(text)
    check_sources([tmp_path / "large.v"])


def test_what_is_no_text_is_refused_where_it_is_needed(tmp_path):
    top, other = tmp_path / "top.v", tmp_path / "other.v"
    top.write_text("module top(input clk);\nendmodule\n")
    other.write_bytes(b"module other(input clk);\nendmodule // \xdf\n")
    assert used_sources([top, other], "top") == [top]
    with pytest.raises(ToolError, match=r"other\.v is not UTF-8"):
        used_sources([top, other], "other")
