"""The flow ``alkaid``: distributed arithmetic, pipelined Verilog: unrolled with a new event every clock, or folded.

An interval above 1 uses the network's own repetition: what is the same for every item is there for a few items only
(:mod:`codesign.graph.schedule`). Nothing is folded inside a layer. The modulo schedule of alkaid 0.8.2 states when
ports are valid, and doing it by hand costs logic instead of saving it: adders that serve two outputs in turn took 1.3
to 1.5 times the LUTs of both unrolled (``tests/benchmarks/time_multiplexing.py``), as weights are constants and each
output has its own.
"""

from __future__ import annotations

import json
import shutil
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign import __version__
from codesign.core.availability import Availability
from codesign.core.design import Design
from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.reading.plain import member_names
from codesign.core.records import LayerCosts
from codesign.core.runfolder import write_atomically
from codesign.core.space import Choose, Fixed
from codesign.core.targets import Target
from codesign.flows.alkaid.alkaid_settings import AlkaidRecord, AlkaidSettings, AlkaidSpace
from codesign.flows.base import Flow
from codesign.flows.expected import with_expected
from codesign.flows.settings import record_settings, stage_delay_for
from codesign.graph.exact import Exact
from codesign.graph.model_kind import CircuitKind, ModelKind, kind_of_circuit
from codesign.graph.reader import Graph, read_graph
from codesign.rtl.firmware import Firmware, Rtl
from codesign.rtl.firmware_record import RECORD, own_files, read_record
from codesign.rtl.top_module import top_module
from codesign.rtl.transport import Beats, Parallel

if TYPE_CHECKING:
    from alkaid.types import CombLogic

__all__ = (
    "PROGRAM",
    "TOP",
    "Alkaid",
    "AlkaidSettings",
    "AlkaidSpace",
    "element_types",
)

TOP = "codesign_top"
_CORE = "codesign_core"
#: the circuit, as alkaid's interpreter takes it
PROGRAM = "program.json.gz"
#: LUTs for each effective bit operation that is expected before training. Of the calibration's 43 networks of the
#: family mlp (reports/reference/calibration.json) three, pruned to a tenth, took 0.21 to 0.23, all others 0.35 to 0.93
_LEAST_LUT = 0.1
#: items from which on an unrolled design gets a module for each, unless it is said otherwise: the whole of them in one
#: circuit takes 2 % fewer LUTs and fewer clocks, and hours of synthesis
_COPIES = 32
#: what the record of a folded design has more
_FOLDED = {"initiation_interval", "beats", "items"}


