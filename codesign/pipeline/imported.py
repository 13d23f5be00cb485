"""A run of imported models: one trial each, compiled and compared, no study and no search."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign import __version__
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.figures import Fidelity, Figure, find
from codesign.core.places import require_parent
from codesign.core.quoting import relative_path
from codesign.core.records import Figures, Front, FrontPoint, Metric, Metrics, SampleFacts, State, TrialStatus
from codesign.core.records import Objective as Compares
from codesign.core.runfolder import IMPORT, RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target, load_target
from codesign.flows.base import Flow
from codesign.flows.settings import settings_config
from codesign.importing.base import Question, Source
from codesign.importing.declared import DeclaredInputs, declared_inputs
from codesign.importing.event_table import LabelledEvents, read_events_of
from codesign.importing.import_improvement import improved_import
from codesign.importing.import_report import ImportReport
from codesign.importing.importers import importer_of, read_source
from codesign.importing.source_agreement import Compared, compare
from codesign.pipeline.front import pareto
from codesign.pipeline.imported_firmware import compile_import, luts_of
from codesign.pipeline.imported_proof import SOURCE
from codesign.pipeline.scoring import Score
from codesign.rtl.provenance import provenance
from codesign.study.definition import FlowChoice, Goal
from codesign.study.imported_run import REPORT, EventsFile, ImportedModel, ImportedRun
from codesign.tasks.metrics import accuracy, auc_influence

__all__ = ("TARGET", "import_run")

#: where the user names none
TARGET = "vu13p-360"


def import_run(
    files: Sequence[Source],
    run: Path,
    inputs: DeclaredInputs | Path | str | Mapping[str, Any] | None = None,
    events: Path | None = None,
    target_name: str = TARGET,
    flow_name: str = "alkaid",
    tick: Callable[[str], None] = lambda stage: None,
    improve: bool = False,
    example_input: Any = None,
) -> Front:
    """Import models into a new run folder: a trial each, compiled with a flow for a target, and the front of them.

    A model is a file, or a torch module, which is given ``example_input`` for its shape. With ``improve`` each graph is
    made smaller first, a pass at a time that is exact and saves look-up tables.

    The objectives are the metric that ``events`` with labels give, and the LUTs that the compiler counts. InputError or
    UnsupportedError where a model cannot be imported; of several, one that cannot is a trial that failed, and the
    others stay, unless none is left.
    """
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise InputError(f"-o {run} holds other things: give a new or an empty folder")
    require_parent(run)
    target, flow, declared = load_target(target_name), plugins.load(Flow, flow_name), declared_inputs(inputs)
    if not (state := flow.available()).available:
        raise InputError(state.reason)
    opened = []
    for source in files:
        if isinstance(source, Path) and not source.exists():
            raise InputError(f"{source}: there is no such file")
        importer_of(source)  # before anything is read
        opened.append((source, source.name if isinstance(source, Path) else type(source).__name__))
    folder, points, failures, judged = RunFolder(run), [], [], None
    models: list[ImportedModel] = []
    for number, (source, name) in enumerate(opened):
        tick(f"{name}: reading")
        trial, start = folder.trial(number), time.perf_counter()
        try:
            imported = read_source(source, Question(declared, example_input))
            if improve:
                tick(f"{name}: improving")
                imported = improved_import(imported, luts_of(flow, target))
            given = None if events is None else read_events_of(events, imported.design().inputs)
            tick(f"{name}: comparing")
            codes = None if given is None else imported.design().input_quantisation.codes(given.x)
            found = compare(imported, codes)
            models.append(ImportedModel(trial=number, name=name, sha256=found.imported.report.source.sha256))
            tick(f"{name}: compiling")
            points.append(_trial(trial, found, given, flow, target, improve))
            judged = given or judged
        except CodesignError as error:
            if len(opened) == 1:
                raise
            failures.append(f"{name}: {error}")
            if len(models) <= number:
                models.append(ImportedModel(trial=number, name=name))
            trial.path.mkdir(parents=True, exist_ok=True)
            reason = " ".join(str(error).split())
            seconds = {"import": round(time.perf_counter() - start, 4)}
            trial.write(
                "status.json",
                TrialStatus(trial=number, state=State.FAILED, stage="import", reason=reason, seed=1, seconds=seconds),
            )
    if not points:
        raise InputError("none of the models can be imported: " + "; ".join(failures))
    objectives = _objectives(points)
    made = ImportedRun(
        name=_name(run, opened[0][1]),
        description=f"Imported from {', '.join(m.name for m in models)}",
        flow=FlowChoice(name=flow_name),
        target=target_name,
        objectives=objectives,
        models=tuple(models),
        events=None
        if judged is None
        else EventsFile(name=judged.name, sha256=judged.sha256, events=len(judged.x), classes=judged.classes),
    )
    folder.write("target.json", target)
    if judged is not None:
        folder.write("sample.json", _facts(folder, points[0], judged))
    front = Front(
        study=made.name,
        objectives=[
            Compares(name=o.name, direction=o.direction, fidelity=None if o.fidelity is None else o.fidelity.value)
            for o in objectives
        ],
        points=_front(points, objectives),
    )
    folder.write("front.json", front)
    folder.write(IMPORT, made)  # the last: from here on it is a run
    return front


def _trial(
    folder: TrialFolder, found: Compared, events: LabelledEvents | None, flow: Flow, target: Target, fold: bool
) -> FrontPoint:
    """One model: what it was read from, its design, its firmware and figures."""
    start = time.perf_counter()
    imported, design = found.imported, found.imported.design()
    folder.path.mkdir(parents=True, exist_ok=True)
    design.save(folder.path)
    for name, content in imported.files().items():
        write_atomically(folder.path / "source" / relative_path(name), content)
    _save_rows(folder, found)
    made = compile_import(flow, design, target, folder.firmware, found.codes, found.outputs, imported.report, fold)
    firmware, report = made.firmware, made.report
    config = {} if made.settings is None else settings_config(made.settings)
    folder.write(REPORT, report)
    folder.write("config.json", config)
    figures = provenance(flow.figures(firmware), firmware)
    if report.ebops is not None:
        ebops = Figure.of("ebops", round(report.ebops, 1), Fidelity.ANALYTIC, "codesign", __version__)
        figures = [ebops, *figures]
    folder.write("figures.json", Figures(figures=figures))
    metrics: dict[str, Metric] = {}
    if events is not None and events.labels is not None:
        metrics = _judge(report.source_values(design.outputs.values(found.outputs[: found.events])), events.labels)
        if metrics:
            folder.write("test.json", Metrics(split="test", events=len(events.x), metrics=metrics))
    status = TrialStatus(
        trial=folder.number,
        state=State.COMPLETE,
        seed=1,
        seconds={"import": round(time.perf_counter() - start, 4)},
        design=design.hash,
        notes=[*_notes(report), *firmware.notes],
    )
    folder.write("status.json", status)
    return FrontPoint(trial=folder.number, config=config, metrics=metrics, figures=figures, verified=None)


def _notes(report: ImportReport) -> list[str]:
    found = [f"{report.source.kind} file {report.source.name}: {report.checked_on}"]
    found += [f"{c.where}: {c.how}" for c in report.changes if c.what in ("cut", "dropped")]
    for agreement in report.agreement:
        if agreement.equal < agreement.tried:
            found.append(
                f"{agreement.runner} rounds {agreement.tried - agreement.equal:,} of {agreement.tried:,} rows another "
                f"way in float32 (largest gap {agreement.largest_gap:.3g} codes), each explained by float64"
            )
    return [*found, *report.notes]


def _save_rows(folder: TrialFolder, found: Compared) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, inputs=found.codes, outputs=found.outputs, same=found.same, events=np.array(found.events)
    )
    write_atomically(folder.path / SOURCE, buffer.getvalue())


def _judge(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> dict[str, Metric]:
    """What labels say of the scores: accuracy of several outputs, area under the curve of one; nothing where they are
    of other classes."""
    classes = int(labels.max()) + 1
    if scores.shape[1] >= max(2, classes):
        return {"accuracy": accuracy(scores, labels)}
    if scores.shape[1] == 1 and len(np.unique(labels)) == 2:
        value, influence = auc_influence(scores[:, 0], labels == labels.max())
        return {"auc": Metric(value=value, error=float(np.sqrt((influence**2).sum())))}
    return {}


def _objectives(points: Sequence[FrontPoint]) -> tuple[Goal, ...]:
    """The first metric that all have, and the compiler's first figure; without a metric its latency, too."""
    common = [name for name in points[0].metrics if all(name in p.metrics for p in points)]
    found = [Goal(name=name, direction="maximise") for name in common[:1]]
    for quantity in ("lut", "latency_cycles")[: 2 - len(found)]:
        if all(find(p.figures, quantity, Fidelity.COMPILED) is not None for p in points):
            found.append(Goal(name=quantity, direction="minimise", fidelity=Fidelity.COMPILED))
    return tuple(found) or (Goal(name="ebops", direction="minimise", fidelity=Fidelity.ANALYTIC),)


