"""``python -m tests.benchmarks.handoff RUN... [--events FILE...]``: a bundle of each run, tried as who gets it would.

For the best point of every run's front: the bundle is packed, checked by the command in an environment made afresh from
``requirements.lock`` (golden vectors through ONNX, emulator and RTL; emulator beside ONNX on 100,000 drawn events), its
emulator is compared with its ONNX on every event of the run's sample, and it is applied to the files of events whose
friend trees are read back with uproot. A file that the task cannot read is recorded with the reason.
Writes ``reports/reference/handoff.json``, whose other parts stay.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.records import Front
from codesign.core.runfolder import RunFolder
from codesign.data.input_tables import KEPT, is_table, table_chunks
from codesign.handoff import write_bundle
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.apply.executors import EmulatorEngine, OnnxEngine, built_emulator, compare
from codesign.handoff.archive import open_bundle
from codesign.handoff.check import read_manifest
from codesign.physics.events import read_events
from codesign.study.definition import parse_study
from codesign.tasks.base import Task
from tests.benchmarks.handoff_record import RECORD, put
from tests.benchmarks.studies import best_point

ROOT = Path(__file__).resolve().parents[2]

_DRAWN = 100_000
_IDENTITY = ("run", "luminosityBlock", "event")


def fresh_environment(folder: Path) -> Path:
    """A new virtual environment with the pinned packages and a wheel of this package; its ``codesign``."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(ROOT)], check=True)
    return folder / "bin" / "codesign"


def checked(codesign: Path, bundle: Path, home: Path) -> dict[str, Any]:
    """What ``codesign check`` says, in an environment without this machine's caches."""
    command = [str(codesign), "check", str(bundle), "--emulator", "--events", str(_DRAWN), "--rtl", "--json"]
    environment = os.environ | {"XDG_CACHE_HOME": str(home), "HOME": str(home)}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=environment)
    if done.returncode:
        return {"refused": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def on_sample(run: RunFolder, folder: Path) -> int:
    """Events of the run's sample, for all of which emulator and ONNX give the same integers."""
    study = parse_study((run.path / "study.yaml").read_text(encoding="utf-8"), str(run.path))
    sample = plugins.load(Task, study.task).open(study.sample, study.seed).sample
    manifest = read_manifest(folder)
    design = Design.load(folder)
    engines = OnnxEngine(design, manifest), EmulatorEngine(built_emulator(design), manifest)
    return compare(*engines, sample.features.astype(np.float32), ("onnx", "the emulator"))


def friends(folder: Path, file: Path, work: Path) -> dict[str, Any]:
    """A friend tree of a file of events, read back: its entries are the file's, its integers those of the scorer."""
    try:
        (done,) = apply_bundle(folder, [file], work / f"{file.stem}-scores.root")
        scorer = Scorer(folder)
        if is_table(file, scorer.features):
            (features, columns), *_ = table_chunks(file, scorer.blocks, done.rows)
            events, expected = ak.Array(columns), ak.zip(scorer.rows(features))
        else:
            events = ak.concatenate(list(read_events(file, scorer.task.collections, optional=_IDENTITY)))
            expected = scorer(events)
    except CodesignError as error:
        return {"refused": str(error)}
    label = f"{scorer.outputs[0]}_code"
    with uproot.open(done.output) as opened_file:
        tree = opened_file["Events"]
        codes = tree[f"codesign_{label}"].array()
        kept = [name for name in KEPT if name in tree]
        same = all(ak.all(tree[name].array() == events[name]) for name in kept)
        return {
            "events": done.events,
            "rows": done.rows,
            "kept": kept,
            "equal": bool(same and len(codes) == len(expected) and ak.all(codes == expected[label])),
        }


def tried(run: RunFolder, files: Sequence[Path], codesign: Path, work: Path) -> tuple[str, dict[str, Any]]:
    """Pack, check, compare and apply the bundle of a run's best point; the study's name, and what came of it."""
    study = parse_study((run.path / "study.yaml").read_text(encoding="utf-8"), str(run.path))
    front = run.read("front.json", Front)
    assert front is not None
    trial = best_point(study, front).trial
    bundle = write_bundle(run.path, trial, work / f"{study.name}.zip")
    found: dict[str, Any] = {"trial": trial, "bundle_kb": round(bundle.stat().st_size / 1000)}
    found["check"] = checked(codesign, bundle, work)
    with open_bundle(bundle) as folder:
        found["emulator_equal_on_sample"] = on_sample(run, folder)
        found["applied"] = {file.name: friends(folder, file, work) for file in files}
        for name in ("closure", "correction-loss"):
            path = folder / "fastsim" / f"{name}.json"
            if path.is_file():
                record = json.loads(path.read_text(encoding="utf-8"))
                found[name] = {k: {n: v for n, v in r.items() if n != "bins"} for k, r in record.items()}
    return study.name, found


def main() -> None:
    """Try, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--events", type=Path, nargs="*", default=[], help="files of events to apply the bundles to")
    parser.add_argument("--codesign", type=Path, help="of another environment, instead of a new one")
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codesign-handoff-") as scratch:
        work = Path(scratch)
        codesign = options.codesign.absolute() if options.codesign else fresh_environment(work / "venv")
        for folder in options.runs:
            run = RunFolder.open(folder)
            name, found = tried(run, options.events, codesign, work)
            put(found, "bundles", name, path=options.output)
            print(json.dumps({name: found}, indent=1), flush=True)


if __name__ == "__main__":
    sys.exit(main())
