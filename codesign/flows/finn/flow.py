"""The flow ``finn``: a dataflow accelerator whose layers are folded for a given rate, written as RTL without Vivado.

A design is taken apart into integer layers (:mod:`codesign.flows.finn.finn_layers`). FINN, in a process of its own,
folds them, estimates them, executes them and writes the RTL of each; they are stitched here. Compiled means: FINN's
graph gave the design's integers on random, extreme and given events. FINN's analytic estimates have fidelity
``compiled``, as the cost models of other compilers do, under FINN's own name.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core import quoting
from codesign.core.availability import Availability
from codesign.core.design import Design
from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.runfolder import write_atomically
from codesign.core.space import Choose, IntDimension, parse
from codesign.core.targets import Target
from codesign.flows.base import Flow
from codesign.flows.finn.client import ask
from codesign.flows.finn.environment import availability
from codesign.flows.finn.estimate import dsp_slices, initiation_interval, latency_bound
from codesign.flows.finn.finn_layers import FinnLayers, layers_of
from codesign.flows.finn.finn_record import FinnRecord, FinnSettings
from codesign.flows.finn.repair import repair
from codesign.flows.finn.stitch import TOP, top_module
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.rtl.firmware import Firmware, Rtl
from codesign.rtl.firmware_record import RECORD, own_files, read_record
from codesign.tools.slang import elaborate
from codesign.tools.yosys import synthesise

__all__ = ("Finn", "FinnSettings", "FinnSpace")

_TOOL = "finn-plus"
#: only needed for what is not used here: sizing FIFOs by simulation, and DSP slices of another family
_UNUSED = ("fifo_gauge.sv",)

Codes = NDArray[np.int64]


class FinnSpace(BaseModel):
    """What a study may search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    initiation_interval: IntDimension = Field(
        default_factory=lambda: parse(16), description="clock cycles between two events that folding aims at"
    )


