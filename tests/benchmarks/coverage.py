"""``python -m tests.benchmarks.coverage``: is a stated error the spread over independently generated samples?

For every metric of every task that is shipped: the mean of its stated errors over the standard deviation of its values,
over 100 pairs of a validation split, which fixes the working points, and a test split, each generated from a seed of
its own that nothing else uses. Generated are toys (a class of jets in pairs from one collision, Level-1 events with two
signals, dijet events, a table's number): Pythia makes some 300 events a second, so 100 such pairs of each task would
take it hours. What is tried is the statistics, which do not know where events come from. The scores are fixed functions
of the inputs: nothing is fitted, so that no sample is one that was tuned on.

Writes ``reports/reference/coverage.json``. A run that was ended goes on from ``build/coverage``.

Of some 70 metrics one or two are outside by chance. ``--again`` measures those that the record says are outside with as
many samples of seeds that nothing else uses, and writes beside them what it finds, and what both say together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codesign.data.sample import Part
from codesign.physics.substructure import FEATURE_NAMES
from codesign.statistics import comparison
from codesign.statistics.replicas import REPLICAS
from codesign.tasks.anomalies.anomaly import AnomalyProblem
from codesign.tasks.anomalies.anomaly_sample import AnomalySample
from codesign.tasks.anomalies.level1_inputs import event_inputs
from codesign.tasks.anomalies.menu import ht
from codesign.tasks.jets.jet_energy import JetEnergy
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.jet_sample import FLAVOURS, jets_of
from codesign.tasks.problem import Problem, Scores, working_points
from codesign.tasks.tables.regression import TableRegression
from codesign.tasks.tagging.jet_tagging import JetTagging
from codesign.tasks.weighting import replicas_of
from tests.tasks.anomaly.toy_level1 import toy_level1
from tests.tasks.jets.toy_events import toy_events

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 100
#: seed of the first validation split; each split has the next one. Those from 190,000 on were seen before formulas of
#: tagging and of anomalies were changed
FIRST_SEED = 290_000
#: and of those that are drawn to look once more at what was outside
AGAIN_SEED = 590_000
LOW, HIGH = 0.85, 1.15


def tagging(seed: int, name: str) -> tuple[Part, Scores]:
    """2,000 jets, two of each collision, whose first features are alike."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 5, 1000), 2)
    common = np.repeat(rng.normal(size=(1000, 5)), 2, axis=0)
    scores = 1.5 * np.eye(5)[labels] + 0.6 * common + 0.8 * rng.normal(size=(2000, 5))
    x = np.zeros((2000, len(FEATURE_NAMES)), np.float32)
    return Part(name, x, labels, collisions=np.repeat(np.arange(1000), 2)), np.round(scores * 64) / 64


def anomaly(seed: int, name: str) -> tuple[Part, Scores]:
    """9,000 zero-bias events, and 500 of each of two signals; the score is of everything that is there."""
    made = [
        toy_level1(9000, seed),
        toy_level1(500, seed + 50_000, hard=12.0),
        toy_level1(500, seed + 70_000, muons=1.5),
    ]
    x = np.concatenate([event_inputs(events).features for events in made])
    pile_up = np.concatenate([np.asarray(events.Pileup.nTrueInt) for events in made])
    labels = np.repeat([0, 1, 2], [9000, 500, 500])
    part = Part(name, x, labels, truth={"pile_up": pile_up}, class_names=("zero_bias", "ttbar", "h0"))
    pts = [k for k in range(57) if k % 3 == 0]
    return part, np.floor((ht(x) + 2 * x[:, pts].sum(axis=1)) / 4)[:, None]


def energy(seed: int, name: str) -> tuple[Part, Scores]:
    """Jets of 5,000 dijet events; a correction that is off by 3 %, and flavours from the number of constituents."""
    jets = jets_of(toy_events(5000, seed), "HLTJet")
    good = (jets["generated_pt"] >= 15) & (jets["raw_pt"] > 8) & (jets["flavour"] >= 0) & (np.abs(jets["eta"]) < 4.7)
    jets = {key: values[good] for key, values in jets.items()}
    truth = {key: jets[key] for key in ("generated_pt", "offline_pt", "eta", "phi", "event")}
    truth |= {"reference_pt": jets["generated_pt"], "pile_up": jets["pile_up"]}
    target = np.log(jets["generated_pt"] / jets["raw_pt"])[:, None].astype(np.float32)
    part = Part(name, jets["x"], jets["flavour"], target, truth, collisions=jets["event"].astype(np.int64))
    pt, eta, rho, area = kinematics(jets["x"])
    away = np.maximum(pt - 0.9 * rho * area, 0.2 * pt)
    correction = np.log(1.03 * away / (0.905 - 0.05 * eta) / pt)
    width = 0.14 + 2.0 / pt
    gluon = (jets["x"][:, 6] - 4.2)[:, None] * np.array([-0.5, 2.0, -0.4, -0.6]) + np.sin(3 * pt)[:, None] * 0.3
    return part, np.column_stack([gluon, correction, correction - width, correction + width])


