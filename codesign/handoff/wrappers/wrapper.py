"""What every wrapper is: entities around a network, and benches that say what every pin does in every clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import ToolError, UnsupportedError
from codesign.flows.alkaid.alkaid_vhdl import can_be_vhdl, write_vhdl
from codesign.rtl.firmware import Firmware
from codesign.rtl.signatures import Signature
from codesign.rtl.transport import Beats, Transport
from codesign.verify.pin_simulation import Clocks, play_in_ghdl, play_in_verilator

__all__ = ("PinBench", "WrappedNetwork", "Wrapper", "first_difference", "network_of", "play")

Codes = NDArray[np.int64]
#: what the outputs must be after a clock's edge, by name; what is not named may be anything
Expected = Sequence[Mapping[str, int]]


@dataclass(frozen=True)
class WrappedNetwork:
    """The network that a wrapper holds: an entity in VHDL, or a module in Verilog that is taken as a component.

    Attributes
    ----------
    vhdl, verilog: its sources, relative to the folder that they were written into, in the order of their analysis.
    latency: clocks from the edge that samples an event (its first beat) to the edge after which its result is there.
    interval: clocks from one event to the next at least; above 1 the network has ``rst``, ``first`` and ``valid``.
    threshold: bits of its port ``threshold``, beside which it has ``trigger``; 0 where it has neither.
    """

    top: str
    vhdl: tuple[str, ...]
    verilog: tuple[str, ...]
    inputs: int
    outputs: int
    latency: int
    interval: int = 1
    threshold: int = 0

    @property
    def started(self) -> bool:
        """Whether it is told when an event comes."""
        return self.interval > 1

    @property
    def tied(self) -> str:
        """Associations of a threshold that the wrapper does not use: it compares what comes out."""
        return "threshold => (others => '1'), trigger => open, " if self.threshold else ""

    def component(self) -> str:
        """Its declaration."""
        told = "            rst : in std_logic;\n            first : in std_logic;\n" if self.started else ""
        if self.threshold:
            told += f"            threshold : in std_logic_vector({self.threshold - 1} downto 0);\n"
            told += "            trigger : out std_logic;\n"
        ends = ";\n            valid : out std_logic;\n            error : out std_logic" if self.started else ""
        return f"""\
    component {self.top} is
        port (
            clk : in std_logic;
{told}            model_inp : in std_logic_vector({self.inputs - 1} downto 0);
            model_out : out std_logic_vector({self.outputs - 1} downto 0){ends}
        );
    end component;
"""


def network_of(firmware: Firmware, folder: Path, clock_mhz: float | None = None) -> WrappedNetwork:
    """Write the network's sources into ``folder/network``; as VHDL where it is one circuit.

    ``clock_mhz``: pipelined for another clock than the target's, with as much more logic between two registers as a
    clock is longer: nothing has placed that. Verilog stays as it is, for the target's own clock.
    """
    design, rtl, place = firmware.design, firmware.rtl, folder / "network"
    if rtl is None:
        raise UnsupportedError(f"the flow made no RTL of {design.hash[:12]}: there is nothing to wrap")
    if can_be_vhdl(firmware):
        own = firmware.settings.get("stage_delay") or firmware.target.stage_delay
        longer = 1.0 if clock_mhz is None else firmware.target.clock_mhz / clock_mhz
        made = write_vhdl(firmware, place, float(own) * longer)
        sources = tuple(f"network/{name}" for name in made.sources)
        return WrappedNetwork(made.top, sources, (), design.inputs.width, design.outputs.width, made.latency_cycles)
    if rtl.protocol == "axi-stream":
        raise UnsupportedError("firmware in Verilog is wrapped where it has no handshakes of its own")
    names = []
    for source in rtl.sources:
        (place / source.name).parent.mkdir(parents=True, exist_ok=True)
        (place / source.name).write_bytes((firmware.folder / source).read_bytes())
        names.append(f"network/{source.name}")
    if len(set(names)) != len(names):
        raise ToolError("two sources of the firmware have one name")
    return WrappedNetwork(
        rtl.top,
        (),
        tuple(names),
        beat_width(design, rtl.transport),
        design.outputs.width,
        firmware.latency_cycles,
        rtl.initiation_interval,
        0 if design.threshold is None else design.threshold.width,
    )


def beat_width(design: Design, transport: Transport) -> int:
    """Bits of ``model_inp``: of the whole event, or of one beat."""
    if not isinstance(transport, Beats):
        return design.inputs.width
    width = 0
    for block in design.inputs.blocks:
        slots, each = (1, 1) if len(block.shape) < 2 else (transport.items, block.items // block.shape[0])
        width += slots * each * sum(kind.width for kind in block.types)
    return width


@dataclass(frozen=True)
class PinBench:
    """What is played at an entity, and what must come out.

    ``sources``: of the wrapper, relative to its folder, in the order of their analysis, without the network's.
    """

    name: str
    signature: Signature
    sources: tuple[str, ...]
    clocks: Clocks
    expected: Expected
    events: int


class Wrapper(ABC):
    """A destination's entities around one network."""

    #: its name in ``--for``
    destination: str
    network: WrappedNetwork

    @abstractmethod
    def files(self) -> dict[str, str]:
        """Every file of it but the network's, by its path: sources, stubs of others' packages, pattern files."""

    @abstractmethod
    def benches(self, inputs: Codes, outputs: Codes) -> list[PinBench]:
        """Benches for events (events, n) and the codes (events, m) that the design gives: gaps, resets, bad headers."""

    def patterns(self, inputs: Codes, outputs: Codes) -> dict[str, str]:
        """Pattern files of the same events, by their path; none where the destination has no form for them."""
        del inputs, outputs
        return {}

    def rules(self) -> list[str]:
        """More rules of its Makefile."""
        return []

    @abstractmethod
    def readme(self) -> list[str]:
        """What it is, pin by pin, and what to copy."""


def play(bench: PinBench, network: WrappedNetwork, folder: Path, work: Path, verilator: bool = False) -> str | None:
    """Simulate a bench of what lies in ``folder``; the first difference in words, None where there is none.

    In GHDL where all is VHDL and ``verilator`` does not ask for its translation; else in Verilator.
    """
    sources = [folder / name for name in (*network.vhdl, *bench.sources)]
    if network.vhdl and not verilator:
        found = play_in_ghdl(bench.signature, sources, bench.clocks, work)
    else:
        found = play_in_verilator(
            bench.signature, sources, [folder / name for name in network.verilog], bench.clocks, work
        )
    return first_difference(bench, found)


def first_difference(bench: PinBench, found: Sequence[Mapping[str, int | None]]) -> str | None:
    """Where what came out is not what must."""
    for clock, (expected, seen) in enumerate(zip(bench.expected, found, strict=True)):
        for name, value in expected.items():
            if seen[name] != value:
                got = "no value" if seen[name] is None else f"{seen[name]:#x}"
                return f"{bench.name}: clock {clock}, {bench.signature.entity}.{name} is {got}, expected {value:#x}"
    return None
