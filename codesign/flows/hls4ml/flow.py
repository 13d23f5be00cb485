"""The flow ``hls4ml``: an HLS project for Vitis, exact in its C simulation.

Without the vendor's compiler the project is written, compiled with g++ and compared integer by integer; nobody then
knows a latency or a resource, and none is claimed. With Vitis HLS on the PATH, C synthesis estimates both
(:mod:`codesign.flows.hls4ml.vitis`), and the co-simulation counts clock cycles.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core import quoting
from codesign.core.availability import Availability
from codesign.core.design import Design
from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Figure
from codesign.core.fixedpoint import FixedPoint
from codesign.core.process import run_tool
from codesign.core.records import Verified
from codesign.core.runfolder import write_atomically
from codesign.core.space import Choose, Dimension, Fixed, IntDimension
from codesign.core.targets import Target
from codesign.flows.base import Flow
from codesign.flows.hls4ml.build import RESULT
from codesign.flows.hls4ml.csim import LIBRARY, compile_csim
from codesign.flows.hls4ml.differences import first_difference
from codesign.flows.hls4ml.hls4ml_graph import Folded, fold
from codesign.flows.settings import record_settings
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.rtl.firmware import Firmware
from codesign.rtl.firmware_record import RECORD, Count, FirmwareRecord, Word, read_record
from codesign.tools.verilator import WaveFormat

__all__ = ("FOLDER", "PROJECT", "Hls4ml", "Hls4mlSettings", "Hls4mlSpace")

PROJECT = "codesign_hls"
FOLDER = "project"
_SECONDS = 600.0
_NO_RTL = "the HLS project needs the vendor's compiler (Vitis HLS) to become RTL; only its C simulation was run"

Codes = NDArray[np.int64]


class Hls4mlSettings(BaseModel):
    """How one candidate is built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    io: Literal["io_parallel", "io_stream"] = Field(default="io_parallel", description="wires, or FIFOs between layers")
    strategy: Literal["latency", "resource", "distributed_arithmetic"] = "latency"
    reuse_factor: int = Field(default=1, ge=1, description="multiplications that share a multiplier; hls4ml's nearest")


class _Layer(BaseModel):
    """One matrix as hls4ml made it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Word
    inputs: Count
    outputs: Count
    strategy: Word
    reuse_factor: Count
    accumulator: str
    result: str


class Hls4mlRecord(FirmwareRecord):
    """What is recorded of one project."""

    settings: Hls4mlSettings
    layers: tuple[_Layer, ...]
    hls4ml: str
    notes: tuple[str, ...]
    vendor: tuple[Figure, ...]
    no_rtl: str


class Hls4mlSpace(BaseModel):
    """What a study may write beside the flow's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    io: Dimension = Field(
        default=Fixed("io_parallel"), description="io_parallel: wires; io_stream: FIFOs between layers"
    )
    strategy: Dimension = Field(default=Fixed("latency"), description="latency, resource, or distributed_arithmetic")
    reuse_factor: IntDimension = Field(default=Fixed(1), description="multiplications that share a multiplier")


