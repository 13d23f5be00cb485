"""What folding saves: look-up tables and registers by Yosys of random networks, folded and unrolled; and what it takes.

    python -m tests.benchmarks.folding [KIND ...] [--items N] [--interval I]

Networks as in ``tests/graph/item_networks.py``: 4-bit weights half of them zero, 5-bit activations, 6-bit inputs, 16
neurons. Unrolled is a module for each item (``modules: items``), of which Yosys sees one. Each row is kept in
``reports/reference/folding.json`` as soon as it is measured, and not measured again. Each has a process of its own,
whose processor seconds and memory are those of compiling, and of Yosys.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import codesign
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from tests.graph.item_networks import network

RECORD = Path(__file__).parents[2] / "reports" / "reference" / "folding.json"
TARGET = "vu13p-360"
#: kind, items, fields, interval
ROWS: tuple[tuple[str, int, int, int], ...] = (
    ("deep set, sum", 8, 3, 9),
    ("deep set, sum", 16, 3, 9),
    ("deep set, sum", 32, 3, 9),
    ("deep set, sum", 64, 3, 9),
    ("deep set, sum", 128, 3, 9),
    ("deep set, max", 32, 3, 9),
    ("deep set, validity bit", 32, 3, 9),
    ("JEDI-linear", 8, 3, 9),
    ("JEDI-linear", 16, 3, 9),
    ("JEDI-linear", 16, 3, 3),
    ("JEDI-linear", 32, 3, 9),
    ("JEDI-linear", 32, 3, 3),
    ("JEDI-linear", 32, 16, 9),
    ("JEDI-linear", 64, 3, 9),
    ("JEDI-linear", 128, 3, 9),
    ("JEDI-linear", 64, 16, 9),
    ("JEDI-linear, two layers", 32, 3, 9),
    ("conv1d", 32, 3, 9),
    ("conv1d, max", 32, 3, 9),
    ("mixer", 16, 16, 9),
)
#: seconds for one synthesis
LIMIT = 900


def measured(kind: str, items: int, fields: int, interval: int, folder: Path) -> dict[str, Any]:
    """One design by Yosys; ``interval`` 1 is unrolled."""
    beats = {"interval": interval, "transport": "beats"} if interval > 1 else {"modules": "items"}
    flow, start = Alkaid(), time.process_time()
    made = network(kind, items, fields)
    settings = AlkaidSettings.model_validate(beats)
    firmware = flow.compile(made, load_target(TARGET), folder / "firmware", settings)
    compiled, memory = time.process_time() - start, _peak()
    found = flow.synthesise(firmware, folder / "yosys", LIMIT)
    figures, own = {f.quantity: f.value for f in found}, resource.getrusage(resource.RUSAGE_CHILDREN)
    rtl = firmware.rtl
    assert rtl is not None
    return {
        "kind": kind, "items": items, "fields": fields, "asked": interval, "interval": rtl.initiation_interval,
        "latency_cycles": firmware.latency_cycles, "compiled_lut": round(firmware.extra["lut"]),
        "compiled_ff": firmware.extra["ff"], **{q: figures[q] for q in ("lut", "ff", "dsp", "bram")},
        "tool": found[0].tool, "compile_cpu_seconds": round(compiled, 1), "compile_mb": memory,
        "synthesis_cpu_seconds": round(own.ru_utime + own.ru_stime, 1), "synthesis_mb": own.ru_maxrss // 1024,
    }  # fmt: skip


def _peak() -> int:
    """Most memory that this process had, in MB; VmHWM, as ru_maxrss would be that of who started it."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


def _apart(key: dict[str, Any]) -> dict[str, Any]:
    """A row, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.folding", "--row", json.dumps(key)], stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure what is not in the record yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--items", type=int)
    parser.add_argument("--interval", type=int, help="only this one; 1: unrolled")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(*options.row.values(), Path(folder))))
        return
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"codesign": codesign.__version__, "rows": []}
    wanted = list(dict.fromkeys(r for k, n, f, i in ROWS for r in ((k, n, f, i), (k, n, f, 1))))
    for kind, items, fields, interval in wanted:
        if (options.kinds and kind not in options.kinds) or (options.items and items != options.items):
            continue
        if options.interval and interval != options.interval:
            continue
        key = {"kind": kind, "items": items, "fields": fields, "asked": interval}
        if any(key.items() <= row.items() for row in record["rows"]):
            continue
        row = _apart(key)
        print(row, flush=True)
        record["rows"].append(row)
        write_atomically(RECORD, (json.dumps(record, indent=1) + "\n").encode())
    by = {(r["kind"], r["items"], r["fields"], r["asked"]): r for r in record["rows"]}
    for (kind, items, fields, interval), row in by.items():
        whole = by.get((kind, items, fields, 1))
        if interval > 1 and whole is not None:
            print(f"{kind} {items} x {fields}, interval {row['interval']}: {row['lut']:g} of {whole['lut']:g} LUT, "
                  f"ratio {whole['lut'] / row['lut']:.2f}, FF {row['ff']:g}, latency {row['latency_cycles']} "
                  f"({whole['latency_cycles']})")  # fmt: skip


if __name__ == "__main__":
    main()