class Finn(Flow):
    """QONNX through exact integer layers into FINN's RTL. Exact, or refused."""

    name = "finn"
    synthesis_tools = ()
    model = "FINN's graph"
    quantities = ("dsp", "bram", "latency_cycles", "latency_ns", "initiation_interval")
    space: type[BaseModel] = FinnSpace
    settings: type[BaseModel] = FinnSettings

    def suggest(self, space: BaseModel, choose: Choose) -> FinnSettings:
        """Draw the interval that folding aims at."""
        assert isinstance(space, FinnSpace)
        return FinnSettings(initiation_interval=choose("initiation_interval", space.initiation_interval))

    def available(self) -> Availability:
        """FINN lives in an environment of its own, which is set up once."""
        return availability()

    def compile(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: BaseModel | None = None,
        probe: Codes | None = None,
    ) -> Firmware:
        """Fold, estimate and write RTL into ``folder``; every given event and many more must come out exact."""
        from codesign.core.probes import probe_codes

        chosen = FinnSettings.model_validate((settings or FinnSettings()).model_dump())
        if not target.part.lower().startswith("xc"):
            raise UnsupportedError(f"flow finn: target '{target.name}' ({target.part}); FINN is for parts of AMD only")
        if not any(kind.width for kind in design.outputs.types):
            raise UnsupportedError("flow finn: every output is constant, there is no hardware")
        layers = layers_of(design)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made = self._make(layers, target, folder, chosen)
        codes = probe_codes(design.inputs)
        codes = codes if probe is None else np.concatenate([codes, probe])
        truth = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
        wrong = (design.outputs.values(_execute(layers, folder, codes)) != truth).any(axis=1)
        if wrong.any():
            raise ToolError(f"finn: its graph differs from the design on {int(wrong.sum())} of {len(codes)} events")
        repair(folder / "rtl")
        write_atomically(folder / "rtl" / f"{TOP}.sv", top_module(design, layers, made).encode())
        record = {
            "design": design.hash,
            "target": target.name,
            "settings": chosen.model_dump(),
            "sources": _sources(made),
            "data": [f"rtl/{name}" for module in made["modules"] for name in module["data"]],
            "stripped": _strip(layers),
            **made,
        }
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        return self.load(design, target, folder)

    def _make(self, layers: FinnLayers, target: Target, folder: Path, settings: FinnSettings) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        described = []
        for i, step in enumerate(layers.steps):
            described.append({"size": step.size, "accumulator": step.accumulator, "bottom": step.bottom})
            arrays |= {} if step.weights is None else {f"weights{i}": step.weights}
            arrays |= {} if step.thresholds is None else {f"thresholds{i}": step.thresholds}
        with tempfile.TemporaryDirectory(prefix="codesign-") as scratch:
            np.savez(Path(scratch) / "layers.npz", **arrays)
            return ask(
                {
                    "job": "compile",
                    "arrays": f"{scratch}/layers.npz",
                    "layers": described,
                    "input_range": layers.input_range,
                    "part": quoting.plain(target.part, "part").lower(),
                    "clock_ns": target.clock_ns,
                    "initiation_interval": settings.initiation_interval,
                    "folder": str(folder.resolve()),
                }
            )

    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote; ToolError if it is of another design or target."""
        record = read_record(FinnRecord, folder, design.hash, target.name, "firmware of the flow finn")
        firmware = _firmware(design, target, folder, record)
        assert firmware.rtl is not None
        own_files(folder, (*firmware.rtl.sources, *firmware.rtl.data))
        return firmware

    def figures(self, firmware: Firmware) -> list[Figure]:
        """FINN's estimates, put right as :mod:`codesign.flows.finn.estimate` says. It has none of LUTs."""
        record = firmware.extra
        estimates, release = record["estimates"], str(record["version"])
        latency = latency_bound(estimates["latency_cycles"], record["folding"], record["modules"])
        blocks = sum(found["BRAM_18K"] for found in estimates["resources"].values())
        seven = firmware.target.family == "xc7"
        return [
            Figure.of(quantity, value, Fidelity.COMPILED, _TOOL, release)  # type: ignore[arg-type]
            for quantity, value in (
                ("dsp", dsp_slices(record["folding"], seven)),
                ("bram", blocks / 2),
                ("latency_cycles", latency),
                ("latency_ns", round(latency * firmware.target.clock_ns, 4)),
                ("initiation_interval", initiation_interval(estimates["initiation_interval"], record["modules"])),
            )
        ]

    def synthesise(self, firmware: Firmware, work: Path, timeout: float) -> list[Figure]:
        """Yosys' count of FINN's RTL, its SystemVerilog read with slang; the DSP slices are those instantiated.

        Yosys makes flip-flops and multiplexers of the queues that FINN writes as shift registers, where the vendor's
        tools find shift registers in look-up tables.
        """
        assert firmware.rtl is not None
        cells = ("DSP48E1" if firmware.target.family == "xc7" else "DSP48E2", "LUT6_2")
        start = time.monotonic()
        elaborated = elaborate(
            firmware.source_paths, firmware.data_paths, firmware.top, cells, work / "elaborated", timeout
        )
        return synthesise(firmware, work, timeout - (time.monotonic() - start), elaborated)

    def own_bitstream(self, firmware: Firmware, work: Path) -> tuple[Path, list[Figure]]:
        """FINN's own build with Vivado."""
        from codesign.flows.finn.vivado_build import build

        return build(firmware, work)

    def predict(self, firmware: Firmware, codes: Codes) -> Codes:
        """FINN's execution of its own hardware layers on input codes (events, n)."""
        if not len(codes):
            return np.zeros((0, firmware.design.outputs.size), dtype=np.int64)
        return _execute(layers_of(firmware.design), firmware.folder, codes)


def _execute(layers: FinnLayers, folder: Path, codes: Codes) -> Codes:
    with tempfile.TemporaryDirectory(prefix="codesign-") as scratch:
        given, result = f"{scratch}/integers.npy", f"{scratch}/result.npy"
        np.save(given, codes << layers.input_shift)
        graph = folder.resolve() / "dataflow.onnx"
        ask({"job": "execute", "graph": str(graph), "integers": given, "result": result})
        return layers.head.codes(np.load(result, allow_pickle=False))


def _sources(made: dict[str, Any]) -> list[str]:
    """Every file of RTL, packages first."""
    names = {name for module in made["modules"] for name in module["sources"]} - set(_UNUSED)
    return [f"rtl/{name}" for name in sorted(names, key=lambda name: ("_pkg" not in name, name))] + [f"rtl/{TOP}.sv"]


def _strip(layers: FinnLayers) -> list[str]:
    """What FINN's layers do not hold, in words."""
    notes = ["FINN's threshold layer on floating-point inputs is left out: the firmware is fed integers"]
    if layers.head.bias.any() or layers.head.up.any() or layers.head.down.any():
        notes.append("the constant and shift after the last matrix are in the top module, outside FINN's layers")
    return notes


def _firmware(design: Design, target: Target, folder: Path, record: FinnRecord) -> Firmware:
    return Firmware(
        design=design,
        target=target,
        folder=folder,
        rtl=Rtl(
            sources=tuple(Path(s) for s in record.sources),
            top=TOP,
            latency_cycles=None,
            protocol="axi-stream",
            data=tuple(Path(p) for p in record.data),
        ),
        settings=record.settings.model_dump(),
        notes=record.stripped,
        extra=record.model_dump(mode="json", exclude_none=True),
    )
