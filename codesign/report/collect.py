"""Read a run folder into plain data for the report. Whatever is missing stays missing; nothing is guessed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.figures import QUANTITIES, Fidelity, Figure, find
from codesign.core.fixedpoint import InputQuantisation, Port
from codesign.core.reading.plain import member, member_bytes
from codesign.core.records import (
    Baselines,
    Comparisons,
    Explanations,
    FidelityFront,
    Figures,
    Front,
    FrontPoint,
    InputImportance,
    LayerCosts,
    Metric,
    Metrics,
    Plot,
    Plots,
    RepeatedDesign,
    Repeats,
    SampleFacts,
    State,
    TrialStatus,
    Verified,
)
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import Target, load_target
from codesign.importing.import_report import ImportReport
from codesign.report.layers import Counted, count_layers
from codesign.report.waves import Waves, read_waves
from codesign.study.definition import FAMILY, Constraint
from codesign.study.imported_run import REPORT, ImportedRun, Origin, origin_of

__all__ = ("BaselineBand", "Boundary", "PlotAxis", "Point", "Run", "Trial", "collect")

T = TypeVar("T")


@dataclass(frozen=True)
class PlotAxis:
    """One objective: a metric (fidelity None) or a quantity at one fidelity."""

    name: str
    maximise: bool
    fidelity: Fidelity | None


@dataclass(frozen=True)
class BaselineBand:
    """The classical baseline, on the two splits a report shows."""

    name: str
    test: dict[str, Metric]
    validation: dict[str, Metric]

    @property
    def short(self) -> str:
        """The name without what stands in brackets."""
        return self.name.split(" (")[0]


@dataclass(frozen=True)
class Boundary:
    """The types at a design's boundary, from ``design.json``."""

    quantisation: InputQuantisation
    outputs: Port


@dataclass(frozen=True)
class Trial:
    """What a trial's folder says. ``metrics`` are on the validation split; of an imported model on the given events."""

    number: int
    state: str
    stage: str
    reason: str | None
    seed: int | None
    seconds: float | None
    config: dict[str, Any]
    metrics: dict[str, Metric]
    figures: list[Figure]
    notes: list[str]
    on_front: bool
    #: processor time, s; by the clock where that was not kept
    processor: float | None = None
    #: of one that there can be no such candidate, by how much it is out, as a share of what is allowed
    refused: float | None = None

    @property
    def family(self) -> str:
        """Of a study of several, the one that it is of; else empty."""
        return str(self.config.get(FAMILY, ""))

    def value(self, axis: PlotAxis) -> float | None:
        """The trial's value on an axis, None where it was not measured."""
        if axis.fidelity is None:
            return self.metrics[axis.name].value if axis.name in self.metrics else None
        figure = find(self.figures, axis.name, axis.fidelity)
        return figure.value if figure else None


@dataclass(frozen=True)
class Point:
    """One trial of the front, with everything that only the front has.

    ``test`` is on the test split.
    """

    trial: Trial
    test: dict[str, Metric]
    test_events: int | None
    figures: list[Figure]
    verified: Verified | None
    plots: list[Plot]
    boundary: Boundary | None
    layers: list[Counted]
    files: list[tuple[str, int]]
    inputs: InputImportance | None = None
    explained: Explanations | None = None
    costs: LayerCosts | None = None
    waves: Waves | None = None
    compared: Comparisons | None = None
    #: (name, data URI, bytes) of what the page itself holds
    downloads: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """A whole run. ``provisional`` says that ``points`` are this report's own selection on the validation split."""

    path: Path
    study: Origin
    target: Target | None
    sample: dict[str, Any]
    baselines: list[BaselineBand]
    objectives: list[PlotAxis]
    constraints: tuple[Constraint, ...]
    trials: list[Trial]
    points: list[Point]
    provisional: bool
    problems: list[str] = field(default_factory=list)
    #: of a study with rungs of measurement: the front at each fidelity, the search's own first
    fronts: list[FidelityFront] = field(default_factory=list)
    #: of imported models, by trial: what was done to each on its way to its design
    reports: dict[int, ImportReport] = field(default_factory=dict)
    #: by trial: what training it again from other seeds gave
    repeats: dict[int, RepeatedDesign] = field(default_factory=dict)

    @property
    def imported(self) -> bool:
        """Whether its models were imported: there is no search, no split and no training."""
        return isinstance(self.study, ImportedRun)

    @property
    def judged_on(self) -> str:
        """What the metrics of all trials are on."""
        return "given events" if self.imported else "validation split"

    @property
    def baseline(self) -> BaselineBand | None:
        """The primary baseline, None where there is none yet."""
        return self.baselines[0] if self.baselines else None

    @property
    def states(self) -> dict[str, int]:
        """Number of trials in each state, in the order in which they are spoken of."""
        order = [s.value for s in (State.COMPLETE, State.INFEASIBLE, State.FAILED, State.RUNNING)]
        counts = dict.fromkeys(order, 0)
        for trial in self.trials:  # any other state is spoken of last, and only where there is one
            counts[trial.state] = counts.get(trial.state, 0) + 1
        return counts

    def members(self, fidelity: Fidelity) -> list[int]:
        """Trials on the front of figures of this fidelity: the search's own, where that fidelity has none."""
        if not self.fronts:
            return [p.trial.number for p in self.points]
        found = next((f for f in self.fronts if f.fidelity is fidelity), self.fronts[0])
        return found.trials

    def figure_columns(self, fidelities: tuple[Fidelity, ...]) -> list[tuple[str, Fidelity]]:
        """Every (quantity, fidelity) that some trial measured, in a fixed order."""
        present = {(f.quantity, f.fidelity) for t in self.trials for f in t.figures}
        return [(q, fid) for fid in fidelities for q in QUANTITIES if (q, fid) in present]

    def metric_names(self) -> list[str]:
        """Names of all metrics, the objectives first."""
        found = {n: None for t in self.trials for n in t.metrics} | {n: None for p in self.points for n in p.test}
        first = [a.name for a in self.objectives if a.name in found]
        return [*first, *(n for n in found if n not in first)]


