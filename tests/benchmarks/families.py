"""``python -m tests.benchmarks.families``: the shipped studies of several families, and what each family gave.

``jet-tagger-all`` is made smaller (12,000 jets, short trainings, accuracy against look-up tables), ``l1-anomaly-all``
is as it is shipped; each with several seeds, one worker. Of the front: points by family, its hypervolume, and what that
is without each family or by each alone (all on the validation split, of all candidates that keep the bounds); processor
seconds by family, which are to be equal shares; and whether every point was exact in RTL simulation. Writes
``reports/reference/families.json`` after each search, and a picture of the first seed of each study,
``families-STUDY.svg``: the candidates, and the front coloured by family. What is in the record is not made again
(``--again`` makes it). With ``--runs`` the run folders are kept, and an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

from codesign.core.records import Front, State, TrialStatus
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score
from codesign.search.engine import run_study
from codesign.search.telling import recorded_score
from codesign.study.definition import Study, load_study
from tests.benchmarks.search.record import spread
from tests.benchmarks.search.volume import Box
from tests.trees import ROOT, commit_of

__all__ = ("summary",)


@dataclass(frozen=True)
class _Setup:
    """What differs from a shipped study, and the box in which its fronts are measured."""

    trainings: dict[str, dict[str, Any]]
    sample: dict[str, Any]
    trials: int
    box: Box


_SETUPS = {
    "jet-tagger-all": _Setup(
        trainings={
            "mlp": {"epochs": 60, "batch": 512, "learning_rate": 0.02},
            "mlp-learned": {"epochs": 200, "batch": 512, "learning_rate": 0.01},
            "trees": {"epochs": 40},
        },
        sample={"events": 12000},
        trials=150,
        box=Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0)),
    ),
    "l1-anomaly-all": _Setup(
        trainings={}, sample={}, trials=40, box=Box(("maximise", "minimise"), (0.5, 0.0), (0.0, 8000.0))
    ),
}
_COLOURS = {
    "mlp": "#0072B2", "mlp-learned": "#009E73", "trees": "#D55E00", "vae": "#CC79A7", "autoencoder": "#56B4E9",
}  # fmt: skip


def smaller(name: str, seed: int) -> Study:
    """The shipped study at a size of minutes, of two objectives."""
    data, setup = load_study(name).model_dump(mode="json"), _SETUPS[name]
    data["seed"] = seed
    data["sample"] |= setup.sample
    data["objectives"] = [o for o in data["objectives"] if o["name"] != "latency_ns"]
    data["families"] = [f | {"training": setup.trainings.get(f["name"], f["training"])} for f in data["families"]]
    data["search"] = {"trials": setup.trials, "population": 8}
    data["verification"] = {"gate_events": 1000, "rtl_events": 1000}
    return Study.model_validate(data)


def summary(families: dict[int, str], scores: list[Score], seconds: dict[str, float], box: Box) -> dict[str, Any]:
    """The front by family, the hypervolume with and without each, and the time of each.

    ``families``: of each trial that was drawn, also of those without a score.
    """

    def share(chosen: list[Score]) -> float:
        return round(box.share([s.values for s in chosen]), 5)

    front = pareto(scores, list(box.directions))
    whole, named = share(scores), sorted(set(families.values()))
    return {
        "hypervolume": whole,
        "front": [
            {"trial": s.trial, "family": families[s.trial], "values": [round(v, 5) for v in s.values]} for s in front
        ],
        "families": {
            name: {
                "trials": sum(family == name for family in families.values()),
                "within_bounds": sum(families[s.trial] == name for s in scores),
                "points_on_the_front": sum(families[s.trial] == name for s in front),
                "hypervolume_without_it": share([s for s in scores if families[s.trial] != name]),
                "hypervolume_alone": share([s for s in scores if families[s.trial] == name]),
                "processor_seconds": round(seconds.get(name, 0.0), 1),
            }
            for name in named
        },
    }


def measured(study: Study, folder: Path, box: Box) -> tuple[dict[str, Any], list[Score], dict[int, str]]:
    """Run, or go on with, the study; its record."""
    front: Front = run_study(study, folder, workers=1)
    run, families, scores, seconds, failed = RunFolder(folder), {}, [], {}, 0
    for trial in run.trials():
        status, config = trial.read("status.json", TrialStatus), trial.read_json("config.json")
        assert status is not None
        assert config is not None
        family = families[trial.number] = study.of(config, "config.json").family
        seconds[family] = seconds.get(family, 0.0) + status.spent
        failed += status.state == State.FAILED
        if status.state == State.COMPLETE:
            scores.append(recorded_score(trial, study))
    found = summary(families, scores, seconds, box)
    verdicts = {p.trial: p.verified for p in front.points}
    for point in found["front"]:
        verdict = verdicts[point["trial"]]
        point |= {"exact": bool(verdict and verdict.exact), "events": verdict.events if verdict else 0}
        luts = [f for p in front.points if p.trial == point["trial"] for f in p.figures if f.quantity == "lut"]
        point |= {f"lut ({f.fidelity})": f.value for f in luts}
    return found | {"failed": failed, "every_point_exact": all(p["exact"] for p in found["front"])}, scores, families


def _draw(scores: list[Score], families: dict[int, str], box: Box, metric: str, output: Path) -> None:
    """Candidates pale, the front full, in the colour of the family."""
    import matplotlib
    from matplotlib.figure import Figure

    front = {s.trial for s in pareto(scores, list(box.directions))}
    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 12}):
        canvas = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = canvas.add_subplot()
        for name in dict.fromkeys(families.values()):
            for chosen, alpha, label in ((False, 0.25, None), (True, 1.0, name)):
                points = [s.values for s in scores if families[s.trial] == name and (s.trial in front) == chosen]
                axes.scatter(
                    [v[1] for v in points], [v[0] for v in points], s=36 if chosen else 18, color=_COLOURS[name],
                    alpha=alpha, label=label,
                )  # fmt: skip
        axes.set(xscale="log", xlabel="look-up tables (compiled)", ylabel=f"{metric} (validation)")
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right", frameon=False)
        canvas.savefig(output, metadata={"Date": None})


def over_seeds(searches: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the searches of a study have in common: means over their seeds, with deviations."""
    every = list(searches.values())
    names = sorted({name for one in every for name in one["families"]})
    return {
        "seeds": len(every),
        "hypervolume": spread([one["hypervolume"] for one in every]),
        "every_point_exact": all(one["every_point_exact"] for one in every),
        "points": sum(len(one["front"]) for one in every),
        "families": {
            name: {
                "points_on_the_front": round(mean(one["families"][name]["points_on_the_front"] for one in every), 1),
                # paired: of the same search
                "lost_without_it": spread(
                    [one["hypervolume"] - one["families"][name]["hypervolume_without_it"] for one in every]
                ),
                "hypervolume_alone": spread([one["families"][name]["hypervolume_alone"] for one in every]),
                "trials": round(mean(one["families"][name]["trials"] for one in every)),
                "processor_seconds": round(mean(one["families"][name]["processor_seconds"] for one in every), 1),
            }
            for name in names
        },
    }


