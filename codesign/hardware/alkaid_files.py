"""What is written of a circuit: its Verilog and its program, without what alkaid writes beside them.

alkaid 0.8.2 writes models through ``json.dump``, which encodes in Python, and with the Verilog also the whole pipeline
as such a model, which nothing here reads: together a seventh of a compilation.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

from alkaid.codegen import RTLModel
from alkaid.stateful import FSM
from alkaid.types import ALIR_SPEC_VERSION, CombLogic, JSONEncoder

from codesign import quoting
from codesign.runfolder import write_atomically
from codesign.targets import Target

__all__ = ("save_program", "write_verilog")


def write_verilog(pipeline: FSM, folder: Path, name: str, target: Target) -> RTLModel:
    """Write the Verilog of a pipeline, with constraints and project scripts, into an empty ``folder``."""
    rtl = RTLModel(
        pipeline,
        folder,
        name,
        part_name=quoting.plain(target.part, "part"),  # stands in double quotes in alkaid's Tcl
        clock_period=target.clock_ns,
        ternary_fuse=False,
        print_latency=False,
    )
    vars(rtl.fsm)["save"] = lambda path: None
    try:
        rtl.write()
    finally:
        del vars(rtl.fsm)["save"]
    shutil.rmtree(folder / "sim")
    shutil.rmtree(folder / "model")
    for leftover in (f"src/{name}_wrapper.v", "metadata.json", "build_quartus_prj.tcl"):
        (folder / leftover).unlink(missing_ok=True)
    return rtl


def save_program(circuit: CombLogic, path: Path) -> None:
    """Write a circuit for :meth:`CombLogic.load`: the text that its own ``save`` writes, and no time in its header."""
    content = {"model": circuit, "meta": "ALIRModel", "spec_version": ALIR_SPEC_VERSION}
    text = json.dumps(content, cls=JSONEncoder, separators=(",", ":"))
    write_atomically(path, gzip.compress(text.encode(), compresslevel=6, mtime=0))
