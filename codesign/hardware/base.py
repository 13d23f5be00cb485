"""What every flow offers, and what it makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from codesign import quoting
from codesign.design import Design
from codesign.errors import UnsupportedError
from codesign.figures import Figure
from codesign.hardware.firmware_record import held, source_path
from codesign.records import LayerCosts, Verified
from codesign.space import Choose
from codesign.targets import Target

if TYPE_CHECKING:
    from codesign.verify.verilator import WaveFormat

__all__ = ("Availability", "Firmware", "Flow", "NoSettings", "Rtl")


@dataclass(frozen=True)
class Availability:
    """Whether a flow or tool can run here, and if not, why and how to get it."""

    available: bool
    reason: str
    version: str | None = None


class NoSettings(BaseModel):
    """Space and settings of a flow that has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Rtl:
    """Register-transfer level of one firmware, in Verilog or SystemVerilog.

    Attributes
    ----------
    sources: paths relative to the firmware's folder.
    top: name of the module to instantiate.
    latency_cycles: by construction, in the unit of :data:`codesign.figures.QUANTITIES`; the simulation must confirm it.
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
    """

    sources: tuple[Path, ...]
    top: str
    latency_cycles: int | None
    protocol: Literal["pipelined", "axi-stream"] = "pipelined"
    initiation_interval: int = 1
    data: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """InputError for a name that a tool could take for anything else, or a path that leaves the folder."""
        quoting.verilog_identifier(self.top)
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
        return held(self.folder, self.sources)

    @property
    def data_paths(self) -> list[Path]:
        """Whole paths of the memory files; errors as of :attr:`source_paths`."""
        return held(self.folder, self._rtl().data)

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


class Flow(ABC):
    """A way from a design to firmware. :mod:`codesign.testing` tries a flow against this contract.

    What a flow does not do itself stays as it is here: its RTL is simulated with Verilator, synthesised with Yosys, and
    placed by nextpnr where that reaches the target.
    """

    name: str
    #: what :meth:`figures` measures, at fidelity compiled; an objective or constraint on anything else is refused
    #: before the search
    quantities: tuple[str, ...]
    #: pydantic model of what a study may write beside the flow's name; each field is a dimension
    #: (:mod:`codesign.space`)
    space: type[BaseModel]
    #: pydantic model of one candidate's settings; must be constructible without arguments
    settings: type[BaseModel]

    #: what :meth:`predict` runs, in words
    model: str = "interpreter"
    #: whether its RTL has the ports ``threshold`` and ``trigger`` of a design that triggers; others are given such a
    #: design without its trigger
    triggers: bool = False
    #: whether its firmware is text and data that may be taken from a store (:mod:`codesign.store`), not code that runs
    #: here, and lies as it is in any folder
    storable: bool = False
    #: what :meth:`figures` measures at fidelity ``vendor`` where :meth:`vendor` says that the vendor's tools are here
    vendor_quantities: tuple[str, ...] = ()
    #: packages and programs without which :meth:`synthesise` or :meth:`verify` cannot run
    synthesis_tools: tuple[str, ...] = ("yosys",)
    simulation_tools: tuple[str, ...] = ("verilator", "cocotb", "g++")

    # -------------------------------------------------------------------------------------------------- what it must do
    @abstractmethod
    def suggest(self, space: BaseModel, choose: Choose) -> BaseModel:
        """Draw one candidate's settings from the space (names are recorded with the prefix ``flow.``)."""

    @abstractmethod
    def available(self) -> Availability:
        """Whether the flow can run here, with the reason."""

    @abstractmethod
    def compile(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: BaseModel | None = None,
        probe: NDArray[np.int64] | None = None,
    ) -> Firmware:
        """Write firmware into ``folder``; ``settings`` default to ``self.settings()``.

        ``probe``, input codes (events, n), are events on which the flow may check its own work. UnsupportedError names
        what has no exact hardware in this flow. The same design, target and settings give the same sources, byte for
        byte, in any folder: firmware from elsewhere is made again and compared (:mod:`codesign.trust.firmware`).
        """

    @abstractmethod
    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote earlier; ToolError if it is of another design or target.

        Only for what this user made: a trial's firmware is opened with
        :func:`codesign.trust.firmware.reopen_firmware`.
        """

    @abstractmethod
    def figures(self, firmware: Firmware) -> list[Figure]:
        """What the flow itself measures, each with its fidelity."""

    @abstractmethod
    def predict(self, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Run input codes (events, n) through the flow's bit-exact model of the firmware; output codes (events, m)."""

    # ------------------------------------------------------------------------------------------- what it may do better
    def least_lut(self, cost: float) -> Figure | None:
        """The fewest LUTs (fidelity analytic) that any network takes of which before training so many effective bit
        operations (:mod:`codesign.graph.cost`) are expected; None where nothing can be said.

        A candidate that by this cannot fit is refused before it is trained.
        """
        return None

    def vendor(self) -> Availability:
        """Whether the vendor's tools are here that :attr:`vendor_quantities` need."""
        return Availability(False, f"the flow {self.name} measures nothing with a vendor's tools")

    def layers(self, firmware: Firmware) -> LayerCosts | None:
        """What the circuit costs up to each of its layers; None where the flow cannot tell."""
        return None

    def deeper(self, firmware: Firmware, stage_delay: float) -> BaseModel | None:
        """Settings of a pipeline with so many adders between two registers; None where that cannot be set."""
        return None

    def synthesise(self, firmware: Firmware, work: Path, timeout: float) -> list[Figure]:
        """Count what the firmware takes on its target, within ``timeout`` seconds; ToolError if that fails."""
        from codesign.hardware.yosys import synthesise

        return synthesise(firmware, work, timeout)

    def verify(
        self,
        firmware: Firmware,
        codes: NDArray[np.int64],
        references: Mapping[str, NDArray[np.int64]],
        work: Path,
        waves: WaveFormat | None = None,
        threshold: int | None = None,
    ) -> Verified:
        """Run what there is of the firmware against every reference, as :func:`codesign.verify.rtl.verify` does."""
        from codesign.verify.rtl import verify

        return verify(firmware, codes, references, work, waves, threshold)

    def own_bitstream(self, firmware: Firmware, work: Path) -> tuple[Path, list[Figure]] | None:
        """The flow's own bitstream with its figures; None where :mod:`codesign.hardware.bitstream` makes it."""
        return None