def number(seed: int, name: str) -> tuple[Part, Scores]:
    """A number of each of 1,500 rows, with weights, and two quantiles of it."""
    rng = np.random.default_rng(seed)
    target, weights = rng.normal(size=1500), rng.uniform(0.2, 2, 1500)
    part = Part(
        name, np.zeros((1500, 1), np.float32), np.zeros(1500, np.int64), target[:, None].astype(np.float32),
        weights=weights.astype(np.float32),
    )  # fmt: skip
    guess = target + 0.1 + rng.standard_t(5, 1500) * 0.3
    return part, np.column_stack([guess, guess - 0.4, guess + 0.2])


Drawn = Callable[[int, str], tuple[Part, Scores]]


def problems() -> dict[str, tuple[Problem, Drawn]]:
    """Every task, opened without a sample, and what generates one."""
    table = {"files": ["t.csv"], "features": ["x"], "target": {"column": "y"}, "quantiles": [0.16, 0.84]}
    heads = {"files": ["none"], "heads": {"flavour": 1.0}}
    return {
        "jet-tagging": (JetTagging().open({"file": "none"}, 1), tagging),
        "jet-energy": (JetEnergy().open(heads, 1), energy),
        "regression": (TableRegression().open(table, 1), number),
        "anomaly": (AnomalyProblem(AnomalySample()), anomaly),
    }


def judged(
    problem: Problem, drawn: Drawn, place: int, first_seed: int = FIRST_SEED, wanted: Collection[str] = ()
) -> dict[str, tuple[float, float]]:
    """Value and stated error of each metric of one pair of samples. Where nothing is wanted but metrics of one flavour,
    which are of its jets alone, of these."""
    seed = first_seed + 2 * place
    validation, searched = drawn(seed, "validation")
    part, scores = drawn(seed + 1, "test")
    flavours = {name.rpartition("_")[2] for name in wanted}
    if len(flavours) == 1 and (flavour := flavours.pop()) in FLAVOURS:
        of = np.flatnonzero(part.y == FLAVOURS.index(flavour))
        own = part.taken(of)
        rows = problem.replicate(scores[of, -3:], own, {}, replicas_of(own))
        return {name: (float(rows[name][0]), comparison.spread(rows[name])) for name in wanted}
    found = problem.judge(scores, part, working_points(problem, searched, validation))
    return {name: (metric.value, metric.error) for name, metric in found.items()}


