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

from codesign.core import quoting
from codesign.core.errors import ToolError
from codesign.core.reading.gz import gunzip
from codesign.core.reading.json import json_of
from codesign.core.reading.limits import PROGRAM_BYTES
from codesign.core.reading.plain import member_bytes
from codesign.core.runfolder import write_atomically
from codesign.core.targets import Target

__all__ = ("load_program", "save_program", "write_verilog")

#: of an operation that takes an input of the circuit
_INPUT = -1
#: binary places by which alkaid shifts at most
_MOST_SHIFT = 256


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


def load_program(path: Path) -> CombLogic:
    """Read what :func:`save_program` wrote; ToolError where it is no circuit, InputError as
    :mod:`codesign.core.reading`.

    alkaid's interpreter believes some of the places that a circuit names, and reads memory there: those are checked.
    """
    content = gunzip(member_bytes(path.parent, path.name, PROGRAM_BYTES), str(path), PROGRAM_BYTES)
    data = json_of(content, str(path), most=PROGRAM_BYTES)
    try:
        circuit = CombLogic.from_dict(data)
        inputs, outputs = (int(size) for size in circuit.shape)
        lists = (circuit.inp_shifts, circuit.out_idxs, circuit.out_shifts, circuit.out_negs)
        whole = tuple(map(len, lists)) == (inputs, outputs, outputs, outputs)
        whole = whole and all(type(i) is int and -1 <= i < len(circuit.ops) for i in circuit.out_idxs)
        whole = whole and all(abs(int(s)) <= _MOST_SHIFT for s in (*circuit.inp_shifts, *circuit.out_shifts))
        for place, op in enumerate(circuit.ops):
            whole = whole and all(0 <= i < place for i in op.input_ids)
            whole = whole and (op.opcode != _INPUT or 0 <= op.data[0] < inputs)
    except (AssertionError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ToolError(
            f"{path}: not a circuit of alkaid ({' '.join(str(error).split())[:200]}): compile again"
        ) from None
    if not whole:
        raise ToolError(f"{path}: a circuit that names an input or operation that it does not have: compile again")
    return circuit
