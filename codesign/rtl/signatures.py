"""Interfaces as objects: the pins of an entity, from which VHDL, Verilog, benches and documentation are made.

A pin is a vector, or ``count`` words of an array type of a package, each a vector or a record. A signature lays all
inputs side by side into one vector ``d`` and all outputs into ``q``, lowest first, so that one bench plays any
interface: arrays of records are not seen over VPI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from codesign.core import quoting
from codesign.core.errors import InputError
from codesign.rtl.vhdl_top import HEADER

__all__ = ("HARNESS", "Pin", "Place", "Signature", "hls_control")

HARNESS = "codesign_pins"
Direction = Literal["in", "out"]


@dataclass(frozen=True)
class Place:
    """Where in ``d`` or ``q`` a name lies, and how the entity's VHDL calls it."""

    name: str
    low: int
    width: int
    vhdl: str
    scalar: bool


@dataclass(frozen=True)
class Pin:
    """A port of an entity.

    Attributes
    ----------
    width: bits of the vector; 0 is a single std_logic.
    count, record: for an array, how many, and for one of records the fields of one, each with its width as here.
    type, upward, whole: of such an array, its name in VHDL, whether its index goes ``0 to count - 1``, and whether the
        type itself says how many.
    meaning: in words, for the documentation.
    """

    name: str
    direction: Direction
    width: int = 0
    meaning: str = ""
    count: int = 0
    type: str = ""
    upward: bool = False
    whole: bool = False
    record: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        quoting.verilog_identifier(self.name)

    @property
    def vhdl_type(self) -> str:
        """Of the port."""
        if self.count and self.whole:
            return self.type
        if self.count:
            return f"{self.type}({f'0 to {self.count - 1}' if self.upward else f'{self.count - 1} downto 0'})"
        return f"std_logic_vector({self.width - 1} downto 0)" if self.width else "std_logic"

    def places(self, low: int) -> Iterator[Place]:
        """Where its bits lie from ``low`` on; of a record, ``name[3].field``."""
        if not self.count:
            yield Place(self.name, low, max(1, self.width), self.name, not self.width)
            return
        for item in range(self.count):
            if not self.record:
                yield Place(f"{self.name}[{item}]", low, self.width, f"{self.name}({item})", False)
                low += self.width
            for name, width in self.record.items():
                yield Place(f"{self.name}[{item}].{name}", low, max(1, width), f"{self.name}({item}).{name}", not width)
                low += max(1, width)


def hls_control(start: str, done: str, ready: str) -> tuple[Pin, ...]:
    """The pins of HLS' protocol ``ap_ctrl_hs`` (Vitis HLS, UG1399, "Block-Level Control Protocols"), with what three of
    them mean."""
    return (
        Pin("ap_rst", "in", meaning="synchronous: forgets every event under way"),
        Pin("ap_start", "in", meaning=start),
        Pin("ap_done", "out", meaning=done),
        Pin("ap_idle", "out", meaning="no event is there, nor under way"),
        Pin("ap_ready", "out", meaning=ready),
    )


@dataclass(frozen=True)
class Signature:
    """An entity's clock and pins; ``packages`` are those that its types come from, ``tied`` associations of others."""

    entity: str
    clock: str
    pins: tuple[Pin, ...]
    packages: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()

    def places(self, direction: Direction) -> dict[str, Place]:
        """Every name of the inputs or outputs, and where it lies in ``d`` or ``q``."""
        found, low = {}, 0
        for pin in self.pins:
            if pin.direction == direction:
                for place in pin.places(low):
                    found[place.name] = place
                    low = place.low + place.width
        return found

    def width(self, direction: Direction) -> int:
        """Bits of ``d`` or ``q``."""
        return sum(place.width for place in self.places(direction).values())

    # ------------------------------------------------------------------------------------------------- sources
    @property
    def uses(self) -> str:
        """The packages, as every file that names a type of theirs needs them."""
        return HEADER + "".join(f"use work.{name}.all;\n" for name in self.packages)

    def vhdl_entity(self) -> str:
        """The entity's declaration."""
        pins = [(self.clock, "in", "std_logic"), *((p.name, p.direction, p.vhdl_type) for p in self.pins)]
        ports = ";\n".join(f"        {name} : {direction} {kind}" for name, direction, kind in pins)
        return f"{self.uses}\nentity {self.entity} is\n    port (\n{ports}\n    );\nend entity {self.entity};\n"

    def vhdl_harness(self) -> str:
        """VHDL of the entity :data:`HARNESS`, with ``clk``, ``d`` and ``q`` around this one."""
        signals = "".join(f"    signal pin_{p.name} : {p.vhdl_type};\n" for p in self.pins)
        lines = []
        for place in self.places("in").values():
            high = place.low + place.width - 1
            lines.append(f"    pin_{place.vhdl} <= d({place.low if place.scalar else f'{high} downto {place.low}'});\n")
        for place in self.places("out").values():
            high = place.low + place.width - 1
            lines.append(f"    q({place.low if place.scalar else f'{high} downto {place.low}'}) <= pin_{place.vhdl};\n")
        connected = ", ".join([f"{self.clock} => clk", *self.tied, *(f"{p.name} => pin_{p.name}" for p in self.pins)])
        return f"""{self.uses}
entity {HARNESS} is
    port (
        clk : in std_logic;
        d : in std_logic_vector({self.width("in") - 1} downto 0);
        q : out std_logic_vector({self.width("out") - 1} downto 0)
    );
end entity {HARNESS};

architecture bench of {HARNESS} is
{signals}begin
{"".join(lines)}    tested : entity work.{self.entity} port map ({connected});
end architecture bench;
"""

    # --------------------------------------------------------------------------------------------------- words
    def drive(self, values: Mapping[str, int]) -> int:
        """The word ``d`` for values of inputs by name; what is not named is 0. InputError for one that does not fit."""
        places, word = self.places("in"), 0
        for name, value in values.items():
            place = places.get(name)
            if place is None:
                raise InputError(f"{self.entity} has no input '{name}'")
            if not 0 <= value < 1 << place.width:
                raise InputError(f"{self.entity}, input '{name}': {value} does not fit {place.width} bits")
            word |= value << place.low
        return word

    def read(self, bits: str) -> dict[str, int | None]:
        """Values of the outputs by name of one recorded line of ``q``; None where a bit has no value yet."""
        found: dict[str, int | None] = {}
        for name, place in self.places("out").items():
            end = len(bits) - place.low
            own = bits[end - place.width : end]
            found[name] = int(own, 2) if set(own) <= {"0", "1"} else None
        return found

    # ------------------------------------------------------------------------------------------- documentation
    def markdown(self) -> list[str]:
        """A table of the pins."""
        rows = ["| pin | | type | meaning |", "|---|---|---|---|", f"| `{self.clock}` | in | `std_logic` | the clock |"]
        groups: dict[tuple[str, str, str], list[Pin]] = {}
        for pin in self.pins:
            groups.setdefault((pin.direction, pin.vhdl_type, pin.meaning), []).append(pin)
        for (direction, kind, meaning), pins in groups.items():
            rows.append(f"| {_named(pins)} | {direction} | `{kind}` | {meaning} |")
        return rows


def _named(pins: Sequence[Pin]) -> str:
    first, last = pins[0].name, pins[-1].name
    return f"`{first}`" if len(pins) == 1 else f"`{first}` to `{last}`" if len(pins) > 2 else f"`{first}`, `{last}`"
