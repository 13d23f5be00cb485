"""``python -m tests.benchmarks.examples [NAME ...]``: every worked example as a user runs it, and what it gave.

Each study of ``examples/*`` is run by the command line, with its own budget, into ``runs/examples``. Of each:
seconds by the clock and of the processor, with the load of the machine, the front with its verdicts, baselines, and
the best design: the one with the best first metric on the validation split, quoted on the test split beside each
baseline, in pairs. Writes ``reports/reference/examples.json`` and a picture, ``docs/pictures/examples/NAME.svg``,
after each. What is in the record, of the same sources, is not made again unless it is named; an interrupted run
goes on, and then says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from codesign.core.local_packages import use_package
from codesign.core.records import (
    Baselines,
    Comparisons,
    Front,
    FrontPoint,
    Metrics,
    PairedDifference,
    Plot,
    Plots,
    State,
    TrialStatus,
)
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.parts import load_sample, seeing, splits_of
from codesign.pipeline.trial import design_of, trial_of
from codesign.pipeline.trial_comparison import scores_of
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.problem import working_points
from tests.trees import ROOT, commit_of

__all__ = ("PICTURES", "RECORD", "command_of", "sources_of", "studies_of_examples")

RECORD = ROOT / "reports" / "reference" / "examples.json"
PICTURES = ROOT / "docs" / "pictures" / "examples"
#: study -> the physics plot of its picture
_PLOTS = {
    "higgs-selection": "mass",
    "pixel-background": "gallery",
    "track-edges": "purity",
    "edge-vision": "gallery",
    "fast-shower": "depth",
    "particle-flow": "resolution",
    "unfold": "closure",
    "beam-and-body": "matched_spot",
    "proton-ct": "rsp",
    "tune": "recovered",
}
_SPENT = ("command", "seconds", "processor_seconds", "load", "workers", "went_on")
_FIGURES = ("lut", "ff", "latency_ns", "latency_cycles", "fmax", "initiation_interval")


def studies_of_examples() -> dict[str, Path]:
    """The studies of all examples by their names, the package's own first."""
    found = {}
    for folder in sorted(p.parent for p in (ROOT / "examples").glob("*/study.yaml")):
        for path in [folder / "study.yaml", *sorted(p for p in folder.glob("*.yaml") if p.name != "study.yaml")]:
            found[str(yaml.safe_load(path.read_text(encoding="utf-8"))["name"])] = path
    return found


def command_of(path: Path) -> tuple[str, dict[str, str]]:
    """What a user types in a clone, and the environment that it needs here."""
    folder = path.parent.relative_to(ROOT)
    if path.name == "study.yaml":
        return f"codesign run {folder}", {}
    return f"CODESIGN_PACKAGES={folder} codesign run {folder / path.name}", {"CODESIGN_PACKAGES": str(path.parent)}