class Hls4ml(Flow):
    """The design's own QONNX graph through hls4ml. Exact in C simulation, or refused."""

    name = "hls4ml"
    synthesis_tools = ()
    simulation_tools = ()
    model = "C simulation"
    quantities: tuple[str, ...] = ()
    vendor_quantities = ("lut", "ff", "dsp", "bram", "latency_cycles", "latency_ns", "initiation_interval")
    space: type[BaseModel] = Hls4mlSpace
    settings: type[BaseModel] = Hls4mlSettings

    def suggest(self, space: BaseModel, choose: Choose) -> Hls4mlSettings:
        """Draw the settings; distributed arithmetic has no multipliers to share."""
        assert isinstance(space, Hls4mlSpace)
        strategy = choose("strategy", space.strategy)
        reuse = 1 if strategy == "distributed_arithmetic" else choose("reuse_factor", space.reuse_factor)
        return Hls4mlSettings(io=choose("io", space.io), strategy=strategy, reuse_factor=reuse)

    def available(self) -> Availability:
        """hls4ml is an extra, and its C simulation needs g++."""
        try:
            release = version("hls4ml")
        except PackageNotFoundError:
            return Availability(False, "hls4ml is not installed: pip install 'codesign[hls4ml]'")
        if shutil.which("g++") is None:
            return Availability(False, "g++ is not on the PATH, and hls4ml's C simulation needs it", release)
        return Availability(True, "installed", release)

    def vendor(self) -> Availability:
        """Whether the vendor's HLS compiler is here."""
        from codesign.tools.vendor.find import vitis_hls

        return vitis_hls()

    def compile(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: BaseModel | None = None,
        probe: Codes | None = None,
    ) -> Firmware:
        """Write the project into ``folder/project`` and try random, extreme and given codes in its C simulation.

        UnsupportedError names what hls4ml cannot do exactly; ToolError where hls4ml or g++ fails, or differs.
        """
        from codesign.core.probes import probe_codes

        chosen = settings if isinstance(settings, Hls4mlSettings) else Hls4mlSettings()
        graph = fold(design)
        _refuse(chosen, target)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        made = _build(graph, target, folder.resolve(), chosen)
        project = folder / FOLDER
        compile_csim(project, PROJECT)
        codes = probe_codes(design.inputs)
        codes = codes if probe is None else np.concatenate([codes, probe])
        truth = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
        wrong = (_simulate(project, design.inputs.values(codes), design.outputs.size) != truth).any(axis=1)
        if wrong.any():
            raise ToolError(
                f"hls4ml: its C simulation differs from the design on {int(wrong.sum())} of {len(codes)} events, first "
                f"on event {int(wrong.argmax())}"
            )
        notes, estimated = _notes(made, chosen), []
        if not self.vendor().available:
            notes.append(_NO_RTL)
        else:
            from codesign.flows.hls4ml.vitis import c_synthesis

            try:
                estimated = c_synthesis(project, PROJECT, target)
            except ToolError as error:  # costs these figures only
                notes.append(f"C synthesis gave no figures: {error}")
        record = {
            "design": design.hash,
            "target": target.name,
            "settings": record_settings(chosen),
            "layers": made["layers"],
            "hls4ml": made["version"],
            "notes": notes,
            "vendor": [figure.model_dump(mode="json") for figure in estimated],
            "no_rtl": _NO_RTL,
        }
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        return self.load(design, target, folder)

    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open a project that :meth:`compile` wrote; ToolError if it is of another design or target."""
        record = read_record(Hls4mlRecord, folder, design.hash, target.name, "project of the flow hls4ml")
        settings = record_settings(record.settings)
        return Firmware(
            design=design,
            target=target,
            folder=folder,
            rtl=None,
            settings=settings,
            notes=record.notes,
            extra=record.model_dump(mode="json") | {"settings": settings},
        )

    def figures(self, firmware: Firmware) -> list[Figure]:
        """What the vendor's C synthesis estimated, fidelity vendor; nothing where it did not run."""
        return [Figure.model_validate(record) for record in firmware.extra["vendor"]]

    def predict(self, firmware: Firmware, codes: Codes) -> Codes:
        """Run the C simulation on input codes (events, n)."""
        design, project = firmware.design, firmware.folder / FOLDER
        if not (project / LIBRARY).is_file():
            compile_csim(project, PROJECT)
        return design.outputs.codes(_simulate(project, design.inputs.values(codes), design.outputs.size))

    def verify(
        self,
        firmware: Firmware,
        codes: Codes,
        references: Mapping[str, Codes],
        work: Path,
        waves: WaveFormat | None = None,
        threshold: int | None = None,
    ) -> Verified:
        """Compare the RTL that Vitis made, in its co-simulation, with every model; without Vitis the C simulation.

        ``proven`` says which of the two was done. ``waves`` needs the vendor's simulator and is not offered.
        """
        if self.vendor().available:
            from codesign.flows.hls4ml.vitis import co_simulation

            return co_simulation(firmware, firmware.folder / FOLDER, PROJECT, codes, references)
        own = self.predict(firmware, codes)
        others = {name: reference for name, reference in references.items() if name != self.model}
        return Verified(
            exact=(difference := first_difference(firmware, own, others, self.model)) is None,
            events=len(codes),
            compared=list(others),
            tool="hls4ml and g++",
            version=str(firmware.extra["hls4ml"]),
            proven=self.model,
            first_difference=difference,
        )

    def synthesise(self, firmware: Firmware, work: Path, timeout: float) -> list[Figure]:
        """Logic synthesis of the Verilog that C synthesis wrote, by Vivado; ToolError where either is missing."""
        from codesign.tools.vendor.vivado import out_of_context

        sources = sorted((firmware.folder / FOLDER / f"{PROJECT}_prj").glob("solution1/syn/verilog/*.v*"))
        if not sources:
            raise ToolError(f"hls4ml: there is no Verilog to synthesise: {_NO_RTL}")
        return out_of_context(sources, PROJECT, "ap_clk", firmware.target, work, timeout)


