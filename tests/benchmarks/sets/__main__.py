"""``make bench-constituents``: networks on the constituents of jets beside HGQ2's JEDI-linear, unrolled and folded.

Both sides get the same training and validation jets, the same three numbers of each constituent on one grid, one thread
and the same processor time, and three times as much, too; networks are chosen on validation jets: of HGQ2's training
three by their operations, of ours for each of those the cheapest that is as accurate. LUTs are Yosys' for
all, accuracies those of the firmware's integers on test jets of a seed that nothing was trained, chosen or tuned on;
differences are paired. HGQ2's networks whose items share their input types are imported and folded, too.

What is measured is kept in ``runs/bench-constituents`` and not measured again; ``reports/reference/
constituents_bench.json`` is written after each number of items, of all that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError, ToolError
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.importing.keras.keras_environment import KERAS
from codesign.rtl.firmware import Firmware
from codesign.statistics.comparison import spread
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tools.yosys import synthesise
from tests.benchmarks.peers import environment
from tests.benchmarks.sets.jets import CARD, FIELDS, TEST_SEED, Jets, jets_of
from tests.benchmarks.sets.ours import THREE_TIMES, chosen, designs_of, settings_at, trainings_of
from tests.benchmarks.sets.picture import draw
from tests.benchmarks.sets.published import anchors
from tests.benchmarks.sets.ratios import Gap, Placed, against, together
from tests.benchmarks.sets.theirs import HGQ2, classes_of, imported, trained, unrolled
from tests.trees import ROOT, commit_of

RECORD = ROOT / "reports" / "reference" / "constituents_bench.json"
PICTURE = ROOT / "docs" / "pictures" / "constituents_bench.svg"
TARGET = load_target("vu13p-360")
#: what is asked of the ratio of LUTs at equal accuracy: at interval 1, and of ours at 9 to theirs at 1
AIMS = {1: 0.5, 9: 0.2}
#: trainings of HGQ2: in words, processor time relative to all of ours, whether items share their input types
THEIRS = (
    ("HGQ2", 1.0, False),
    ("HGQ2, items alike", 1.0, True),
    (f"HGQ2, {THREE_TIMES}", 3.0, False),
)
#: how many times the time all of ours are given
OURS = (1.0, 3.0)


class Bench:
    """One number of items and one seed: its jets, what is measured of each design, and where that is kept."""

    def __init__(self, items: int, seed: int, given: argparse.Namespace) -> None:
        self.items, self.seed, self.given = items, seed, given
        self.folder = _folder(items, seed, given)
        self.jets: Jets = jets_of(items, given.train, given.test, self.folder)
        self.classes: dict[str, NDArray[np.int64]] = {}

    def row(self, key: str, make: Callable[[Path], dict[str, Any]], judge: Callable[[Path], NDArray[Any]]) -> None:
        """Measure a design, once, and the class that it gives each test jet, once for a number of them."""
        place = self.folder / "rows" / key.replace(" ", "-").replace(",", "")
        kept, labels = place / "row.json", _labels(self.folder, key, self.given.test)
        place.mkdir(parents=True, exist_ok=True)
        if not kept.is_file():
            try:
                row = make(place)
            except CodesignError as error:
                row = {"refused": str(error)[:300]}
            kept.write_text(json.dumps({"key": key, "items": self.items, "seed": self.seed} | row), encoding="utf-8")
            print(self.items, key, row, flush=True)
        if not labels.is_file() and "refused" not in json.loads(kept.read_text(encoding="utf-8")):
            np.save(labels, judge(place).astype(np.uint8))

    def ours(self, times: float, scores: Sequence[float]) -> None:
        """Our trainings, and at each interval their cheapest designs that have these accuracies on validation jets."""
        given = [
            own
            for what in trainings_of(self.items, times)
            for own in designs_of(
                self.jets, what, self.given.seconds * times * what.share, self.seed, tuple(AIMS), TARGET,
                self.folder / "ours" / what.name.replace(", ", "-").replace(" ", "-"),
            )
        ]  # fmt: skip
        for interval in AIMS:
            for own in chosen(given, interval, scores):
                named = {"side": "codesign", "training": own.training, **own.facts, "score": round(own.score, 4)}
                self._design(f"{own.name}, interval {interval}", own.design, interval, named, self.jets.test.x)

    def theirs(self, names: Sequence[str]) -> dict[float, list[float]]:
        """HGQ2's trainings of these names and their designs; the accuracies of those on validation jets, by how many
        times the time each was given."""
        scores: dict[float, list[float]] = {1.0: [], 3.0: []}
        for name, times, shared in (each for each in THEIRS if each[0] in names):
            place = self.folder / name.replace(", ", "-").replace(" ", "-")
            seconds, limit = times * self.given.seconds, self.given.limit
            found = trained(self.jets, shared, seconds, self.seed, limit, TARGET, place)
            facts = {k: found[k] for k in ("epochs", "training_seconds", "compilation_seconds")}
            for point in found["points"]:
                named = {"side": "HGQ2", "training": name, "ebops": point["ebops"], **facts}
                scores[times] += [] if "failed" in point else [point["validation_in_training"]]
                if shared and "failed" not in point:
                    design = imported(place / str(point["number"]) / "network.keras")
                    x = self.jets.values(self.jets.test).reshape(len(self.jets.test), -1)
                    key = f"{name} {point['number']}, imported, interval 9"
                    self._design(key, design, 9, named | {"side": "HGQ2 imported"}, x)
                self._circuit(f"{name} {point['number']}, interval 1", point, place, named)
        return scores

    def _design(self, key: str, design: Design, interval: int, named: dict[str, Any], x: NDArray[np.float32]) -> None:
        """A design of ours: through the flow alkaid; judged by its exact graph, which the firmware is compared with."""
        graph, flow = read_graph(design.onnx), Alkaid()

        def scores(part: NDArray[np.float32]) -> NDArray[np.float64]:
            return graph.run(design.inputs.values(design.input_quantisation.codes(part)), Exact())

        def make(place: Path) -> dict[str, Any]:
            firmware = flow.compile(design, TARGET, place / "firmware", settings_at(interval))
            some = x[:4000]
            found = design.outputs.values(flow.predict(firmware, design.input_quantisation.codes(some)))
            wrong = int((found != scores(some)).any(axis=1).sum())
            if wrong:
                raise ToolError(f"{wrong} of {len(some)} jets differ between the firmware and the network: it is wrong")
            row = named | {"interval": interval, "rows_that_differ_of_4000": wrong}
            return row | {"cost": round(float(firmware.extra["lut"]))} | self._synthesised(firmware, place)

        def judge(place: Path) -> NDArray[np.int64]:
            if design.hash not in self.classes:  # whatever the interval
                parts = np.array_split(x, max(1, len(x) // 5000))
                self.classes[design.hash] = np.concatenate([scores(part).argmax(axis=1) for part in parts])
            return self.classes[design.hash]

        self.row(key, make, judge)

    def _circuit(self, key: str, point: dict[str, Any], place: Path, named: dict[str, Any]) -> None:
        """What alkaid made of a network of HGQ2's, judged by alkaid's interpreter."""

        def make(own: Path) -> dict[str, Any]:
            if "failed" in point:
                raise ToolError(point["failed"])
            row = named | {"interval": 1, "cost": round(point["cost"])}
            row |= {"share_that_differs_from_network": point["wrong_on_validation"]}
            return row | self._synthesised(unrolled(point, TARGET, place), own)

        def judge(own: Path) -> NDArray[np.uint8]:
            return classes_of(place / str(point["number"]), self.jets.values(self.jets.test))

        self.row(key, make, judge)

    def _synthesised(self, firmware: Firmware, place: Path) -> dict[str, Any]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures = synthesise(firmware, place / "yosys", self.given.timeout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rtl = firmware.rtl
        assert rtl is not None
        found: dict[str, Any] = {f.quantity: f.value for f in figures if f.quantity in ("lut", "ff", "dsp", "bram")}
        latency = {"latency_cycles": rtl.latency_cycles, "latency_ns": round(rtl.latency_cycles * TARGET.clock_ns, 1)}
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        latency["initiation_interval"] = rtl.initiation_interval
        return found | latency | {"tool": figures[0].tool, "synthesis_seconds": round(seconds, 1)}


def judged(rows: list[dict[str, Any]], jets: Jets, labels_of: Callable[[dict[str, Any]], Path]) -> dict[str, Any]:
    """Accuracies with their errors into ``rows`` of all seeds, and how ours compare with HGQ2's of the same seed."""
    good = [row for row in rows if "refused" not in row]
    if not good:
        return {}
    labels = [np.load(labels_of(row)) for row in good]
    right = (np.stack(labels) == jets.test.y).astype(np.float64)
    replicas = Replicas.of("test", len(jets.test), jets.test.collisions)

    def measure(drawn: DrawnRows) -> dict[str, NDArray[np.float64]]:
        found = drawn.weights @ right.T / drawn.weights.sum(axis=1, keepdims=True)
        return {row["key"]: found[:, i] for i, row in enumerate(good)}

    accuracy = replicas.collect(measure)
    for row in good:
        values = accuracy[row["key"]]
        row |= {"accuracy": round(float(values[0]), 4), "accuracy_error": round(spread(values), 4)}

    def gap(one: str, other: str) -> Gap:
        difference = accuracy[one] - accuracy[other]
        return Gap(float(difference[0]), spread(difference))

    def compared(ours: tuple[str, int, str | None], theirs: tuple[str, int, str | None], aim: float) -> dict[str, Any]:
        """Of side, interval and training (None: any; else its name, or what stands behind a number of items), seed by
        seed."""
        found = []
        for seed in sorted({row["seed"] for row in good}):
            own, other = (
                [
                    Placed(row["key"], row["lut"], float(accuracy[row["key"]][0]))
                    for row in good
                    if row["seed"] == seed
                    and (row["side"], row["interval"]) == (side, interval)
                    and training in (None, row["training"], _time_of(row["training"]))
                ]
                for side, interval, training in (ours, theirs)
            )
            if own and other:
                found.append(against(own, other, gap, aim))
        return together(found) if found else {}

    summary: dict[str, Any] = {}
    for name, times, _ in THEIRS:
        for interval, aim in AIMS.items():
            theirs, own = ("HGQ2", 1, name), ("codesign", interval, "")
            summary[f"ours at {interval}, {name} at 1"] = compared(own, theirs, aim)
            if times > 1:
                own = ("codesign", interval, THREE_TIMES)
                summary[f"ours, {THREE_TIMES}, at {interval}, {name} at 1"] = compared(own, theirs, aim)
    folded = ("HGQ2 imported", 9, None)
    summary["ours at 9, HGQ2 imported at 9"] = compared(("codesign", 9, ""), folded, 1.0)
    summary["HGQ2 imported at 9, itself at 1"] = compared(folded, ("HGQ2", 1, THEIRS[1][0]), 1.0)
    return {name: row for name, row in summary.items() if row}


