"""Measure one network of the calibration with every tool that is here; what fails is recorded with its reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from codesign.calibration.plan import Member, plan
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError, ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.probes import probe_codes
from codesign.core.runfolder import write_atomically
from codesign.core.targets import Target, load_target
from codesign.flows.base import Flow
from codesign.flows.finn.environment import availability
from codesign.flows.reopening import firmware_in, seal_firmware
from codesign.graph import reference
from codesign.rtl.firmware import Firmware
from codesign.tools.nextpnr import place_and_route
from codesign.tools.nextpnr_family import FAMILIES
from codesign.tools.yosys import synthesise

__all__ = ("FINN", "RECORD", "TARGETS", "measure")

RECORD = "record.json"
#: the target of each family that is measured
TARGETS = {"xcup": "vu13p-360", "ecp5": "ulx3s-85f", "nexus": "lifcl-40"}
#: the column of the flow finn, on the first of these targets
FINN = "finn"
#: networks, from the start of the plan, whose RTL by FINN is synthesised and simulated too: a minute each
_FINN_SYNTHESISED = 12
_FINN_EVENTS = 100
#: a network of the plan takes a minute or two; a tool that hangs must not stop the others
_TIMEOUT = 600.0


def measure(one: Member, folder: Path, tick: Callable[[str], None] = lambda stage: None) -> dict[str, Any]:
    """Train, compile, synthesise and place ``one`` in ``folder``; goes on where an earlier call stopped.

    The record has the configuration and, for each measurement, its figures and seconds, or the reason why not.
    """
    record = json.loads((folder / RECORD).read_text(encoding="utf-8")) if (folder / RECORD).is_file() else _new(one)
    for stage, run in _stages(one, folder).items():
        if stage in record["measured"]:
            continue
        tick(f"{one.name}: {stage}")
        start = time.perf_counter()
        try:
            figures = run(_design(one, folder, record))
            found: dict[str, Any] = {"figures": [f.model_dump(mode="json", exclude={"expected"}) for f in figures]}
        except CodesignError as error:
            found = {"failed": " ".join(str(error).split())}
        found["seconds"] = round(time.perf_counter() - start, 2)
        record["measured"][stage] = found
        write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    return record


def _stages(one: Member, folder: Path) -> dict[str, Callable[[Design], list[Figure]]]:
    """Name of each measurement -> how it is made."""
    stages: dict[str, Callable[[Design], list[Figure]]] = {}
    for family, name in TARGETS.items():
        target = load_target(name).model_copy(update={"stage_delay": one.stage_delay})
        stages[f"compiled-{family}"] = partial(_compile, target, folder / family)
        stages[f"synthesised-{family}"] = partial(_synthesise, target, folder / family)
        if family in FAMILIES:
            stages[f"placed-{family}"] = partial(_place, target, folder / family)
    if availability().available:
        target = load_target(TARGETS["xcup"])
        stages[f"compiled-{FINN}"] = partial(_compile_by_finn, target, folder / FINN)
        if one.number in {m.number for m in plan()[:_FINN_SYNTHESISED]}:
            stages[f"synthesised-{FINN}"] = partial(_synthesise_by_finn, target, folder / FINN)
            stages[f"simulated-{FINN}"] = partial(_simulate_by_finn, target, folder / FINN)
    return stages


def _new(one: Member) -> dict[str, Any]:
    config = one.config.model_dump(mode="json")
    return {"name": one.name, "config": config, "stage_delay": one.stage_delay, "measured": {}}


def _design(one: Member, folder: Path, record: dict[str, Any]) -> Design:
    if not (folder / "design.json").is_file():
        design, record["ebops"] = one.design()
        design.save(folder)
    return Design.load(folder)


def _firmware(design: Design, target: Target, folder: Path, flow_name: str = "alkaid") -> Firmware:
    flow = plugins.load(Flow, flow_name)
    firmware = firmware_in(folder / "firmware", flow, design, target)
    if firmware is None:
        firmware = flow.compile(design, target, folder / "firmware")
        seal_firmware(flow, firmware)
    return firmware


def _compile(target: Target, folder: Path, design: Design) -> list[Figure]:
    return plugins.load(Flow, "alkaid").figures(_firmware(design, target, folder))


def _synthesise(target: Target, folder: Path, design: Design) -> list[Figure]:
    return synthesise(_firmware(design, target, folder), folder / "yosys", _TIMEOUT)


def _place(target: Target, folder: Path, design: Design) -> list[Figure]:
    return place_and_route(_firmware(design, target, folder), folder / "nextpnr", _TIMEOUT)


def _compile_by_finn(target: Target, folder: Path, design: Design) -> list[Figure]:
    """FINN's estimates, and with them its own count of LUTs, which the flow does not give: RTL matrices count as 0."""
    firmware = _firmware(design, target, folder, FINN)
    luts = sum(found["LUT"] for found in firmware.extra["estimates"]["resources"].values())
    own = Figure.of("lut", luts, Fidelity.COMPILED, "finn-plus", str(firmware.extra["version"]))
    return [*plugins.load(Flow, FINN).figures(firmware), own]


def _synthesise_by_finn(target: Target, folder: Path, design: Design) -> list[Figure]:
    flow = plugins.load(Flow, FINN)
    return flow.synthesise(_firmware(design, target, folder, FINN), folder / "yosys", _TIMEOUT)


def _simulate_by_finn(target: Target, folder: Path, design: Design) -> list[Figure]:
    """Latency and interval of FINN's RTL; ToolError where an integer is not the design's."""
    from codesign.rtl.provenance import count
    from codesign.verify.rtl import verify

    firmware = _firmware(design, target, folder, FINN)
    codes = probe_codes(design.inputs)[-_FINN_EVENTS:]
    references = {reference.reference_name(design): reference.qonnx_codes(design, codes)}
    verdict = verify(firmware, codes, references, folder / "simulation")
    if not verdict.exact:
        raise ToolError(f"not exact: {verdict.first_difference}")
    return count(verdict, firmware)
