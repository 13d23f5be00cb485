"""The network of an alkaid firmware as VHDL: the same circuit, by alkaid's own writer, pipelined for a clock.

Only what is one circuit is written so: folded firmware and modules of items stay in Verilog, which an entity in VHDL
takes as a component.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from alkaid.codegen import RTLModel
from alkaid.trace import to_pipeline

from codesign.core import quoting
from codesign.core.errors import UnsupportedError
from codesign.core.runfolder import write_atomically
from codesign.flows.alkaid.alkaid_files import load_program
from codesign.flows.alkaid.flow import PROGRAM, TOP, element_types
from codesign.rtl.firmware import Firmware
from codesign.rtl.vhdl_top import vhdl_top

__all__ = ("VhdlNetwork", "can_be_vhdl", "write_vhdl")

_CORE = "codesign_core"


@dataclass(frozen=True)
class VhdlNetwork:
    """Sources in the order in which they are analysed, relative to their folder; the top entity, and its latency.

    ``latency_cycles`` is counted as of firmware (:mod:`codesign.verify.rtl`): edges from the one that samples an event
    to the one after which its result is there.
    """

    sources: tuple[str, ...]
    top: str
    latency_cycles: int


def can_be_vhdl(firmware: Firmware) -> bool:
    """Whether the firmware is one circuit of alkaid's."""
    return (
        (firmware.folder / PROGRAM).is_file()
        and firmware.rtl is not None
        and firmware.rtl.protocol == "pipelined"
        and not firmware.extra.get("by_items")
    )


def write_vhdl(firmware: Firmware, folder: Path, stage_delay: float) -> VhdlNetwork:
    """Write the network into ``folder``, with so much logic between two registers, in adder delays.

    UnsupportedError where the firmware is not one circuit.
    """
    if not can_be_vhdl(firmware):
        raise UnsupportedError(
            "only firmware that is one circuit of the flow alkaid is written as VHDL: folded firmware, and that of "
            "modules for each item, is Verilog"
        )
    design = firmware.design
    circuit = load_program(firmware.folder / PROGRAM)
    pipeline = to_pipeline(circuit, latency_cutoff=stage_delay, verbose=False)
    with tempfile.TemporaryDirectory(prefix="codesign-vhdl-") as scratch:
        part = quoting.plain(firmware.target.part, "part")
        rtl = RTLModel(pipeline, scratch, _CORE, flavor="vhdl", part_name=part, ternary_fuse=False, print_latency=False)
        vars(rtl.fsm)["save"] = lambda path: None
        try:
            rtl.write()
        finally:
            del vars(rtl.fsm)["save"]
        made = Path(scratch) / "src"
        (made / f"{_CORE}_wrapper.vhd").unlink()
        static = sorted(f"static/{p.name}" for p in (made / "static").glob("*.vhd"))
        stages = sorted(p.name for p in made.glob("*.vhd") if p.stem != _CORE)
        for name in (*static, *stages, f"{_CORE}.vhd"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made / name, folder / name)
    core_in, core_out = (element_types(signals[0]) for signals in (rtl.fsm.inp_signals, rtl.fsm.out_signals))
    top = vhdl_top(TOP, _CORE, design.inputs, design.outputs, core_in, core_out)
    write_atomically(folder / f"{TOP}.vhd", top.encode())
    # tables before the stages that look up in them: entities are bound when they are analysed
    tables = [name for name in stages if name.endswith("_tables.vhd")]
    others = [name for name in stages if name not in tables]
    sources = (*static, *tables, *others, f"{_CORE}.vhd", f"{TOP}.vhd")
    return VhdlNetwork(sources, TOP, int(rtl.latency))
