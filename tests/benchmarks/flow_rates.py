"""Seconds per candidate in each flow, and events per second of each flow's RTL simulation, on one network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from codesign.calibration.plan import member
from codesign.core import plugins
from codesign.core.errors import CodesignError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.training import export

__all__ = ("flow_rates",)

#: of the calibration's plan: three hidden layers, about 1,500 LUT with alkaid
NETWORK = 37


def flow_rates(work: Path) -> dict[str, Any]:
    """For each flow that is here: seconds to compile and to run its model, and the RTL's simulation; equality."""
    one = member(NETWORK)
    design, _ = one.design()
    codes = probe_codes(design.inputs, events=20_000)
    truth = export.qonnx_codes(design, codes)
    found: dict[str, Any] = {"network": one.name, "events": len(codes)}
    for name in plugins.names(Flow):
        flow = plugins.load(Flow, name)
        if not flow.available().available:
            continue
        try:
            found[name] = _one(flow, design, codes, truth, work / name)
        except CodesignError as error:
            found[name] = {"failed": " ".join(str(error).split())}
    return found


def _one(flow: Any, design: Any, codes: Any, truth: Any, work: Path) -> dict[str, Any]:
    target = load_target("vu13p-360")
    start = time.perf_counter()
    firmware = flow.compile(design, target, work / "firmware")
    compiled = time.perf_counter()
    equal = bool(np.array_equal(flow.predict(firmware, codes), truth))
    found = {
        "compile_seconds": round(compiled - start, 2),
        "model_events_per_second": round(len(codes) / (time.perf_counter() - compiled)),
        "equal": equal,
    }
    if firmware.rtl is not None:
        # the first simulation of a firmware builds the model; the second, of many more events, adds what events take
        seconds = {}
        few, many = (500, len(codes)) if firmware.rtl.protocol == "pipelined" else (100, 1000)
        for events in (few, many):
            start = time.perf_counter()
            verdict = flow.verify(firmware, codes[:events], {"qonnx": truth[:events]}, work / f"simulation{events}")
            seconds[events] = time.perf_counter() - start
            found["rtl_equal"] = found.get("rtl_equal", True) and verdict.exact
        found["simulation_seconds_first"] = round(seconds[few], 1)
        found["simulation_events_per_second"] = round(many / seconds[many])
    return found
