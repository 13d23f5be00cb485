"""The flow ``trees``: boosted trees as pipelined Verilog of our own, a new event every clock.

Comparators that several decisions share stand once. A tree is the bits of the place of its leaf, each of choices
between single bits, and a table of the leaves; the trees of an output are added in pairs. Every event takes the same
number of clocks.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

import codesign
from codesign.core.availability import Availability
from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.reading.plain import member_names
from codesign.core.runfolder import write_atomically
from codesign.core.space import Choose, Dimension, Fixed, IntDimension
from codesign.core.targets import Target
from codesign.flows.base import Flow
from codesign.flows.expected import with_expected
from codesign.flows.settings import record_settings, stage_delay_for
from codesign.flows.trees.folded_trees import FoldedTrees, write_folded
from codesign.flows.trees.tree_luts import luts_of
from codesign.flows.trees.tree_plan import TreePlan, plan_of
from codesign.flows.trees.tree_verilog import write_trees
from codesign.graph.model_kind import ModelKind
from codesign.rtl.firmware import Firmware, Rtl
from codesign.rtl.firmware_record import RECORD, Count, FirmwareRecord, Identifier, Source, own_files, read_record
from codesign.rtl.top_module import top_module

__all__ = ("TreeSettings", "TreeSpace", "Trees")

#: LUTs for each effective bit operation that is expected before training: an eighth of the least in the calibration
#: (reports/reference/tree_calibration.json), for trees that take turns take about a quarter
_LEAST_LUT = 0.01
_TOP, _CORE = "codesign_top", "codesign_core"


class TreeSettings(BaseModel):
    """Settings of one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_delay: float | None = Field(
        default=None, gt=0, description="logic between two registers, in adder delays; None: what the target allows"
    )
    interval: int = Field(
        default=1, ge=1, le=16, description="clocks for which an event stays: its trees take turns, and share hardware"
    )


