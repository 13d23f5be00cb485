"""Places in FINN's RTL library (finn-plus 1.6.1) that are changed in the copies that are generated for a design.

For Verilator 5.048:

- ``add_multi.sv`` declares a function, called for a constant, inside a generate block. IEEE 1800 (13.4.3) forbids
  that; it moves to the module.
- ``fifo.sv`` computes a constant of an unpacked structure. Verilator's interpreter of constants knows packed ones
  only; it becomes packed.

For Yosys' SystemVerilog reader:

- ``fifo.sv`` and ``vpc.sv`` have ``default_nettype`` inside a module, which IEEE 1800 (22.8) forbids; it goes.
- ``thresholding.sv`` takes bits M-1 to M of a vector, in a branch that is never used; a shift says the same.
- ``memstream.sv`` can be written over a bus, which is tied off here: without that port a memory of weights is one that
  is only read, which is what it is.
- ``mvu.sv`` warns, in simulation, of inputs in the first 100 ns; that delay cannot be synthesised, and goes.

An error:

- ``mvu_vvu_axi.sv`` holds back its input two clocks after its output was stalled, but the queue behind it has places
  only for the sums under way at the stall. Where each input completes a sum (the whole row of the matrix in parallel)
  it overflows and loses sums, as its own assertion says. The queue gets two places more: one for the clocks, and one
  since the depth it takes the pipeline to have is one less than that of ``mvu.sv`` where SIMD is no power of two.
"""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import ToolError
from codesign.core.runfolder import write_atomically

__all__ = ("repair",)

_NETTYPE = (("`default_nettype none\n", ""), ("`default_nettype wire\n", ""))

#: file -> (text, what it becomes); each text is there exactly once
_CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "fifo.sv": (("typedef struct {", "typedef struct packed {"), *_NETTYPE),
    "vpc.sv": _NETTYPE,
    "thresholding.sv": (("p.ptr[M-1:SN+1] < 2**stage", "(p.ptr[M-1:0] >> (SN+1)) < 2**stage"),),
    "memstream.sv": (("\t\t\tif(Wr1)  Mem[Ptr1] <= Dat1;\n", ""),),
    "mvu.sv": (
        ("\t\tinitial begin\n\t\t\t#100ns;\n\t\t\tDirty <= 0;\n\t\tend\n", ""),
        ("logic  Dirty = 1;", "logic  Dirty = 0;"),
    ),
    "mvu_vvu_axi.sv": (("MAX_IN_FLIGHT = CORE_PIPELINE_DEPTH;", "MAX_IN_FLIGHT = CORE_PIPELINE_DEPTH + 2;"),),
}


def repair(folder: Path) -> None:
    """Change the files in ``folder``; ToolError where FINN's text is another than that of version 1.6.1."""
    for name, changes in _CHANGES.items():
        if (folder / name).is_file():
            text = _text(folder / name, *(before for before, _ in changes))
            for before, after in changes:
                text = text.replace(before, after)
            write_atomically(folder / name, text.encode())
    path = folder / "add_multi.sv"
    if path.is_file():
        start, end = "\t\t// Compute the count of decendents", "LEAF_LOAD = init_leaf_loads();\n"
        place = "\tuwire [SUM_WIDTH-1:0]  sum0;\n"
        text = _text(path, start, end, place)
        first, last = text.index(start), text.index(end) + len(end)
        moved = text[first:last]
        write_atomically(path, (text[:first] + text[last:]).replace(place, moved + place).encode())


def _text(path: Path, *parts: str) -> str:
    """The text of a file in which each of ``parts`` is once."""
    text = path.read_text(encoding="utf-8")
    for part in parts:
        if text.count(part) != 1:
            raise ToolError(f"finn: {path.name} is not the text of finn-plus 1.6.1 ({part.strip()!r} not found once)")
    return text