def sources_of(path: Path) -> str:
    """Hash of all that decides what an example gives, codesign left out."""
    digest = hashlib.sha256(path.read_bytes())
    for source in sorted(path.parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def made_run(path: Path, folder: Path, workers: int, trials: int | None) -> dict[str, Any]:
    """Run the study into the folder; seconds, and whether it went on from something."""
    said, named = command_of(path)
    there, began, before, load = folder.exists(), time.monotonic(), _processor(), [round(os.getloadavg()[0], 1)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **named}
    fewer = [] if trials is None else ["--trials", str(trials)]
    more = [*fewer, "--run", str(folder), "--store", "none", "--workers", str(workers)]
    command = [sys.executable, "-m", "codesign.cli", "run", str(path.parent if not named else path), *more]
    subprocess.run(command, cwd=folder.parent, env=environment, check=True)  # its report lies in 'reports' there
    spent = {"seconds": round(time.monotonic() - began, 1), "processor_seconds": round(_processor() - before, 1)}
    load.append(round(os.getloadavg()[0], 1))  # of the last minute, before it and at its end
    return {"command": " ".join([said, *fewer]), **spent, "load": load, "workers": workers, "went_on": there}


def _clear(folder: Path, sources: str) -> None:
    """Leave a run folder only where it is unfinished, and of these sources."""
    stamp = folder.with_name(f"{folder.name}.sources")
    known = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if folder.exists() and (known != sources or (folder / "front.json").exists()):
        shutil.rmtree(folder)
        shutil.rmtree(folder.parent / "reports" / folder.name, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(sources, encoding="utf-8")


def _figures(point: FrontPoint) -> dict[str, float]:
    return {f"{f.quantity} ({f.fidelity})": f.value for f in point.figures if f.quantity in _FIGURES}


def _beside(differences: Mapping[str, Mapping[str, PairedDifference]], baseline: Baselines) -> dict[str, Any]:
    found = {}
    for name, metrics in differences.items():
        own = next(b for b in (baseline, *baseline.others) if b.name == name)
        found[name] = {
            metric: {
                "baseline": own.metrics[metric].value,
                "baseline_error": own.metrics[metric].error,
                "difference": difference.value,
                "error": difference.error,
                "better": difference.better,
            }
            for metric, difference in metrics.items()
            if metric in own.metrics
        }
    return found


def best_network(run: RunFolder, path: Path, metric: str, sign: int, baseline: Baselines) -> dict[str, Any] | None:
    """Of a search among networks and trees, the network that is best by validation, on the front or not, judged on the
    test split beside each baseline; None where all are of one family."""
    complete = [t for t in run.trials() if (s := t.read("status.json", TrialStatus)) and s.state == State.COMPLETE]
    family = {t.number: str((t.read_json("config.json") or {}).get("study.family", "trees")) for t in complete}
    judged = {t.number: t.read("metrics.json", Metrics) for t in complete if family[t.number] != "trees"}
    by_value = {number: sign * of.metrics[metric].value for number, of in judged.items() if of}
    if not by_value:
        return None
    use_package(path.parent)
    number = max(by_value, key=lambda n: by_value[n])
    study, folder = trial_of(run, number)
    assert isinstance(study, Study)
    problem, sample, splits, design = open_problem(study), load_sample(run), splits_of(study), design_of(folder)
    parts = {name: sample.part(name, splits) for name in ("train", "validation", "test")}
    scores = {name: scores_of(design, seeing(sample, study.view).part(name, splits)) for name in ("validation", "test")}
    points, differences = working_points(problem, scores["validation"], parts["validation"]), {}
    for model in problem.baselines(parts["train"], study.seed):
        own = working_points(problem, model(parts["validation"]), parts["validation"])
        differences[model.name] = problem.compare(scores["test"], model(parts["test"]), parts["test"], (points, own))
    value = problem.judge(scores["test"], parts["test"], points)[metric]
    return {
        "trial": number,
        "family": family[number],
        "metrics": {metric: {"value": value.value, "error": value.error}},
        "beside": _beside(differences, baseline),
    }


def summary(folder: Path, path: Path) -> dict[str, Any]:
    """Of a finished run: its front, its baselines, and the best design beside them."""
    run = RunFolder(folder)
    front, baseline = run.read("front.json", Front), run.read("baseline.json", Baselines)
    assert front is not None
    assert baseline is not None
    objective = next(o for o in front.objectives if o.fidelity is None)
    name, sign = objective.name, 1 if objective.direction == "maximise" else -1
    best = max(front.points, key=lambda p: sign * (p.validation or p.metrics)[name].value)
    compared = run.trial(best.trial).read("comparisons.json", Comparisons)
    assert compared is not None
    lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in path.parent.glob("*.py"))
    return {
        "lines": lines,
        "events": compared.events,
        "metric": name,
        "direction": objective.direction,
        "points": [
            {
                "trial": point.trial,
                "family": str(point.config.get("study.family", "")),
                "value": point.metrics[name].value,
                "error": point.metrics[name].error,
                "exact": bool(point.verified and point.verified.exact),
                "simulated_events": point.verified.events if point.verified else 0,
                "figures": _figures(point),
            }
            for point in front.points
        ],
        "best": {
            "trial": best.trial,
            "family": str(best.config.get("study.family", "")),
            "metrics": {m: {"value": of.value, "error": of.error} for m, of in best.metrics.items()},
            "figures": _figures(best),
            "beside": _beside({one.other: one.metrics for one in compared.compared}, baseline),
        },
        "network": best_network(run, path, name, sign, baseline),
    }


def _draw_front(axes: Any, entry: dict[str, Any]) -> None:
    points = sorted(entry["points"], key=lambda p: p["figures"]["lut (compiled)"])
    x = [p["figures"]["lut (compiled)"] for p in points]
    axes.errorbar(
        x, [p["value"] for p in points], [p["error"] for p in points], fmt="o-", color="#0072B2", label="front"
    )
    for (name, of), style in zip(entry["best"]["beside"].items(), ("--", ":", "-.", (0, (8, 3))), strict=False):
        if entry["metric"] in of:
            axes.axhline(of[entry["metric"]]["baseline"], color="#444444", linestyle=style, linewidth=1.2, label=name)
    low, high = axes.dataLim.intervaly
    if low > 0 and high > 5 * low:
        axes.set_yscale("log")
    axes.set(xscale="log", xlabel="look-up tables (compiled)", ylabel=entry["metric"].replace("_", " "))
    axes.legend(fontsize=8)


def _draw_plot(axes: Any, plot: Plot) -> None:
    if plot.matrix is not None:
        axes.imshow(plot.matrix, cmap="Blues", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
    for series in plot.series:
        (line,) = axes.plot(series.x, series.y, "--" if series.dashed else "-", label=series.label)
        if series.low is not None and series.high is not None:
            axes.fill_between(series.x, series.low, series.high, color=line.get_color(), alpha=0.15, linewidth=0)
    scales = ("log" if log else "linear" for log in (plot.log_x, plot.log_y))
    axes.set(xlabel=plot.x_label, ylabel=plot.y_label, **dict(zip(("xscale", "yscale"), scales, strict=True)))
    if plot.series:
        axes.legend(fontsize=8)


def draw(entry: dict[str, Any], plots: Plots, name: str, folder: Path) -> None:
    """The front, and beside it the physics plot of the best design, into a folder."""
    import matplotlib
    from matplotlib.figure import Figure

    plot = next(p for p in plots.plots if p.name == _PLOTS[name])
    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 10}):
        canvas = Figure(figsize=(9.6, 3.6), layout="constrained")
        left, right = canvas.subplots(1, 2)
        _draw_front(left, entry)
        _draw_plot(right, plot)
        left.set_title(f"{name}: the front", fontsize=10)
        right.set_title(plot.title, fontsize=10)
        folder.mkdir(parents=True, exist_ok=True)
        canvas.savefig(folder / f"{name}.svg", metadata={"Date": None})