class _Reader:
    """Reads records, and turns one that cannot be read into a problem that the report states."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[str] = []

    def attempt(self, what: str, action: Callable[[], T], missing: T) -> T:
        try:
            return action()
        except (CodesignError, OSError, ValueError, KeyError, TypeError) as error:
            # the message names the file by its full path: the reader of a report has another one
            text = str(error).replace(f"{self.root}/", "")
            self.problems.append(text if what in text else f"{what}: {text}")
            return missing

    def json(self, folder: RunFolder | TrialFolder, name: str) -> dict[str, Any]:
        where = str((folder.path / name).relative_to(self.root))
        data: Any = self.attempt(where, lambda: folder.read_json(name), None)
        if data is not None and not isinstance(data, dict):
            self.problems.append(f"{where}: expected a mapping of keys to values")
            return {}
        return data or {}

    def record(self, folder: RunFolder | TrialFolder, name: str, model: type[Any]) -> Any:
        where = str((folder.path / name).relative_to(self.root))
        return self.attempt(where, lambda: folder.read(name, model), None)


def collect(path: Path) -> Run:
    """Read a run, finished or not; InputError where there is no run or its study is not valid."""
    folder = RunFolder.open(path)
    study = origin_of(folder)
    read = _Reader(folder.path)
    target: Target | None = read.record(folder, "target.json", Target)
    if target is None:  # the one that is shipped, or lies where the study says
        target = read.attempt("target", lambda: load_target(study.target), None)
    front: Front | None = read.record(folder, "front.json", Front)
    on_front = {p.trial for p in front.points} if front else set()
    imported = isinstance(study, ImportedRun)
    trials = [_trial(read, t, on_front, imported) for t in folder.trials()]
    objectives = [PlotAxis(o.name, o.direction == "maximise", o.fidelity) for o in study.objectives]
    by_number = {t.number: t for t in trials}
    if front:
        points = [_point(read, folder, p, by_number.get(p.trial)) for p in front.points]
    else:
        points = [_point(read, folder, None, t) for t in _drop_dominated(trials, objectives)]
    points.sort(key=lambda p: _cost(p.trial, objectives))
    repeats: Repeats | None = read.record(folder, "repeats.json", Repeats)
    return Run(
        path=folder.path,
        study=study,
        target=target,
        sample=read.json(folder, "sample.json") if read.record(folder, "sample.json", SampleFacts) else {},
        baselines=_baselines(read, folder, front),
        objectives=objectives,
        constraints=study.constraints,
        trials=trials,
        points=points,
        provisional=front is None,
        problems=read.problems,
        fronts=front.fronts if front else [],
        reports=_imports(read, folder) if imported else {},
        repeats={design.trial: design for design in repeats.designs} if repeats else {},
    )


def _imports(read: _Reader, folder: RunFolder) -> dict[int, ImportReport]:
    found = ((t.number, read.record(t, REPORT, ImportReport)) for t in folder.trials())
    return {number: report for number, report in found if report is not None}


def _trial(read: _Reader, folder: TrialFolder, on_front: set[int], imported: bool) -> Trial:
    status: TrialStatus | None = read.record(folder, "status.json", TrialStatus)
    # nothing was chosen by them: an imported model has one judgement, on the events that were given
    metrics: Metrics | None = read.record(folder, "test.json" if imported else "metrics.json", Metrics)
    figures: Figures | None = read.record(folder, "figures.json", Figures)
    if metrics and metrics.split != ("test" if imported else "validation"):
        read.problems.append(f"trials/{folder.path.name}/metrics.json: is on the {metrics.split} split, not shown")
        metrics = None
    return Trial(
        number=folder.number,
        state=status.state.value if status else "unknown",
        stage=status.stage if status else "",
        reason=status.reason if status else None,
        seed=status.seed if status else None,
        seconds=sum(status.seconds.values()) if status and status.seconds else None,
        config=_file(read, folder) if imported else read.json(folder, "config.json"),
        metrics=metrics.metrics if metrics else {},
        figures=figures.figures if figures else [],
        notes=status.notes if status else [],
        on_front=folder.number in on_front,
        processor=status.spent if status else None,
        refused=status.refused if status else None,
    )


def _file(read: _Reader, folder: TrialFolder) -> dict[str, Any]:
    """What an imported model has in place of a configuration."""
    report: ImportReport | None = read.record(folder, REPORT, ImportReport)
    return {"file": report.source.name} if report else {}


def _point(read: _Reader, run: RunFolder, point: FrontPoint | None, trial: Trial | None) -> Point:
    """Join what ``front.json`` says of a trial with its folder; either of the two may be missing."""
    if trial is None:
        assert point is not None
        trial = Trial(
            point.trial, "unknown", "", None, None, None, point.config, point.validation, point.figures, [], True
        )
    folder = run.trial(trial.number)
    test: Metrics | None = read.record(folder, "test.json", Metrics)
    verified: Verified | None = read.record(folder, "verify.json", Verified)
    plots: Plots | None = read.record(folder, "plots.json", Plots)
    where = f"trials/{folder.path.name}/design.json"
    graph = f"trials/{folder.path.name}/model.onnx"
    design = (
        read.attempt(where, lambda: Design.load(folder.path), None) if (folder.path / "design.json").is_file() else None
    )
    latency = verified.latency_cycles if verified else None
    return Point(
        trial=trial,
        test=point.metrics if point else test.metrics if test else {},
        test_events=test.events if test else None,
        # the folder knows more than front.json where a synthesis was run after the search
        figures=trial.figures or (point.figures if point else []),
        verified=verified or (point.verified if point else None),
        plots=plots.plots if plots else [],
        boundary=Boundary(design.input_quantisation, design.outputs) if design else None,
        layers=read.attempt(graph, lambda: count_layers(design.onnx, design.inputs), []) if design else [],
        files=_files(folder.path),
        inputs=read.record(folder, "inputs.json", InputImportance),
        explained=read.record(folder, "explained.json", Explanations),
        costs=read.record(folder, "layers.json", LayerCosts),
        waves=read.attempt(f"trials/{folder.path.name}/simulation", lambda: _waves(folder.path, design, latency), None),
        compared=read.record(folder, "comparisons.json", Comparisons),
        downloads=_downloads(folder.path),
    )


def _waves(folder: Path, design: Design | None, latency: int | None) -> Waves | None:
    """The beginning of the traces that ``codesign verify --waves`` kept."""
    found = sorted((folder / "simulation").glob("*.vcd"))
    return read_waves(member(folder, f"simulation/{found[0].name}"), design, latency) if found and design else None


def _downloads(folder: Path, largest: int = 150_000) -> list[tuple[str, str, int]]:
    """What a reader takes along of a design, as data URIs; a file that would swell the page stays in the folder."""
    found = []
    for name in ("model.onnx", "design.json", "figures.json"):
        path = folder / name
        if path.is_file() and path.stat().st_size <= largest:
            kind = "application/json" if path.suffix == ".json" else "application/octet-stream"
            content = member_bytes(folder, name, largest)
            found.append((name, f"data:{kind};base64,{base64.b64encode(content).decode()}", len(content)))
    return found


def _files(folder: Path, most: int = 60) -> list[tuple[str, int]]:
    """Relative path and size of what lies in a trial's folder."""
    if not folder.is_dir():
        return []
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return [(p.relative_to(folder).as_posix(), p.stat().st_size) for p in found[:most]]