def _time_of(training: str) -> str:
    """What the name of a training says of its time, '' where it says nothing."""
    return THREE_TIMES if training.endswith(THREE_TIMES) else ""


def _folder(items: int, seed: int, given: argparse.Namespace) -> Path:
    place: Path = given.work / f"{given.train}-{given.seconds:g}" / (f"{items}-seed-{seed}" if seed else f"{items}")
    return place


def _labels(folder: Path, key: str, test: int) -> Path:
    return folder / "rows" / key.replace(" ", "-").replace(",", "") / f"labels-{test}.npy"


def write(given: argparse.Namespace) -> dict[str, Any]:
    """Write the record of all that is there."""
    found: dict[str, Any] = {}
    for items in given.items:
        rows: list[dict[str, Any]] = []
        for seed in given.seeds:
            for file in sorted((_folder(items, seed, given) / "rows").glob("*/row.json")):
                row = {"seed": 0} | json.loads(file.read_text(encoding="utf-8"))
                if "refused" in row or _labels(_folder(items, seed, given), row["key"], given.test).is_file():
                    row["name"] = row["key"]
                    rows.append(row | {"key": row["key"] + (f", seed {seed}" if seed else "")})
        if not rows:
            continue
        own = _folder(items, given.seeds[0], given)

        def labels_of(row: dict[str, Any], items: int = items) -> Path:
            return _labels(_folder(items, row["seed"], given), row["name"], given.test)

        summary = judged(rows, jets_of(items, given.train, given.test, own), labels_of)
        missing = [
            f"{name}, seed {seed}"
            for name in [*(t.name for n in OURS for t in trainings_of(items, n)), *(name for name, _, _ in THEIRS)]
            for seed in given.seeds
            if not any(row.get("training") == name and row["seed"] == seed for row in rows)
        ]
        for row in rows:
            del row["name"]
        found[str(items)] = {"summary": summary, "not_measured": missing, "designs": rows}
    record = {
        "command": "make bench-constituents",
        "commit": commit_of(),
        "jets": {"card": CARD, "train_and_validation": given.train, "test": given.test, "seed_of_test": TEST_SEED},
        "fields": list(FIELDS),
        "target": {"name": TARGET.name, "stage_delay": TARGET.stage_delay, "clock_ns": TARGET.clock_ns},
        "seconds": given.seconds,
        "training": {
            "codesign": {
                t.name: t.config | {"items": t.items, "share": t.share}
                for items in given.items
                for times in OURS
                for t in trainings_of(items, times)
            },
            "hgq2": HGQ2,
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "versions": {n: version(n) for n in ("codesign", "torch", "brevitas", "alkaid", "pyosys")}
        | {f"HGQ2's {n}": environment.pinned()[n] for n in ("hgq2", "jax", "keras", "alkaid")},
        "items": found,
        "published": anchors(_folder(0, 0, given).parent, TARGET, given.timeout) if given.published else [],
    }
    write_atomically(given.output, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, PICTURE if given.output == RECORD else given.output.with_suffix(".svg"))
    return record


def main() -> None:
    """Measure what is not there, and write after each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[32])
    parser.add_argument("--train", type=int, default=50000, help="jets to train on and choose by")
    parser.add_argument("--test", type=int, default=100000, help="jets to judge on")
    parser.add_argument("--seconds", type=float, default=40, help="processor time of all our trainings for a number")
    parser.add_argument("--ours", type=float, nargs="+", default=list(OURS), choices=OURS, help="times that time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--hgq2", nargs="+", default=[name for name, _, _ in THEIRS], help="trainings of HGQ2's")
    parser.add_argument("--limit", type=int, default=3, help="networks of each training of HGQ2")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one synthesis")
    parser.add_argument("--published", action="store_true", help="the public checkpoints' cost, too")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "bench-constituents")
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    start = time.process_time()
    if any(shared for name, _, shared in THEIRS if name in given.hgq2):
        KERAS.install()  # what reads HGQ2's networks is there before the first of them is trained
    for items in given.items:
        for seed in given.seeds:
            bench = Bench(items, seed, given)
            scores = bench.theirs(given.hgq2)
            for times in given.ours:  # at once the time also for what theirs of three times reach
                bench.ours(times, scores[times] if times > 1 else [s for each in scores.values() for s in each])
                record = write(given)
    for items, own in record["items"].items():
        for name, row in own["summary"].items():
            print(items, name, {k: v for k, v in row.items() if k != "rows"})
    print(f"{time.process_time() - start:.0f} s of this process; {given.output}")


if __name__ == "__main__":
    main()