class Alkaid(Flow):
    """QONNX through our reader into alkaid's ALIR, then pipelined Verilog. Exact, or refused."""

    name = "alkaid"
    triggers = True
    storable = True
    quantities = ("lut", "ff", "latency_cycles", "latency_ns", "initiation_interval")
    space = AlkaidSpace
    settings = AlkaidSettings

    def suggest(self, space: BaseModel, choose: Choose) -> AlkaidSettings:
        """Draw the logic between two registers, where the study leaves it open."""
        assert isinstance(space, AlkaidSpace)
        interval = choose("interval", space.interval) if space.interval != Fixed(1) else 1
        stage_delay = choose("stage_delay", space.stage_delay)
        if interval == 1:
            return AlkaidSettings(stage_delay=stage_delay, modules=space.modules)
        transport = space.transport if space.transport != "parallel" else None
        items = space.items if transport is not None else None
        return AlkaidSettings(stage_delay=stage_delay, interval=interval, transport=transport, items=items)

    def available(self) -> Availability:
        """alkaid comes with codesign; it is missing only in a damaged installation."""
        try:
            return Availability(True, "installed", version("alkaid"))
        except PackageNotFoundError:
            return Availability(False, "alkaid is not installed: pip install alkaid")

    def compile(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: BaseModel | None = None,
        probe: NDArray[np.int64] | None = None,
    ) -> Firmware:
        """Compile into ``folder``. Random and extreme codes and ``probe`` (events, n) are tried after every pass."""
        from alkaid.trace import to_pipeline

        from codesign.flows.alkaid.alkaid_files import save_program, write_verilog

        settings = settings or AlkaidSettings()
        assert isinstance(settings, AlkaidSettings)
        stage_delay = stage_delay_for(target, settings.stage_delay)
        graph = read_graph(design.onnx)
        codes = probe_codes(design.inputs) if probe is None else np.concatenate([probe_codes(design.inputs), probe])
        if (settings.interval or 1) > 1 or _by_items(design, settings):
            return self._fold(design, target, folder, settings, stage_delay, codes)
        values = design.inputs.values(codes)
        truth = graph.run(values, Exact())

        circuit, notes = _best_circuit(graph, design.inputs, values, truth)
        pipeline = to_pipeline(circuit, latency_cutoff=stage_delay, verbose=False)
        shutil.rmtree(folder, ignore_errors=True)
        rtl = write_verilog(pipeline, folder, _CORE, target)
        save_program(circuit, folder / PROGRAM)
        core_in, core_out = (element_types(signals[0]) for signals in (rtl.fsm.inp_signals, rtl.fsm.out_signals))
        top = top_module(TOP, _CORE, design.inputs, design.outputs, core_in, core_out, design.trigger_index)
        # a comparator is an adder as wide as its operands; result and trigger bit have a register of their own
        compared = design.threshold.width if design.threshold is not None else 0
        write_atomically(folder / "src" / f"{TOP}.v", top.encode())
        sources = sorted(str(p.relative_to(folder)) for p in (folder / "src").rglob("*.v"))
        record = {
            "design": design.hash,
            "target": target.name,
            "top": TOP,
            "sources": sources,
            "latency_cycles": int(rtl.latency) + bool(compared),
            "lut": float(circuit.cost) + compared,
            "ff": int(rtl.reg_bits) + (design.outputs.width + 1 if compared else 0),
            "notes": notes,
            "settings": record_settings(settings),
            "alkaid": version("alkaid"),
        }
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        return self.load(design, target, folder)

    def _fold(
        self,
        design: Design,
        target: Target,
        folder: Path,
        settings: AlkaidSettings,
        stage_delay: float,
        codes: NDArray[np.int64],
    ) -> Firmware:
        """The design as modules of its items, in one or several clocks an event (:mod:`codesign.graph.schedule`)."""
        from codesign.flows.alkaid.folded_flow import compile_folded

        interval = settings.interval or 1
        shutil.rmtree(folder, ignore_errors=True)
        made = compile_folded(
            design, target, folder, TOP, interval, settings.transport or "parallel", stage_delay, codes, settings.items
        )
        compared = design.threshold.width if design.threshold is not None else 0
        record = {
            "design": design.hash,
            "target": target.name,
            "top": TOP,
            "sources": sorted(str(p.relative_to(folder)) for p in (folder / "src").rglob("*.v")),
            "latency_cycles": made.latency_cycles,
            "lut": made.lut + compared,
            "ff": made.ff + (design.outputs.width + 1 if compared else 0),
            "notes": made.notes,
            "settings": record_settings(settings),
            "alkaid": version("alkaid"),
            "initiation_interval": made.interval,
            "beats": made.beats,
            "items": made.items,
            "repeated": made.repeated,
            "by_items": interval == 1,
        }
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        return self.load(design, target, folder)

    def load(self, design: Design, target: Target, folder: Path) -> Firmware:
        """Open firmware that :meth:`compile` wrote; ToolError if it is of another design or target."""
        record = read_record(AlkaidRecord, folder, design.hash, target.name, "firmware of the flow alkaid")
        member_names(folder)  # refuses links: tools open these files by their paths
        interval = record.initiation_interval
        rtl = Rtl(
            tuple(Path(s) for s in record.sources),
            record.top,
            record.latency_cycles,
            protocol="started" if interval > 1 else "pipelined",
            initiation_interval=interval,
            transport=Beats(record.items, record.beats, interval) if record.beats else Parallel(interval),
            repeated=record.repeated,
        )
        own_files(folder, rtl.sources)
        settings = record_settings(record.settings)
        return Firmware(
            design=design,
            target=target,
            folder=folder,
            rtl=rtl,
            settings=settings,
            notes=record.notes,
            extra=record.model_dump(mode="json", exclude=set() if interval > 1 else _FOLDED) | {"settings": settings},
        )

    def figures(self, firmware: Firmware) -> list[Figure]:
        """LUT by alkaid's cost model, flip-flops of the pipeline, latency and initiation interval by construction.

        LUT and flip-flops with what Yosys, or nextpnr where it places the target's family, should find.
        """
        tool, release = "alkaid", str(firmware.extra["alkaid"])
        cycles = firmware.latency_cycles
        compiled, interval = Fidelity.COMPILED, firmware.rtl.initiation_interval if firmware.rtl is not None else 1
        found = [
            Figure.of("lut", round(firmware.extra["lut"], 2), compiled, tool, release),
            Figure.of("ff", firmware.extra["ff"], compiled, tool, release),
            Figure.of("latency_cycles", cycles, compiled, tool, release),
            Figure.of("latency_ns", round(cycles * firmware.target.clock_ns, 4), compiled, tool, release),
            Figure.of("initiation_interval", interval, compiled, tool, release),
        ]
        kind: CircuitKind | None = "folded" if interval > 1 else "repeated"
        if interval == 1 and not firmware.extra.get("by_items"):
            kind = kind_of_circuit(firmware.design)
        return with_expected(found, firmware.target.family, kind)

    def least_lut(self, cost: float, kind: ModelKind = "network") -> Figure | None:
        """Half of what the cheapest network took that was measured; of trees it is not known."""
        if kind != "network":
            return None
        return Figure.of("lut", _LEAST_LUT * cost, Fidelity.ANALYTIC, "codesign", __version__)

    def uses(self, settings: BaseModel | None) -> int:
        """The interval: so many clocks an event's items share."""
        return (settings.interval or 1) if isinstance(settings, AlkaidSettings) else 1

    def layers(self, firmware: Firmware) -> LayerCosts | None:
        """What the circuit costs up to each of its layers, in the same cost model (:mod:`.alkaid_layers`).

        None for a design of modules, each of which computes several layers of an item.
        """
        from codesign.flows.alkaid.alkaid_layers import layer_costs

        if firmware.rtl is not None and (firmware.rtl.initiation_interval > 1 or firmware.extra.get("by_items")):
            return None
        stage_delay = firmware.settings.get("stage_delay") or firmware.target.stage_delay
        return layer_costs(firmware, float(stage_delay))

    def deeper(self, firmware: Firmware, stage_delay: float) -> AlkaidSettings:
        """Settings of a deeper pipeline."""
        return AlkaidSettings.model_validate({**firmware.settings, "stage_delay": stage_delay})

    def predict(self, firmware: Firmware, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """alkaid's bit-exact interpreter on input codes (events, n)."""
        interval = int(firmware.settings.get("interval") or 1)
        if interval > 1 or firmware.extra.get("by_items"):
            from codesign.flows.alkaid.folded_flow import predict_folded

            if not len(codes):
                return np.zeros((0, firmware.design.outputs.size), dtype=np.int64)
            try:
                return predict_folded(firmware.design, firmware.folder, interval, codes)
            except (RuntimeError, ValueError, TypeError, IndexError, OverflowError) as error:
                raise _damage(firmware.folder, error) from None
        program = _program(firmware.folder / PROGRAM, firmware.design.hash)
        try:
            values = _interpret(program, firmware.design.inputs.values(codes))
        except (RuntimeError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise _damage(firmware.folder / PROGRAM, error) from None
        return firmware.design.outputs.codes(values)


def _by_items(design: Design, settings: AlkaidSettings) -> bool:
    """Whether an unrolled design gets a module for each item."""
    from codesign.flows.alkaid.folded_flow import most_copies

    if settings.modules is not None or design.inputs.size < _COPIES:
        return settings.modules == "items"
    return most_copies(design) >= _COPIES


def _damage(path: Path, error: Exception) -> ToolError:
    said = " ".join(str(error).split())[:200]
    return ToolError(f"{path}: alkaid does not run it ({said}): compile again")


def _best_circuit(
    graph: Graph, inputs: Port, values: NDArray[np.float64], truth: NDArray[np.float64]
) -> tuple[CombLogic, list[str]]:
    """The best circuit that gives ``truth`` (events, m) on ``values`` (events, n), and notes on what it lacks."""
    from alkaid.trace import FVArray, HWConfig, trace

    from codesign.flows.alkaid.alkaid_domain import Signals
    from codesign.flows.alkaid.alkaid_passes import optimise
    from codesign.flows.alkaid.retracing import without_collections

    kinds = inputs.types
    signal = FVArray.from_kif(
        np.array([[int(t.signed) for t in kinds]]),
        np.array([[t.integer_bits for t in kinds]]),
        np.array([[t.fraction_bits for t in kinds]]),
        HWConfig(1, -1, -1),
    )
    with without_collections():
        traced = trace(signal, graph.run(signal, Signals()), optimize=False)
        return optimise(traced, lambda c: np.array_equal(_interpret(c, values), truth))


def _interpret(circuit: CombLogic, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return circuit.predict(np.ascontiguousarray(values), n_threads=1)  # type: ignore[no-any-return]


@lru_cache(maxsize=4)
def _program(path: Path, design: str) -> CombLogic:
    # 'design' is part of the cache's key: another design may be compiled into the same folder
    from codesign.flows.alkaid.alkaid_files import load_program

    return load_program(path)


def element_types(signal: object) -> list[FixedPoint]:
    """Types of the elements of one of alkaid's signals, of width 0 where there are no bits."""
    return [
        FixedPoint(signed=bool(k), integer_bits=int(i), fraction_bits=int(f))
        if k + i + f > 0
        else FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
        for k, i, f in signal.precisions  # type: ignore[attr-defined]
    ]
