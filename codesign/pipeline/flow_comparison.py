"""One design through every flow: equal integers everywhere, and the figures that each flow reaches here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.probes import probe_codes
from codesign.core.records import FlowResult, Flows, Front
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import Target, load_target
from codesign.flows.base import Flow
from codesign.flows.reopening import firmware_in
from codesign.flows.settings import flow_settings
from codesign.graph import reference
from codesign.pipeline.trial import design_of, golden_codes, synthesisers, trial_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.provenance import count, provenance
from codesign.study.imported_run import Origin

__all__ = ("compare_flows", "flow_rows")

Codes = NDArray[np.int64]
_RECORD = "flows.json"
#: quantities that the table shows; the record has them all
_SHOWN = ("lut", "dsp", "bram", "fmax", "latency_cycles", "initiation_interval")


def compare_flows(
    run: RunFolder,
    trials: Sequence[int] = (),
    quick: bool = False,
    tick: Callable[[str], None] = lambda stage: None,
    target_name: str | None = None,
    again: bool = False,
) -> Flows:
    """Compile trials (default: the front) with every flow that is installed, and write ``flows.json`` into the run.

    A flow's model runs the golden events and random and extreme codes; its integers must be those of the QONNX graph.
    Unless ``quick``, its RTL is synthesised, placed where that is possible, and simulated where there is any. What
    fails is recorded with its reason. For another target than the study's the record is ``flows-TARGET.json``. What an
    earlier call measured without a failure is kept, unless ``again``; the record also keeps what is of other trials.
    """
    chosen = list(trials) or _front(run)
    studied = trial_of(run, chosen[0])[0]
    target = load_target(target_name or studied.target)
    record = _RECORD if target.name == load_target(studied.target).name else f"flows-{target.name}.json"
    earlier = run.read(record, Flows)
    known = {(r.trial, r.flow): r for r in (earlier.results if earlier else ())}
    results: list[FlowResult] = []
    for number in chosen:
        study, folder = trial_of(run, number)
        for name in _flows_for(folder):
            before = known.get((number, name))
            if before is None or again or not _whole(before, quick):
                tick(f"trial {number}: {name}")
                known[number, name] = _through(study, folder, name, target, quick)
                every = [known[key] for key in sorted(known)]
                run.write(record, Flows(study=study.name, target=target.name, results=every))
            results.append(known[number, name])
    return Flows(study=studied.name, target=target.name, results=results)


def _flows_for(folder: TrialFolder) -> list[str]:
    """The flows that are for this kind of model; one that cannot be loaded says so in its row."""
    design = design_of(folder)

    def takes(name: str) -> bool:
        try:
            return plugins.load(Flow, name).takes(design) is None
        except CodesignError:
            return True

    return [name for name in plugins.names(Flow) if takes(name)]


def _whole(result: FlowResult, quick: bool) -> bool:
    """Whether nothing of a result is left to do."""
    return result.equal is not None and not result.failed and (quick or result.verified is not None)


def flow_rows(flows: Flows) -> list[dict[str, Any]]:
    """The comparison as rows of a table: a trial and flow each, a column for each quantity with its fidelity."""
    columns = sorted({(f.quantity, f.fidelity.value) for r in flows.results for f in r.figures if f.quantity in _SHOWN})
    rows = []
    for result in flows.results:
        known = {(f.quantity, f.fidelity.value): f.value for f in result.figures}
        row: dict[str, Any] = {"trial": result.trial, "flow": result.flow, "exact": _verdict(result)}
        row |= {f"{quantity} ({fidelity})": known.get((quantity, fidelity)) for quantity, fidelity in columns}
        row["not measured"] = "; ".join(f"{what}: {why}" for what, why in result.failed.items())
        rows.append(row)
    return rows


def _verdict(result: FlowResult) -> str:
    if result.equal is None:
        return "not compared"
    if not result.equal:
        return "NOT EXACT"
    rtl = f", {result.verified.proven}" if result.verified is not None and result.verified.exact else ""
    return f"{result.events:,} events{rtl}"


def _front(run: RunFolder) -> list[int]:
    front = run.read("front.json", Front)
    if front is None or not front.points:
        raise InputError(f"{run.path} has no front yet: name the trials to compare")
    return [point.trial for point in front.points]


def _through(study: Origin, folder: TrialFolder, name: str, target: Target, quick: bool) -> FlowResult:
    """One trial through one flow."""
    design = design_of(folder)
    result = FlowResult(trial=folder.number, flow=name)
    start = time.perf_counter()
    with _costs_only_itself(result, "compiling"):
        flow = plugins.load(Flow, name)
        state = flow.available()
        if not state.available:
            raise InputError(state.reason)
        own = target.name == load_target(study.target).name
        place = folder.path / "flows" / (name if own else f"{name}-{target.name}")
        codes, truth = _events(design, folder)
        firmware = _firmware(study, folder, flow, design, target, place / "firmware")
        result.settings = dict(firmware.settings)
        result.figures = provenance(flow.figures(firmware), firmware)
        result.equal = bool(np.array_equal(flow.predict(firmware, codes), truth))
        result.events = len(codes)
        if not quick:
            _measure(result, flow, firmware, codes, truth, place)
    result.seconds = round(time.perf_counter() - start, 1)
    return result


def _measure(result: FlowResult, flow: Flow, firmware: Firmware, codes: Codes, truth: Codes, place: Path) -> None:
    for what, measure in synthesisers(flow, firmware).items():
        with _costs_only_itself(result, what):
            result.figures = [*result.figures, *measure(place / what)]
    with _costs_only_itself(result, "simulation"):
        few = slice(0, 1000)
        references = {reference.reference_name(firmware.design): truth[few]}
        verdict = flow.verify(firmware, codes[few], references, place / "simulation")
        result.verified = verdict
        result.figures = [*result.figures, *count(verdict, firmware)]


def _firmware(study: Origin, folder: TrialFolder, flow: Flow, design: Design, target: Target, place: Path) -> Firmware:
    """The trial's own firmware where it is of this flow and target and was made by this user, else one made now."""
    if flow.name == study.flow.name:
        settings = flow_settings(flow, folder.read_json("config.json") or {})
        own = firmware_in(folder.firmware, flow, design, target, settings)
        return own or flow.compile(design, target, place, settings)
    return flow.compile(design, target, place)


def _events(design: Design, folder: TrialFolder) -> tuple[Codes, Codes]:
    """Golden events of the test split if the trial has them, random and extreme codes, and what QONNX makes of all."""
    codes = probe_codes(design.inputs)
    if (golden := golden_codes(folder, design)) is not None:
        codes = np.concatenate([golden, codes])
    return codes, reference.qonnx_codes(design, codes)


@contextmanager
def _costs_only_itself(result: FlowResult, what: str) -> Iterator[None]:
    try:
        yield
    except CodesignError as error:
        result.failed[what] = " ".join(str(error).split())