def ratios(pairs: list[Mapping[str, tuple[float, float]]]) -> dict[str, dict[str, Any]]:
    """Of every metric that at least nine tenths of the samples have."""
    found = {}
    for name in sorted({name for pair in pairs for name in pair}):
        values = np.array([pair[name] for pair in pairs if name in pair])
        spread = float(values[:, 0].std(ddof=1))
        if len(values) < 0.9 * len(pairs) or not spread:
            continue
        ratio, share = float(values[:, 1].mean()) / spread, 1 / np.sqrt(2 * (len(values) - 1))
        error = float(ratio * np.hypot(share, values[:, 1].std() / values[:, 1].mean() / np.sqrt(len(values))))
        found[name] = {
            "value": float(values[:, 0].mean()), "spread": spread, "stated": float(values[:, 1].mean()),
            "ratio": round(ratio, 4), "error": round(error, 4), "samples": len(values),
            "within": bool(LOW - error <= ratio <= HIGH + error),
        }  # fmt: skip
    return found


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The ratio that two independent measurements of a metric give: of the mean errors, and of the mean variances."""
    numbers = np.array([one["samples"], other["samples"]], dtype=np.float64)
    stated = float(np.average([one["stated"], other["stated"]], weights=numbers))
    spread = float(np.sqrt(np.average([one["spread"] ** 2, other["spread"] ** 2], weights=numbers - 1)))
    error = stated / spread / np.sqrt(2 * (numbers - 1).sum())
    ratio = stated / spread
    return {
        "ratio": round(ratio, 4), "error": round(float(error), 4), "samples": int(numbers.sum()),
        "within": bool(LOW - error <= ratio <= HIGH + error),
    }  # fmt: skip


def drawn_pairs(
    path: Path,
    problem: Problem,
    drawn: Drawn,
    samples: int,
    first_seed: int,
    until: float,
    wanted: Collection[str] = (),
) -> list[dict[str, tuple[float, float]]]:
    """What is judged of so many pairs, those of an earlier start first; fewer where the time is over."""
    pairs = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    with path.open("a") as stream:
        while len(pairs) < samples and time.process_time() < until:
            pairs.append(judged(problem, drawn, len(pairs), first_seed, wanted))
            stream.write(json.dumps(pairs[-1]) + "\n")
            stream.flush()
    return pairs[:samples]


def look_again(record_path: Path, kept: Path, samples: int, until: float) -> None:
    """Measure what is outside with other samples, and write it into the record."""
    record = json.loads(record_path.read_text())
    found: dict[str, dict[str, Any]] = {}
    unfinished: dict[str, int] = {}
    for name, (problem, drawn) in problems().items():
        wanted = [text.partition(": ")[2] for text in record["outside"] if text.startswith(f"{name}: ")]
        if not wanted:
            continue
        pairs = drawn_pairs(kept / f"{name}-again.jsonl", problem, drawn, samples, AGAIN_SEED, until, wanted)
        if len(pairs) < samples:
            print(f"{name}: {len(pairs)} of {samples}: the same command goes on")
            unfinished[name] = len(pairs)
            continue
        anew = ratios(pairs)
        found[name] = {of: anew[of] | {"together": together(record["tasks"][name][of], anew[of])} for of in wanted}
    record["again"] = {
        "seeds": {"validation": [AGAIN_SEED, 2, samples], "test": [AGAIN_SEED + 1, 2, samples]},
        "tasks": found,
        "unfinished": unfinished,
    }
    if not found:
        return
    record_path.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--only", choices=sorted(problems()))
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long: the next start goes on")
    parser.add_argument("--again", action="store_true", help="look once more at what the record says is outside")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "coverage.json")
    chosen = parser.parse_args()
    kept, began, open_ = ROOT / "build" / "coverage", time.process_time(), False
    kept.mkdir(parents=True, exist_ok=True)
    if chosen.again:
        return look_again(chosen.output, kept, chosen.samples, began + chosen.seconds)
    tasks: dict[str, dict[str, dict[str, Any]]] = {}
    unfinished: dict[str, int] = {}
    for name, (problem, drawn) in problems().items():
        if chosen.only and name != chosen.only:
            continue
        until = began + chosen.seconds
        pairs = drawn_pairs(kept / f"{name}.jsonl", problem, drawn, chosen.samples, FIRST_SEED, until)
        if len(pairs) < chosen.samples:
            open_, unfinished[name] = True, len(pairs)
        tasks[name] = ratios(pairs[: chosen.samples]) if len(pairs) > 2 else {}
    outside = [f"{task}: {name}" for task, found in tasks.items() for name, of in found.items() if not of["within"]]
    for task, found in tasks.items():
        for name, of in found.items():
            print(f"{task:12} {name:24} {of['ratio']:.3f} +- {of['error']:.3f}{'' if of['within'] else '  outside'}")
    if chosen.only:
        print("of one task only: nothing is written")
        return
    if open_:
        print("not finished: the same command goes on; tasks that are, are written")
    outside = [text for text in outside if text.partition(":")[0] not in unfinished]
    record = {
        "what": "mean stated error over the spread of values of independently generated pairs of samples",
        "generated": "toys: tests.benchmarks.coverage says of what",
        "bounds": [LOW, HIGH],
        "replicas": REPLICAS,
        "seeds": {"validation": [FIRST_SEED, 2, chosen.samples], "test": [FIRST_SEED + 1, 2, chosen.samples]},
        "outside": outside,
        "unfinished": unfinished,
        "tasks": {name: found for name, found in tasks.items() if name not in unfinished},
    }
    chosen.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
