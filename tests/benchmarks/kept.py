"""``python -m tests.benchmarks.kept [--base COMMIT]``: is the present tree as fast as another commit's?

Both trees run here in turn, base and present, then present and base, so that what else the machine does meets both.
Each is asked through what it shows to the outside: its command line, a trial's record, the emulator's C symbol.

- candidates an hour and core: of a small search with one worker, by the seconds in each trial's record; and by all
  the CPU time that it took, its start and the proof of its front included, which other load disturbs less;
- emulator: events a second of ``codesign_predict``, one thread, of the bundle that the tree makes of its best trial;
- start-up: seconds of CPU of ``codesign --help`` and of ``codesign targets --json``.

A ratio is present over base in speed, of the best of all rounds: 1 is as fast, below 1 slower.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from codesign.core.errors import CodesignError, ToolError
from codesign.core.runfolder import write_atomically
from tests.trees import ROOT, Tree, both

_EVENTS = 200_000
_MADE = ROOT / "tests" / "frozen" / "7957331" / "made.zip"
#: by the clock on the wall: what else the machine does can halve it, so that ``--least`` leaves it out
_BY_CLOCK = "candidates an hour and core"
#: the commit that all later ones are compared with
_BASE = "7957331"
_STUDY: dict[str, Any] = {
    "name": "kept",
    "seed": 3,
    "task": "jet-tagging",
    "sample": {"file": "jets.parquet"},
    "splits": {"train": 0.3, "validation": 0.15, "test": 0.55},
    "family": "mlp",
    "space": {"depth": 2, "width": [16, 24], "weight_bits": 4, "activation_bits": 4, "input_bits": 6, "sparsity": 0.5},
    "training": {"epochs": 20, "batch": 64, "learning_rate": 0.02},
    "flow": "alkaid",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}],  # one: there is one trial to prove
    "search": {"sampler": "random"},
}


@dataclass
class Rates:
    """Of one tree, a value of each round: the higher, the faster."""

    tree: Tree
    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, rate: float) -> None:
        """Add a round's."""
        self.found.setdefault(what, []).append(rate)


def cpu_seconds(tree: Tree, *arguments: object, cwd: Path) -> float:
    """Of ``codesign`` and all that it started."""
    process = subprocess.Popen(
        tree.command(*arguments), cwd=cwd, env=tree.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise ToolError(f"{tree.name}: codesign {' '.join(map(str, arguments))} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def search(tree: Tree, trials: int, folder: Path) -> tuple[float, float]:
    """Candidates an hour of one worker, the first left out, which also pays for what is loaded once; and of all that
    the search took, its start and the proof of its front included, candidates an hour of CPU."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(_MADE) as archive:
        archive.extract("jets.parquet", folder)
    study = _STUDY | {"search": {**_STUDY["search"], "trials": trials}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    command = ("run", "study.yaml", "--run", "run", "--workers", 1, "--store", "none")
    used = cpu_seconds(tree, *command, cwd=folder)
    statuses = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted((folder / "run").glob("trials/*/status.json"))
    ]
    seconds = [status["seconds"]["total"] for status in statuses if "total" in status["seconds"]][1:]
    return 3600 * len(seconds) / sum(seconds), 3600 * len(statuses) / used


def emulator(tree: Tree, folder: Path) -> ctypes.CDLL:
    """The C++ emulator of the bundle of the best trial of a search in ``folder``, built and loaded."""
    best = json.loads((folder / "run" / "front.json").read_text(encoding="utf-8"))["points"][0]["trial"]
    tree.codesign("handoff", "run", best, "-o", "bundle", cwd=folder)
    sources = folder / "bundle" / "emulator"
    subprocess.run(["make", "-s", "-C", sources], check=True, stdout=subprocess.DEVNULL)
    library = ctypes.CDLL(str(next(sources.glob("*.so")).resolve()))
    library.codesign_inputs.restype = library.codesign_outputs.restype = ctypes.c_size_t
    library.codesign_predict.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    library.codesign_predict.restype = None
    return library


def events_a_second(library: ctypes.CDLL) -> float:
    """Of ``codesign_predict``, by this thread's CPU time."""
    codes = np.random.default_rng(1).integers(-4, 4, (_EVENTS, library.codesign_inputs()), dtype=np.int32)
    outputs = np.empty((_EVENTS, library.codesign_outputs()), dtype=np.int32)
    began = time.thread_time()
    library.codesign_predict(codes.ctypes.data, outputs.ctypes.data, _EVENTS)
    return _EVENTS / (time.thread_time() - began)


def measure(trees: tuple[Tree, Tree], rounds: int, trials: int, work: Path) -> list[Rates]:
    """All rates of both trees."""
    rates = [Rates(tree) for tree in trees]
    libraries = {}
    for i in range(rounds):
        turn = rates if i % 2 == 0 else rates[::-1]
        for of in turn:
            folder = work / f"{of.tree.name}-{i}"
            rate, whole = search(of.tree, trials, folder)
            of.add(_BY_CLOCK, rate)
            of.add("candidates an hour of CPU, with proof", whole)
            if of.tree.name not in libraries:
                libraries[of.tree.name] = emulator(of.tree, folder)
        for _ in range(5):
            for of in turn:
                of.add("emulator, events a second", events_a_second(libraries[of.tree.name]))
                of.add("starts of 'codesign --help' a CPU second", 1 / cpu_seconds(of.tree, "--help", cwd=work))
                of.add(
                    "starts of 'codesign targets' a CPU second", 1 / cpu_seconds(of.tree, "targets", "--json", cwd=work)
                )
    return rates


def record_of(base: Rates, present: Rates) -> dict[str, Any]:
    """What is written: every rate, and the ratio of the best."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "base": base.tree.commit,
        "present": present.tree.commit,
        "rates": {
            what: {
                "ratio": round(max(present.found[what]) / max(base.found[what]), 3),
                "base": [round(v, 3) for v in base.found[what]],
                "present": [round(v, 3) for v in present.found[what]],
            }
            for what in base.found
        },
    }


def main() -> int:
    """Measure, print and write; 1 where ``--least`` is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=_BASE, help="commit to compare with")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--trials", type=int, default=9, help="of each round's search")
    parser.add_argument("--least", type=float, default=0.0, help="end with 1 where a ratio of CPU times is below")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "kept.json")
    options = parser.parse_args()
    try:
        with both(options.base) as trees, tempfile.TemporaryDirectory(prefix="codesign-kept-") as work:
            record = record_of(*measure(trees, options.rounds, options.trials, Path(work)))
    except CodesignError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    print(f"present {record['present'][:7]} over base {record['base'][:7]}; {options.output}")
    for what, of in record["rates"].items():
        spread = max(max(v) / min(v) - 1 for v in (of["base"], of["present"]))
        print(f"{what:45} {of['ratio']:6.3f}   (rounds differ by up to {spread:.0%})")
    return 1 if any(of["ratio"] < options.least for what, of in record["rates"].items() if what != _BY_CLOCK) else 0


if __name__ == "__main__":
    sys.exit(main())