class TreeSpace(BaseModel):
    """What a study may write beside the flow's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage_delay: Dimension = Field(
        default=Fixed(None), description="a deeper pipeline than the target's clock needs: at most its stage_delay"
    )
    interval: IntDimension = Field(
        default=Fixed(1), description="clocks for which an event stays; its trees take turns"
    )


class _TreeRecord(FirmwareRecord):
    """What is recorded of one firmware."""

    top: Identifier
    sources: tuple[Source, ...] = Field(min_length=1)
    latency_cycles: Count
    lut: float = Field(ge=0)
    ff: Count
    interval: Count = 1
    comparators: Count
    trees: Count
    settings: TreeSettings
    codesign: str


class Trees(Flow):
    """One ensemble of trees into Verilog. Exact, or refused."""

    name = "trees"
    triggers = True
    storable = True
    model = "decisions in integers"
    quantities = ("lut", "ff", "latency_cycles", "latency_ns", "initiation_interval")
    space = TreeSpace
    settings = TreeSettings

    def suggest(self, space: BaseModel, choose: Choose) -> TreeSettings:
        """Draw the logic between two registers, where the study leaves it open."""
        assert isinstance(space, TreeSpace)
        return TreeSettings(
            stage_delay=choose("stage_delay", space.stage_delay), interval=choose("interval", space.interval)
        )

    def available(self) -> Availability:
        """It is part of codesign."""
        return Availability(True, "part of codesign", codesign.__version__)

    def takes(self, design: Design) -> str | None:
        """Nothing but ensembles of trees."""
        try:
            plan_of(design)
        except UnsupportedError as error:
            return str(error)
        return None

    def compile(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: BaseModel | None = None,
        probe: NDArray[np.int64] | None = None,
    ) -> Firmware:
        """Compile into ``folder``; UnsupportedError for a graph that is anything but one ensemble of trees."""
        settings = settings or TreeSettings()
        assert isinstance(settings, TreeSettings)
        stage_delay = stage_delay_for(target, settings.stage_delay)
        plan = plan_of(design)
        kinds = plan.kinds()
        if not sum(k.width for k in kinds):
            raise UnsupportedError("flow trees: every output is 0, there is no hardware")
        compared = design.threshold is not None
        if settings.interval > 1 and compared:
            raise UnsupportedError(
                "flow trees: a design that triggers takes an event every clock: its trigger is not proven at a larger "
                "interval, leave 'interval' at 1"
            )
        core, luts = _write(plan, design, stage_delay, settings.interval)
        top = top_module(_TOP, _CORE, design.inputs, design.outputs, design.inputs.types, kinds, design.trigger_index)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "src").mkdir(parents=True)
        write_atomically(folder / "src" / f"{_CORE}.v", core.text.encode())
        write_atomically(folder / "src" / f"{_TOP}.v", top.encode())
        record = {
            "design": design.hash,
            "target": target.name,
            "top": _TOP,
            "sources": [f"src/{_CORE}.v", f"src/{_TOP}.v"],
            "latency_cycles": core.latency + compared,
            "lut": luts + (design.outputs.width if compared else 0),
            "ff": core.flip_flops + (design.outputs.width + 1 if compared else 0),
            "interval": core.interval,
            "comparators": len(plan.forest.features),
            "trees": len(plan.forest.roots),
            "settings": record_settings(settings),
            "codesign": codesign.__version__,
        }
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        return self.load(design, target, folder)

    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote; ToolError if it is of another design or target."""
        record = read_record(_TreeRecord, folder, design.hash, target.name, "firmware of the flow trees")
        member_names(folder)  # refuses links: tools open these files by their paths
        sources = tuple(Path(s) for s in record.sources)
        rtl = Rtl(sources, record.top, record.latency_cycles, initiation_interval=record.interval)
        own_files(folder, rtl.sources)
        settings = record_settings(record.settings)
        return Firmware(
            design=design,
            target=target,
            folder=folder,
            rtl=rtl,
            settings=settings,
            extra=record.model_dump(mode="json") | {"settings": settings},
        )

    def least_lut(self, cost: float, kind: ModelKind = "network") -> Figure | None:
        """An eighth of what the cheapest ensemble took that was measured; of networks nothing is known."""
        if kind != "trees":
            return None
        return Figure.of("lut", _LEAST_LUT * cost, Fidelity.ANALYTIC, "codesign", codesign.__version__)

    def figures(self, firmware: Firmware) -> list[Figure]:
        """Flip-flops, latency, interval by construction; look-up tables part by part, with what Yosys should find."""
        tool, release, cycles = "codesign", str(firmware.extra["codesign"]), firmware.latency_cycles
        compiled = Fidelity.COMPILED
        found = [
            Figure.of("lut", firmware.extra["lut"], compiled, tool, release),
            Figure.of("ff", firmware.extra["ff"], compiled, tool, release),
            Figure.of("latency_cycles", cycles, compiled, tool, release),
            Figure.of("latency_ns", round(cycles * firmware.target.clock_ns, 4), compiled, tool, release),
            Figure.of("initiation_interval", firmware.extra["interval"], compiled, tool, release),
        ]
        if firmware.extra["interval"] > 1:
            return found  # nobody calibrated these
        return with_expected(found, firmware.target.family, "trees", self.name)

    def predict(self, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The decisions that the hardware takes, on integers."""
        plan, outputs = plan_of(firmware.design), firmware.design.outputs
        return outputs.codes(plan.run(codes).astype(np.float64) * plan.step)


def _write(plan: TreePlan, design: Design, stage_delay: float, interval: int) -> tuple[FoldedTrees, float]:
    """The core, for an event every clock or one that stays for several, and its look-up tables: those of all trees side
    by side, for what is saved by taking turns is not foreseen."""
    made = write_trees(plan, design.inputs, _CORE, stage_delay)
    luts = luts_of(plan, design.inputs, made.choices)
    if interval > 1:
        return write_folded(plan, design.inputs, _CORE, stage_delay, interval), luts
    return FoldedTrees(made.text, 1, made.latency, made.flip_flops), luts
