"""How close to the chip the tools that are here come, for each target."""

from __future__ import annotations

from codesign.core.figures import Fidelity
from codesign.core.targets import Target
from codesign.tools.nextpnr_family import FAMILIES
from codesign.tools.vendor.find import vivado

__all__ = ("reach",)


def reach(target: Target) -> list[str]:
    """What can be had here: the fidelities of figures, farthest from the chip first, and a bitstream where it is one.

    Every target is compiled for, synthesised by Yosys and simulated.
    """
    found = [str(f) for f in (Fidelity.COMPILED, Fidelity.SYNTHESISED, Fidelity.SIMULATED)]
    family = FAMILIES.get(target.family)
    if family is not None and family.available().available:
        found.append(str(Fidelity.PLACED))
        if target.board is not None:
            found.append("bitstream")
    if target.part.lower().startswith("xc") and vivado().available:
        found.append(str(Fidelity.VENDOR))
    return found
