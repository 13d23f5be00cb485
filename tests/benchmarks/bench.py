"""``make bench``: candidates per hour, seconds per stage, and events per second, from one run on this machine.

Writes ``reports/reference/bench.json`` and prints the same figures. Ratios are of measurements in this one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.probes import probe_codes
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.search.engine import run_study
from codesign.search.progress import Shown, Silent
from codesign.study.definition import load_study
from codesign.training.lesson import Subject
from tests.benchmarks.event_memory import event_memory
from tests.benchmarks.family_steps import family_steps
from tests.benchmarks.flow_rates import flow_rates
from tests.benchmarks.hls4ml_csim import HlsSimulation
from tests.benchmarks.time_multiplexing import time_multiplexing
from tests.benchmarks.training_ways import training_step, training_ways
from tests.benchmarks.trigger_events import trigger_events

ROOT = Path(__file__).resolve().parents[2]


class _SearchClock(Silent):
    """Wall-clock time of the search alone: without the sample before it and the proof of the front behind it."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._ended = 0.0

    @property
    def seconds(self) -> float:
        return self._ended - (self._began or 0.0)

    def show(self, shown: Shown) -> None:
        if shown.stage.startswith("search"):
            self._began = self._began or time.perf_counter()
            self._ended = time.perf_counter()


def search_rate(work: Path, trials: int, workers: int) -> dict[str, Any]:
    """Candidates per hour in FINNAS's space (arXiv 2609.16367 reports 83 on an RTX 5070 Ti), and seconds per stage."""
    study = load_study("finnas")
    run = work / "finnas"
    run_study(study, run, trials=1, workers=1)  # makes or loads the sample: not part of the rate
    first = len(RunFolder(run).trials())
    clock = _SearchClock()
    front = run_study(study, run, trials=trials, workers=workers, progress=clock)
    statuses = [t.read("status.json", TrialStatus) for t in RunFolder(run).trials()][first:]
    known = [s for s in statuses if s is not None]
    done = [s for s in known if s.state in (State.COMPLETE, State.INFEASIBLE)]
    stages = sorted({k for s in known for k in s.seconds})
    return {
        "space": "FINNAS: 2-6 layers of 8-320, 2-8 bits, 16 epochs on 70,000 jets",
        "workers": workers,
        "candidates": len(known),
        "compiled": len(done),
        "refused_before_training": sum(1 for s in known if s.state == State.FAILED and s.stage == "bound"),
        "search_seconds": round(clock.seconds, 1),
        "candidates_per_hour": round(len(known) / clock.seconds * 3600, 1),
        "compiled_candidates_per_hour": round(len(done) / clock.seconds * 3600, 1),
        "finnas_candidates_per_hour_published": 83,
        "median_seconds_per_stage": {
            stage: round(median(s.seconds[stage] for s in known if stage in s.seconds), 3) for stage in stages
        },
        "points_on_front": len(front.points),
    }


def event_rates(work: Path, events: int = 200_000) -> dict[str, Any]:
    """Events per second of the interpreter and of hls4ml's C simulation of one design, one thread; and equality."""
    import torch

    from codesign.families.mlp.config import MLPConfig
    from codesign.families.mlp.family import MLP
    from codesign.training import export

    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 16)).astype(np.float32)
    config = MLPConfig(widths=(32, 16), weight_bits=(4, 4, 4), activation_bits=(4, 4), input_bits=8, sparsity=0.5)
    quantisation = InputQuantisation.fit(x, tuple(f"x{i}" for i in range(16)), ("1",) * 16, 8)
    network = MLP().build(config, Subject.of_sizes(16, 5))
    network.calibrate(torch.as_tensor(quantisation.port.values(quantisation.codes(x)), dtype=torch.float32))
    network.fold()
    design: Design = export.export(network.eval(), quantisation, ("g", "q", "w", "z", "t"))
    flow = plugins.load(Flow, "alkaid")
    firmware = flow.compile(design, load_target("vu13p-360"), work / "firmware")
    codes = np.concatenate([probe_codes(design.inputs), quantisation.codes(rng.normal(size=(events, 16)))])
    start = time.perf_counter()
    csim = HlsSimulation(design, work / "hls")
    build = time.perf_counter() - start
    rates, outputs = {}, {}
    for name, predict in (("interpreter", lambda c: flow.predict(firmware, c)), ("hls4ml_csim", csim.predict)):
        predict(codes[:100])
        start = time.perf_counter()
        outputs[name] = predict(codes)
        rates[name] = len(codes) / (time.perf_counter() - start)
    return {
        "events": len(codes),
        "events_per_second": {k: round(v) for k, v in rates.items()},
        "interpreter_over_hls4ml": round(rates["interpreter"] / rates["hls4ml_csim"], 1),
        "equal": bool(np.array_equal(*outputs.values())),
        "hls4ml_build_seconds": round(build, 1),
    }


def calibration() -> list[dict[str, Any]]:
    """What each estimate is worth, by the table that ``make calibration`` made."""
    made = json.loads((ROOT / "reports" / "reference" / "calibration.json").read_text(encoding="utf-8"))
    names = ("predictor", "family", "quantity", "fidelity", "networks", "spearman", "error_fitted", "band")
    return [{name: predictor[name] for name in names} for predictor in made["predictors"]]


def main() -> None:
    """Run all benchmarks and write their record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "bench.json")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="measure these, keep what is recorded")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)
    work = Path(tempfile.mkdtemp(prefix="codesign-bench-"))
    try:
        parts: dict[str, Callable[[], Any]] = {
            "training_step": training_step,
            "family_steps": family_steps,
            "training_ways": lambda: training_ways(work / "ways"),
            "event_rates": lambda: event_rates(work),
            "event_files": lambda: event_memory(work),
            "flows": lambda: flow_rates(work / "flows"),
            "time_multiplexing": time_multiplexing,
            "calibration": calibration,
            "trigger_events": lambda: trigger_events(work),
            "search": lambda: search_rate(work, options.trials, options.workers),
        }
        unknown = sorted(set(options.only) - parts.keys())
        if unknown:
            parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts)}")
        record = {
            "machine": {
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "architecture": platform.machine(),
            },
            "versions": {name: version(name) for name in ("codesign", "torch", "brevitas", "alkaid", "hls4ml")},
        }
        if options.only and options.output.is_file():
            record = json.loads(options.output.read_text(encoding="utf-8")) | record
        record |= {name: run() for name, run in parts.items() if not options.only or name in options.only}
    finally:
        shutil.rmtree(work, ignore_errors=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