def _baselines(read: _Reader, folder: RunFolder, front: Front | None) -> list[BaselineBand]:
    record: Baselines | None = read.record(folder, "baseline.json", Baselines)
    found = [BaselineBand(b.name, b.metrics, b.validation) for b in (record, *record.others)] if record else []
    found = [b for b in found if b.test or b.validation]
    if not found and front and front.baseline:
        return [BaselineBand("baseline", front.baseline, {})]
    return found


def _drop_dominated(trials: list[Trial], objectives: list[PlotAxis]) -> list[Trial]:
    """Complete trials that no other one beats in every objective: the front so far, on the validation split."""
    scored = []
    for trial in trials:
        values = [trial.value(axis) for axis in objectives]
        if trial.state == State.COMPLETE.value and all(v is not None for v in values):
            costs = [-v if a.maximise else v for v, a in zip(values, objectives, strict=True) if v is not None]
            scored.append((costs, trial))
    scored.sort(key=lambda item: item[0])
    kept: list[tuple[list[float], Trial]] = []
    for costs, trial in scored:  # sorted, so that only earlier ones can dominate
        if not any(all(k <= c for k, c in zip(other, costs, strict=True)) for other, _ in kept):
            kept.append((costs, trial))
    return [trial for _, trial in kept]


def _cost(trial: Trial, objectives: list[PlotAxis]) -> tuple[float, int]:
    """Order of the front: by the first hardware figure among the objectives."""
    axis = next((a for a in objectives if a.fidelity), None)
    value = trial.value(axis) if axis else None
    return (value if value is not None else float("inf"), trial.number)
