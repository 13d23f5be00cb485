"""Three places in FINN's RTL library (finn-plus 1.6.1), changed in the copies that are generated for a design.

- ``add_multi.sv`` declares a function, called for a constant, inside a generate block. IEEE 1800 (13.4.3) forbids
  that; it moves to the module.
- ``fifo.sv`` computes a constant of an unpacked structure. Verilator's interpreter of constants knows packed ones
  only; it becomes packed.
- ``mvu_vvu_axi.sv`` holds back its input two clocks after its output was stalled, but the queue behind it has places
  only for the sums under way at the stall. Where each input completes a sum (the whole row of the matrix in parallel)
  it overflows and loses sums, as its own assertion says. The queue gets two places more: one for the clocks, and one
  since the depth it takes the pipeline to have is one less than that of ``mvu.sv`` where SIMD is no power of two.
"""

from __future__ import annotations

from pathlib import Path

from codesign.errors import ToolError
from codesign.runfolder import write_atomically

__all__ = ("repair",)


def repair(folder: Path) -> None:
    """Change the files in ``folder``; ToolError where FINN's text is another than that of version 1.6.1."""
    adder = _text(folder / "add_multi.sv")
    start, end = "\t\t// Compute the count of decendents", "LEAF_LOAD = init_leaf_loads();\n"
    place = "\tuwire [SUM_WIDTH-1:0]  sum0;\n"
    _expect(folder / "add_multi.sv", adder, start, end, place)
    first, last = adder.index(start), adder.index(end) + len(end)
    moved = adder[first:last]
    adder = (adder[:first] + adder[last:]).replace(place, moved + place)
    write_atomically(folder / "add_multi.sv", adder.encode())

    fifo = _text(folder / "fifo.sv")
    kind = "typedef struct {"
    _expect(folder / "fifo.sv", fifo, kind)
    write_atomically(folder / "fifo.sv", fifo.replace(kind, "typedef struct packed {").encode())

    unit = _text(folder / "mvu_vvu_axi.sv")
    short = "MAX_IN_FLIGHT = CORE_PIPELINE_DEPTH;"
    _expect(folder / "mvu_vvu_axi.sv", unit, short)
    write_atomically(
        folder / "mvu_vvu_axi.sv", unit.replace(short, "MAX_IN_FLIGHT = CORE_PIPELINE_DEPTH + 2;").encode()
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise ToolError(f"finn: its RTL has no file {path.name}; finn-plus 1.6.1 is what is supported") from None


def _expect(path: Path, text: str, *parts: str) -> None:
    for part in parts:
        if text.count(part) != 1:
            raise ToolError(f"finn: {path.name} is not the text of finn-plus 1.6.1 ({part.strip()!r} not found once)")
