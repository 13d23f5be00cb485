"""Time and memory of compiling, simulating and synthesising the largest design of each kind of network on items.

    python -m tests.benchmarks.largest [KIND ...] [--minutes 20] [--stages 1]

Folded into nine clocks, and unrolled with a module for each item. Each stage runs in a process of its own: processor
seconds of it and its children, and the most memory that one of them had. Simulation: 60 events, their gaps and resets
included, Verilator's build counted. A stage that takes longer than 600 s by the clock is stopped, and its row says so.
Each row is kept in ``reports/reference/largest.json`` as soon as it is there, and not measured again; nothing new is
begun after ``--minutes``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import codesign
from codesign.core.errors import CodesignError
from codesign.core.probes import probe_codes
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.graph.reference import qonnx_codes
from codesign.verify.rtl import verify
from tests.graph.item_networks import network

RECORD = Path(__file__).parents[2] / "reports" / "reference" / "largest.json"
TARGET = "vu13p-360"
#: kind, items (rows of an image), fields (channels)
LARGEST: tuple[tuple[str, int, int], ...] = (
    ("deep set, sum", 128, 3),
    ("JEDI-linear", 64, 16),
    ("conv1d", 32, 3),
    ("conv2d, pools", 18, 1),
    ("mixer", 16, 16),
    ("linear attention", 16, 3),
)
INTERVALS = (9, 1)
_EVENTS, _BOUND_S = 60, 600.0


def _settings(interval: int) -> AlkaidSettings:
    return AlkaidSettings(interval=interval) if interval > 1 else AlkaidSettings(modules="items")


def _compile(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = network(key["kind"], key["items"], key["fields"])
    firmware = Alkaid().compile(made, load_target(TARGET), folder / "firmware", _settings(key["asked"]))
    return {"compiled_lut": round(firmware.extra["lut"]), "latency_cycles": firmware.latency_cycles}


def _simulate(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = network(key["kind"], key["items"], key["fields"])
    firmware = Alkaid().load(made, load_target(TARGET), folder / "firmware")
    codes = probe_codes(made.inputs, _EVENTS)[:_EVENTS]
    verdict = verify(firmware, codes, {"exact": qonnx_codes(made, codes)}, folder / "simulation")
    return {"exact": verdict.exact, "interval": verdict.initiation_interval}


def _synthesise(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = network(key["kind"], key["items"], key["fields"])
    firmware = Alkaid().load(made, load_target(TARGET), folder / "firmware")
    found = Alkaid().synthesise(firmware, folder / "yosys", _BOUND_S)
    return {f.quantity: f.value for f in found if f.quantity in ("lut", "ff")} | {"tool": found[0].tool}


STAGES: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "compile": _compile, "simulate": _simulate, "synthesise": _synthesise,
}  # fmt: skip


def _stage(stage: str, key: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One stage in this process: what it found, and what it took."""
    before = time.process_time()
    try:
        found = STAGES[stage](key, folder)
    except CodesignError as error:
        found = {"failed": " ".join(str(error).split())[:200]}
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    seconds = time.process_time() - before + children.ru_utime + children.ru_stime
    return found | {"cpu_seconds": round(seconds, 1), "mb": max(own, children.ru_maxrss) // 1024}


def _tree(root: int) -> dict[int, int]:
    """Clock ticks that a process and all below it have taken so far, by their ids: a tool has a session of its own."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: ticks.get(pid, 0) for pid in found}


def _bounded(stage: str, key: dict[str, Any], folder: str) -> dict[str, Any]:
    """One stage in a process of its own, which is stopped with its children at the bound."""
    command = [sys.executable, "-m", "tests.benchmarks.largest", "--stage", stage, json.dumps(key), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            said, _ = process.communicate(timeout=_BOUND_S)
        except subprocess.TimeoutExpired:
            ticks = _tree(process.pid)
            for pid in ticks:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            spent = round(sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), 1)
            return {"failed": f"over {_BOUND_S:.0f} s", "cpu_seconds": spent}
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def measured(key: dict[str, Any], stages: Sequence[str]) -> dict[str, Any]:
    """A row: these stages, of a network that compiles."""
    row: dict[str, Any] = dict(key)
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages:
            row[stage] = _bounded(stage, key, folder)
            if stage == "compile" and "failed" in row[stage]:
                break
    return row


def _has(row: dict[str, Any], stages: Sequence[str]) -> bool:
    return "failed" in row["compile"] or all(stage in row for stage in stages)


def _took(stage: dict[str, Any] | None) -> str:
    if stage is None:
        return "not begun"
    return stage["failed"] if "failed" in stage else f"{stage['cpu_seconds']:.0f} s, {stage['mb']:,} MB"


def table(record: dict[str, Any]) -> str:
    """Each row as the documentation shows it."""
    heads = ("network", "interval", "compile", "simulate", "synthesise", "LUT, FF")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in sorted(record["rows"], key=lambda r: (r["kind"], r["asked"])):
        stages = [row.get(stage) for stage in STAGES]
        made = stages[-1] or {}
        size = f"{made['lut']:,.0f}, {made['ff']:,.0f}" if "lut" in made else ""
        about = [
            f"{row['kind']} {row['items']} x {row['fields']}",
            str((stages[1] or {}).get("interval", row["asked"])),
        ]
        lines.append(f"| {' | '.join([*about, *map(_took, stages), size])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is not in the record yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--stages", type=int, default=len(STAGES), help="only the first ones, such as 1: compile")
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage, key, folder = options.stage
        print(json.dumps(_stage(stage, json.loads(key), Path(folder))))
        return
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"codesign": codesign.__version__, "rows": []}
    record |= {"target": TARGET, "events": _EVENTS}
    start = time.monotonic()
    for interval in INTERVALS:
        for kind, items, fields in LARGEST:
            key = {"kind": kind, "items": items, "fields": fields, "asked": interval}
            wanted = list(STAGES)[: options.stages]
            done = any(key.items() <= row.items() and _has(row, wanted) for row in record["rows"])
            late = time.monotonic() - start > 60 * options.minutes
            if done or late or (options.kinds and kind not in options.kinds):
                continue
            others = [row for row in record["rows"] if not key.items() <= row.items()]
            record["rows"] = [*others, measured(key, wanted)]
            print(record["rows"][-1], flush=True)
            write_atomically(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