def _front(points: Sequence[FrontPoint], objectives: Sequence[Goal]) -> list[FrontPoint]:
    scores = []
    for point in points:
        values = []
        for objective in objectives:
            if objective.fidelity is None:
                values.append(point.metrics[objective.name].value)
            else:
                figure = find(point.figures, objective.name, objective.fidelity)
                values.append(0.0 if figure is None else figure.value)
        scores.append(Score(point.trial, tuple(values), tuple(o.fidelity for o in objectives)))
    kept = {s.trial for s in pareto(scores, [o.direction for o in objectives])}
    return [p for p in points if p.trial in kept]


def _facts(folder: RunFolder, point: FrontPoint, events: LabelledEvents) -> SampleFacts:
    design = Design.load(folder.trial(point.trial).path)
    return SampleFacts(
        hash=events.sha256,
        events=len(events.x),
        feature_names=design.input_quantisation.features,
        units=design.input_quantisation.units,
        class_names=events.classes,
        outputs=design.outputs.labels,
        provenance={"origin": "file", "file": events.name, "sha256": events.sha256},
    )


def _name(run: Path, first: str) -> str:
    """A name that a study could have: the run folder's, else the first model's."""
    for text in (run.name, Path(first).stem):
        name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:100]
        if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
            return name
    return IMPORT.removesuffix(".json")
