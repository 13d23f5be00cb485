"""``python -m tests.replay.make_designs``: the designs that are replayed, once; their bytes are committed.

Those of :data:`codesign.testing.CASES`, and two of every shipped study, from few events and epochs: what a replay needs
is the layouts that each study reaches, not good networks. A design that is there already stays as it is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from codesign.core.design import Design
from codesign.core.runfolder import RunFolder
from codesign.physics.events import write_events
from codesign.search.engine import run_study
from codesign.study.definition import Study, load_study
from codesign.testing import CASES
from tests.replay.replayed import DESIGNS
from tests.tasks.anomaly.toy_level1 import toy_level1
from tests.tasks.jets.toy_events import toy_events

#: study -> what its space is narrowed to, so that the designs stay small
STUDIES: dict[str, dict[str, Any]] = {
    "finnas": {"depth": {"low": 2, "high": 3}, "width": {"low": 8, "high": 32, "step": 8}},
    "hlt-jet-energy": {},
    "jet-tagger": {"width": [8, 16, 24, 32]},
    "jet-tagger-learned": {"width": [16, 24], "beta_high": 3e-2},
    "l1-anomaly": {"width": [8, 12, 16]},
    "l1-anomaly-vae": {"width": [8, 15, 28]},
    "l1-tag-and-energy": {},
}
_DESIGNS_OF_EACH = 2


def small(name: str, folder: Path) -> Study:
    """A shipped study on few events, briefly trained, without constraints."""
    given = load_study(name).model_dump(mode="json")
    if given["task"] == "anomaly":
        given["sample"] = {
            "files": [_events(folder / "zero.root", toy_level1(3000, 1))],
            "signal_files": {"hard": [_events(folder / "hard.root", toy_level1(300, 2, hard=40.0))]},
        }
    elif given["task"] == "jet-energy":
        sample = {key: value for key, value in given["sample"].items() if key != "cards"}
        given["sample"] = sample | {"files": [_events(folder / "jets.root", toy_events(3000))]}
    else:
        given["sample"]["events"] = 1500
    given["space"] |= STUDIES[name]
    learned = given["family"] == "mlp-learned"  # it must pass through a network within its budget
    given["training"] |= {"epochs": 100 if learned else 5, "batch": 128}
    given["constraints"] = []
    given["search"] = {"trials": 3, "sampler": "random"}
    given["verification"] = {"gate_events": 1000, "rtl_events": 1000}
    return Study.model_validate(given)


def _events(path: Path, events: Any) -> str:
    write_events(path, events)
    return str(path)


def main() -> None:
    """Make what is missing."""
    for case in CASES:
        if not (DESIGNS / case.name).is_dir():
            case.make().save(DESIGNS / case.name)
    for name in STUDIES:
        if all((DESIGNS / f"{name}-{i}").is_dir() for i in range(_DESIGNS_OF_EACH)):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            run = Path(scratch) / "run"
            run_study(small(name, Path(scratch)), run)
            # a metric that so few events cannot tell fails a trial after its firmware is made
            trials = [t for t in RunFolder(run).trials() if (t.firmware / "firmware.json").is_file()]
            for i, trial in enumerate(trials[:_DESIGNS_OF_EACH]):
                Design.load(trial.path).save(DESIGNS / f"{name}-{i}")
        print(f"{name}: {len(trials)} designs", flush=True)


if __name__ == "__main__":
    main()
