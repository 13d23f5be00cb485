"""Firmware of one design for one target, and its register-transfer level."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codesign.core import quoting
from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.targets import Target
from codesign.rtl.firmware_record import own_files, source_path
from codesign.rtl.transport import Parallel, Transport

__all__ = (
    "Firmware",
    "Rtl",
)


@dataclass(frozen=True)
class Rtl:
    """Register-transfer level of one firmware, in Verilog or SystemVerilog.

    Attributes
    ----------
    sources: paths relative to the firmware's folder.
    top: name of the module to instantiate.
    latency_cycles: by construction, in the unit of :data:`codesign.core.figures.QUANTITIES`; the simulation must
    confirm it.
        None where it is not fixed by construction (a handshake): then it is known once it was simulated.
    data: memory files that the sources read, relative to the firmware's folder.
    protocol: how events go in and out.

        ``pipelined``: ports ``clk``, ``model_inp`` and ``model_out``. ``model_inp`` packs the elements of
        ``design.inputs`` from bit 0 upwards, element i in ``design.inputs.types[i].width`` bits, two's complement,
        without padding; ``model_out`` packs ``design.outputs`` in the same way. The result of an event is at the output
        a fixed number of clocks later, and a new event is taken every ``initiation_interval`` rising edges: so long an
        event must stay at ``model_inp``, and may come at any edge after that. Where
        ``design.trigger`` names an output, there are a port ``threshold`` as wide as its type and a port ``trigger``,
        one bit: whether that output, of the event at ``model_out``, was at least the ``threshold`` of the clock before.

        ``axi-stream``: ports ``aclk``, ``aresetn``, ``s_axis_tdata``, ``s_axis_tvalid``, ``s_axis_tready`` and the same
        of ``m_axis``, with the handshake of AXI4-Stream (Arm IHI 0051). A beat is an event, packed as above and filled
        up to whole bytes with zeros.

        ``started``: the ports of ``pipelined``, and ``rst``, ``first``, ``valid`` and ``error``
        (:mod:`codesign.rtl.folded_top`). ``first`` is high in the clock in which an event is at ``model_inp``, or its
        first beat is; its result is at ``model_out`` while ``valid`` is high, ``latency_cycles`` + 1 clocks later.
    transport: how an event comes to the RTL of protocol ``started``: all of it at once, or in beats.
    repeated: modules with many copies: synthesis may take one of each by itself.
    """

    sources: tuple[Path, ...]
    top: str
    latency_cycles: int | None
    protocol: Literal["pipelined", "axi-stream", "started"] = "pipelined"
    initiation_interval: int = 1
    data: tuple[Path, ...] = ()
    transport: Transport = field(default_factory=Parallel)
    repeated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """InputError for a name that a tool could take for anything else, or a path that leaves the folder."""
        for name in (self.top, *self.repeated):
            quoting.verilog_identifier(name)
        for path in self.sources:
            source_path(path.as_posix())
        for path in self.data:
            quoting.relative_path(path.as_posix())


@dataclass(frozen=True)
class Firmware:
    """Firmware of one design for one target.

    Attributes
    ----------
    folder: where the flow wrote it.
    rtl: None where the flow's RTL needs a tool that is not here (an HLS project without the vendor's compiler). Then
        nobody knows a latency or a resource, and ``sources``, ``top`` and ``latency_cycles`` raise UnsupportedError.
    settings: of the flow, as recorded; part of the provenance of every figure measured on this firmware.
    notes: what the user should know, e.g. a compiler pass that was left out.
    extra: the flow's own record, JSON-serialisable.
    """

    design: Design
    target: Target
    folder: Path
    rtl: Rtl | None
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def _rtl(self) -> Rtl:
        if self.rtl is None:
            why = self.extra.get("no_rtl", "its flow made none")
            raise UnsupportedError(f"there is no RTL of this firmware here: {why}")
        return self.rtl

    @property
    def sources(self) -> tuple[Path, ...]:
        """Sources of the RTL, relative to ``folder``."""
        return self._rtl().sources

    @property
    def source_paths(self) -> list[Path]:
        """Whole paths of the sources; ToolError or InputError where one is not a file of the folder."""
        return own_files(self.folder, self.sources)

    @property
    def data_paths(self) -> list[Path]:
        """Whole paths of the memory files; errors as of :attr:`source_paths`."""
        return own_files(self.folder, self._rtl().data)

    @property
    def top(self) -> str:
        """The RTL's top module."""
        return self._rtl().top

    @property
    def latency_cycles(self) -> int:
        """The RTL's latency by construction; UnsupportedError where it has no fixed one."""
        rtl = self._rtl()
        if rtl.latency_cycles is None:
            raise UnsupportedError(f"the RTL of {rtl.top} has no fixed latency (protocol {rtl.protocol})")
        return rtl.latency_cycles