def main() -> None:
    """Run what the record lacks, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", default=",".join(_SETUPS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--runs", type=Path, help="keep the run folders here")
    parser.add_argument("--again", action="store_true", help="also those that are in the record")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "families.json")
    options = parser.parse_args()
    there = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else {}
    studies = {} if options.again else there.get("studies", {})
    for name in options.studies.split(","):
        setup = _SETUPS[name]
        for seed in options.seeds.split(","):
            entry = studies.setdefault(name, {"searches": {}})
            if seed in entry["searches"]:
                continue
            study = smaller(name, int(seed))
            with tempfile.TemporaryDirectory() as scratch:
                folder = (options.runs or Path(scratch)) / f"{name}-{seed}"
                found, scores, families = measured(study, folder, setup.box)
            entry["searches"][seed] = found
            entry["over_seeds"] = over_seeds(entry["searches"])
            entry |= {
                "sample": study.sample,
                "trainings": {f.name: f.training.model_dump(mode="json") for f in study.families},
                "objectives": [o.name for o in study.objectives],
                "best": list(setup.box.best),
                "reference_point": list(setup.box.worst),
            }
            record = {
                "commit": commit_of(),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": {name: version(name) for name in ("torch", "scikit-learn", "alkaid", "pyosys", "optuna")},
                "studies": studies,
            }
            write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
            if seed == options.seeds.split(",")[0]:
                picture = options.output.with_name(f"families-{name}.svg")
                _draw(scores, families, setup.box, study.objectives[0].name, picture)
            print(f"{name} {seed}: {json.dumps(found['families'])}", flush=True)
        print(name, json.dumps(studies[name]["over_seeds"], indent=1))


if __name__ == "__main__":
    main()
