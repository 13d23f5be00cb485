"""What every flow offers, and what it makes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from codesign.core.availability import Availability
from codesign.core.design import Design
from codesign.core.figures import Figure
from codesign.core.plugins import PlugIn
from codesign.core.records import LayerCosts, Verified
from codesign.core.space import Choose
from codesign.core.targets import Target
from codesign.graph.model_kind import ModelKind
from codesign.rtl.firmware import Firmware

if TYPE_CHECKING:
    from codesign.tools.verilator import WaveFormat

__all__ = (
    "Flow",
    "NoSettings",
)


class NoSettings(BaseModel):  # type: ignore[explicit-any]  # pydantic's own
    """Space and settings of a flow that has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Flow(PlugIn):
    """A way from a design to firmware. :mod:`codesign.testing` tries a flow against this contract.

    What a flow does not do itself stays as it is here: its RTL is simulated with Verilator, synthesised with Yosys, and
    placed by nextpnr where that reaches the target.
    """

    kind = "flows"
    name: str
    #: what :meth:`figures` measures, at fidelity compiled; an objective or constraint on anything else is refused
    #: before the search
    quantities: tuple[str, ...]
    #: pydantic model of what a study may write beside the flow's name; each field is a dimension
    #: (:mod:`codesign.core.space`)
    space: type[BaseModel]
    #: pydantic model of one candidate's settings; must be constructible without arguments
    settings: type[BaseModel]

    #: what :meth:`predict` runs, in words
    model: str = "interpreter"
    #: whether its RTL has the ports ``threshold`` and ``trigger`` of a design that triggers; others are given such a
    #: design without its trigger
    triggers: bool = False
    #: whether its firmware is text and data that may be taken from a store (:mod:`codesign.core.store`), not code that
    #: runs here, and lies as it is in any folder
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
        byte, in any folder: firmware from elsewhere is made again and compared (:mod:`codesign.flows.reopening`).
        """

    @abstractmethod
    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote earlier; ToolError if it is of another design or target.

        Only for what this user made: a trial's firmware is opened with
        :func:`codesign.flows.reopening.reopen_firmware`.
        """

    @abstractmethod
    def figures(self, firmware: Firmware) -> list[Figure]:
        """What the flow itself measures, each with its fidelity."""

    @abstractmethod
    def predict(self, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Run input codes (events, n) through the flow's bit-exact model of the firmware; output codes (events, m)."""

    # ------------------------------------------------------------------------------------------- what it may do better
    def takes(self, design: Design) -> str | None:
        """Why this flow is for another kind of model altogether, so that it is not compared; None where it may do."""
        return None

    def least_lut(self, cost: float, kind: ModelKind = "network") -> Figure | None:
        """The fewest LUTs (fidelity analytic) that any model of a kind takes of which before training so many effective
        bit operations (:mod:`codesign.graph.cost`) are expected; None where nothing can be said.

        A candidate that by this cannot fit is refused before it is trained.
        """
        return None

    def uses(self, settings: BaseModel | None) -> int:
        """How often a piece of hardware works for one event, at most: 1 where each multiplication has its own."""
        return 1

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
        from codesign.tools.yosys import synthesise

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
        """The flow's own bitstream with its figures; None where :mod:`codesign.tools.bitstream` makes it."""
        return None
