"""``python -m tests.benchmarks.item_studies [NAME ...]``: the demos of the studies on items, as a user runs them.

Each is run by the command line with its own budget into ``runs/item-studies``, and is not run again where a front is
there. What they simulate on first use is kept in a folder of the runs, not in the user's cache, so that it is counted
in. Of each: seconds by the clock and of the processor, those by the clock until the sample was there, the load of the
machine, the front with its verdicts, and the best design by validation on the test split beside each baseline, in
pairs. Writes
``reports/reference/item_studies.json`` and one picture, ``docs/pictures/item_studies.svg``: unrolled and folded designs
of a study in one panel.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core.records import Front
from codesign.core.runfolder import RunFolder, write_atomically
from tests.benchmarks.examples import summary
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "item_studies.json"
PICTURE = ROOT / "docs" / "pictures" / "item_studies.svg"
#: baselines in the picture, by the beginnings of their names, where a study has more than lines can be told apart
_DRAWN = {
    "calorimeter-anomaly-demo": ("isolation", "PCA", "HT (jets", "total ET", "largest region", "teacher"),
}
STUDIES = ("jet-constituents-demo", "sc4-tagger-demo", "calorimeter-anomaly-demo")


def _processor() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _run(name: str, folder: Path, workers: int) -> dict[str, Any]:
    """Run the study into the folder, once; what that took."""
    kept = folder.with_suffix(".json")
    if not (folder / "front.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        began, before, clock = time.monotonic(), _processor(), time.time()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CODESIGN_CACHE": str(folder.parent / "simulated")}
        more = ["--run", str(folder), "--store", "none", "--workers", str(workers)]
        command = [sys.executable, "-m", "codesign.cli", "run", str(ROOT / "search" / f"{name}.yaml"), *more]
        subprocess.run(command, cwd=folder.parent, env=environment, check=True)
        spent = {"seconds": round(time.monotonic() - began), "processor_seconds": round(_processor() - before)}
        until = round((folder / "sample.json").stat().st_mtime - clock)
        beside = {"sample_seconds": until, "load": round(os.getloadavg()[0], 1), "workers": workers}  # at its end
        kept.write_text(json.dumps(spent | beside), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _objectives(folder: Path) -> list[dict[str, Any]]:
    """Of each point of the front, what the search pulls beside its figures, on the test split."""
    front = RunFolder(folder).read("front.json", Front)
    assert front is not None
    names = [goal.name for goal in front.objectives if goal.fidelity is None]
    return [
        {name: {"value": p.metrics[name].value, "error": p.metrics[name].error} for name in names} for p in front.points
    ]


def draw(record: dict[str, Any], file: Path) -> None:
    """The first metric of each design against its look-up tables, and the baselines as lines."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 10}):
        canvas = Figure(figsize=(4.4 * len(record["studies"]), 4.8), layout="constrained")
        panels = canvas.subplots(1, len(record["studies"]), squeeze=False)[0]
        for axes, (name, entry) in zip(panels, record["studies"].items(), strict=True):
            for folded, marker, label in ((False, "o", "unrolled"), (True, "*", "folded")):
                own = [p for p in entry["points"] if (p["figures"]["initiation_interval (compiled)"] > 1) is folded]
                if own:
                    axes.errorbar(
                        [p["figures"]["lut (compiled)"] for p in own], [p["value"] for p in own],
                        [p["error"] for p in own], fmt=marker, color="#0072B2", ms=10 if folded else 6,
                        mfc="white" if folded else "#0072B2", label=label,
                    )  # fmt: skip
            styles = ("--", ":", "-.", (0, (8, 3)), (0, (1, 4)), "-")
            drawn = {
                other: of
                for other, of in entry["best"]["beside"].items()
                if entry["metric"] in of and other.startswith(_DRAWN.get(name, ("",)))
            }
            for (other, of), style in zip(drawn.items(), styles, strict=False):
                line = of[entry["metric"]]["baseline"]
                axes.axhline(line, color="#444444", linestyle=style, linewidth=1.2, label=other[:40])
            axes.set(xscale="log", xlabel="look-up tables (compiled)", ylabel=entry["metric"].replace("_", " "))
            axes.set_title(name, fontsize=10)
            axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18))
        canvas.savefig(file, metadata={"Date": None})


def main() -> None:
    """Run what is not there, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(STUDIES), help="of demos")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "item-studies")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    if unknown := set(given.names) - set(STUDIES):
        parser.error(f"no demo {', '.join(sorted(unknown))}; there are {', '.join(STUDIES)}")
    studies: dict[str, Any] = {}
    for name in given.names:
        folder = given.runs.resolve() / name
        spent = _run(name, folder, given.workers)
        own = summary(folder, ROOT / "search" / f"{name}.yaml")
        for point, also in zip(own["points"], _objectives(folder), strict=True):
            point["objectives"] = also
        studies[name] = spent | {k: own[k] for k in ("events", "metric", "direction", "points", "best")}
        print(
            name, spent, [(p["value"], p["figures"]["lut (compiled)"], p["exact"]) for p in own["points"]], flush=True
        )
    record = {
        "command": "python -m tests.benchmarks.item_studies",
        "versions": {n: version(n) for n in ("codesign", "torch", "scikit-learn", "brevitas", "alkaid")},
        "studies": studies,
    }
    write_atomically(given.output, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, PICTURE if given.output == RECORD else given.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