def main() -> None:
    """Run what the record lacks, or what is named, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of studies; these are made anew")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "examples")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trials", type=int, help="by default each study's own number")
    parser.add_argument("--output", type=Path, default=RECORD, help="the record; of another, pictures stand beside it")
    parser.add_argument("--draw", action="store_true", help="read again what was run, and draw; run nothing")
    options = parser.parse_args()
    output = options.output
    record = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {"examples": {}}
    studies = studies_of_examples()
    if unknown := set(options.names) - set(studies):
        parser.error(f"no example {', '.join(sorted(unknown))}; there are {', '.join(studies)}")
    for name, path in studies.items():
        made, sources, folder = record["examples"].get(name), sources_of(path), options.runs.resolve() / name
        if options.names and name not in options.names:
            continue
        if options.draw:
            if made is None or not (folder / "front.json").exists():
                continue
            sources, spent = made["sources"], {key: made[key] for key in _SPENT}
        else:
            if made is not None and made["sources"] == sources and name not in options.names:
                continue
            _clear(folder, sources)
            spent = made_run(path, folder, options.workers, options.trials)
        entry = {"sources": sources, **spent, **summary(folder, path)}
        plots = RunFolder(folder).trial(entry["best"]["trial"]).read("plots.json", Plots)
        assert plots is not None
        draw(entry, plots, name, PICTURES if output == RECORD else output.parent / "pictures")
        record["examples"][name] = entry
        record |= {
            "commit": commit_of(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {name: version(name) for name in ("torch", "scikit-learn", "alkaid", "pyosys", "brevitas")},
        }
        write_atomically(output, (json.dumps(record, indent=1) + "\n").encode())
        print(f"{name}: {entry.get('seconds')} s, {len(entry['points'])} points", flush=True)
        if not entry["points"] or not all(point["exact"] for point in entry["points"]):
            sys.exit(f"error: {name}: a point of its front is not exact: {folder}")


if __name__ == "__main__":
    main()
