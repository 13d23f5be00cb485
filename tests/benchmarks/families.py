"""``python -m tests.benchmarks.families``: the three families of ``jet-tagger-all`` in one search, and what each gave.

The shipped study made small (6,000 jets, short trainings, accuracy against look-up tables), one worker. Of the front:
points by family, its hypervolume, and what that is without each family or by each alone (all on the validation split,
of all candidates that keep the bounds); processor seconds by family, which are to be equal shares; and whether every
point was exact in RTL simulation. Writes ``reports/reference/families.json`` and ``families.svg``, the candidates and
the front coloured by family. With ``--run`` the run folder is kept, and an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core.records import Front, State, TrialStatus
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score
from codesign.search.engine import run_study
from codesign.search.telling import recorded_score
from codesign.study.definition import Study, load_study
from tests.benchmarks.search.volume import Box
from tests.trees import ROOT, commit_of

__all__ = ("summary",)

_TRAINING = {
    "mlp": {"epochs": 30, "batch": 256, "learning_rate": 0.02},
    "mlp-learned": {"epochs": 100, "batch": 256, "learning_rate": 0.01},
    "trees": {"epochs": 40},
}
_BOX = Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0))
_COLOURS = {"mlp": "#0072B2", "mlp-learned": "#009E73", "trees": "#D55E00"}


def small_study() -> Study:
    """``jet-tagger-all`` at a size of minutes."""
    data = load_study("jet-tagger-all").model_dump(mode="json")
    data["sample"] |= {"events": 6000}
    data["objectives"] = [o for o in data["objectives"] if o["name"] != "latency_ns"]
    data["families"] = [f | {"training": _TRAINING[f["name"]]} for f in data["families"]]
    data["search"] = {"trials": 90, "population": 8}
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


def measured(study: Study, folder: Path) -> tuple[dict[str, Any], list[Score], dict[int, str]]:
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
    found = summary(families, scores, seconds, _BOX)
    verdicts = {p.trial: p.verified for p in front.points}
    for point in found["front"]:
        verdict = verdicts[point["trial"]]
        point |= {"exact": bool(verdict and verdict.exact), "events": verdict.events if verdict else 0}
        luts = [f for p in front.points if p.trial == point["trial"] for f in p.figures if f.quantity == "lut"]
        point |= {f"lut ({f.fidelity})": f.value for f in luts}
    return found | {"failed": failed, "every_point_exact": all(p["exact"] for p in found["front"])}, scores, families


def _draw(scores: list[Score], families: dict[int, str], output: Path) -> None:
    """Candidates pale, the front full, in the colour of the family."""
    import matplotlib
    from matplotlib.figure import Figure

    front = {s.trial for s in pareto(scores, list(_BOX.directions))}
    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 12}):
        canvas = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = canvas.add_subplot()
        for name, colour in _COLOURS.items():
            for chosen, alpha, label in ((False, 0.25, None), (True, 1.0, name)):
                points = [s.values for s in scores if families[s.trial] == name and (s.trial in front) == chosen]
                axes.scatter(
                    [v[1] for v in points], [v[0] for v in points], s=36 if chosen else 18, color=colour, alpha=alpha,
                    label=label,
                )  # fmt: skip
        axes.set(xscale="log", xlabel="look-up tables (compiled)", ylabel="accuracy (validation)")
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right", frameon=False)
        canvas.savefig(output, metadata={"Date": None})


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="keep the run folder here")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "families.json")
    options = parser.parse_args()
    study = small_study()
    with tempfile.TemporaryDirectory() as scratch:
        found, scores, families = measured(study, options.run or Path(scratch) / "run")
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("torch", "scikit-learn", "alkaid", "pyosys", "optuna")},
        "study": "jet-tagger-all",
        "sample": study.sample,
        "trainings": _TRAINING,
        "objectives": [o.name for o in study.objectives],
        "best": list(_BOX.best),
        "reference_point": list(_BOX.worst),
    } | found
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    _draw(scores, families, options.output.with_suffix(".svg"))
    print(json.dumps({k: record[k] for k in ("hypervolume", "families", "every_point_exact")}, indent=1))


if __name__ == "__main__":
    main()