def _refuse(settings: Hls4mlSettings, target: Target) -> None:
    if settings.strategy == "distributed_arithmetic":
        if settings.reuse_factor != 1:
            raise UnsupportedError("flow hls4ml: distributed arithmetic shares nothing: write reuse_factor: 1")
        if find_spec("da4ml") is None:
            raise ToolError("flow hls4ml: distributed arithmetic needs da4ml: pip install 'codesign[hls4ml]'")
    if not target.part.lower().startswith("xc"):
        raise UnsupportedError(f"flow hls4ml: target '{target.name}' ({target.part}); its back end is for parts of AMD")


def _build(graph: Folded, target: Target, folder: Path, settings: Hls4mlSettings) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="codesign-") as scratch:
        work = Path(scratch)
        (work / "model.onnx").write_bytes(graph.model.SerializeToString())
        request = {
            "model": f"{scratch}/model.onnx",
            "folder": str(folder / FOLDER),
            "name": PROJECT,
            "io": settings.io,
            "strategy": settings.strategy,
            "reuse_factor": settings.reuse_factor,
            "input": str(graph.input),
            "dense": [_kind(layer.result) for layer in graph.dense],
            "part": quoting.plain(target.part, "part"),
            "clock_ns": target.clock_ns,
        }
        (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "codesign.flows.hls4ml.build", f"{scratch}/request.json"]
        run_tool(command, work, _SECONDS, _environment(), folder / "hls4ml.log", name="hls4ml")
        result: dict[str, Any] = json.loads((work / RESULT).read_text(encoding="utf-8"))
    made = [(layer["inputs"], layer["outputs"]) for layer in result["layers"]]
    if made != [(layer.inputs, layer.outputs) for layer in graph.dense]:
        raise ToolError(f"hls4ml: made matrices {made} of others: what it reads is not what it was given")
    return result


def _notes(made: dict[str, Any], settings: Hls4mlSettings) -> list[str]:
    """What hls4ml chose otherwise than it was told: it says so on its standard output only."""
    found = [
        f"reuse factor of {layer['name']} ({layer['inputs']} x {layer['outputs']}): hls4ml took "
        f"{layer['reuse_factor']} in place of {settings.reuse_factor}"
        for layer in made["layers"]
        if layer["reuse_factor"] != settings.reuse_factor
    ]
    if made["scalings"]:
        found.append(f"widths per channel became {made['scalings']} scalings of hls4ml, in wider types than they need")
    return found


def _kind(kind: FixedPoint) -> dict[str, Any]:
    return {"signed": kind.signed, "width": kind.width, "integer": kind.integer_bits + int(kind.signed)}


def _environment() -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[3])
    return {"PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def _simulate(project: Path, values: NDArray[np.float64], outputs: int) -> NDArray[np.float64]:
    with tempfile.TemporaryDirectory(prefix="codesign-") as scratch:
        given, result = f"{scratch}/in.npy", f"{scratch}/out.npy"
        np.save(given, values)
        library = str((project / LIBRARY).resolve())
        command = [sys.executable, "-P", "-m", "codesign.flows.hls4ml.csim", library, PROJECT]
        command += [given, result, str(outputs)]
        run_tool(command, project, _SECONDS, _environment(), name="C simulation")
        return np.asarray(np.load(result, allow_pickle=False), dtype=np.float64)
