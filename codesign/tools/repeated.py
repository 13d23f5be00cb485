"""What copies of a module have in common in a netlist, so that it is there once, however many copies there are.

Where all copies of a module get the same net at some of its inputs (a value of the event, beside each of its items),
whatever depends on those inputs alone is the same in every copy, and synthesis of the whole keeps one of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ("Copied", "Netlist", "copied")

#: a module of Yosys' JSON: ports and cells, whose connections are lists of nets by number, or constants as text
Netlist: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Copied:
    """Cells of a module by type: those that ``each`` copy has, and those that all share, which are there ``once``."""

    copies: int
    each: dict[str, int]
    once: dict[str, int]


def copied(module: Netlist, around: Netlist, name: str) -> Copied:
    """The module ``name``, mapped by itself, with the copies of it in the mapped netlist ``around`` it."""
    instances = [c["connections"] for c in around["cells"].values() if c["type"] == name]
    reached = {
        net
        for port, own in module["ports"].items()
        if own["direction"] == "input"
        for place, net in enumerate(own["bits"])
        if len({i[port][place] for i in instances if port in i}) > 1
    }
    each = _depend(module["cells"], reached)
    types = {cell: own["type"] for cell, own in module["cells"].items()}
    apart, once = Counter(types[c] for c in each), Counter(t for c, t in types.items() if c not in each)
    return Copied(len(instances), dict(apart), dict(once))


def _depend(cells: Mapping[str, Any], nets: set[Any]) -> set[str]:
    """Cells that depend on any of some nets, however many clocks before."""
    takers: dict[Any, list[str]] = defaultdict(list)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                for net in bits:
                    takers[net].append(name)
    found: set[str] = set()
    waiting = list(nets)
    while waiting:
        for name in takers[waiting.pop()]:
            if name not in found:
                found.add(name)
                cell = cells[name]
                for port, bits in cell["connections"].items():
                    if cell["port_directions"][port] == "output":
                        waiting += bits
    return found
