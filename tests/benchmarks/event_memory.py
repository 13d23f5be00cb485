"""``python -m tests.benchmarks.event_memory``: memory and speed of reading ten million events in chunks.

Writes a ROOT file in NanoAOD's branch names (a few numbers an event, so that it is made in about a minute), and reads
it in a subprocess: the peak of what is resident there, beside that of reading a file of a hundredth of the size (one
chunk, and the libraries). Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from codesign.physics.events import write_events

CHUNK = "100 MB"
FIELDS = ("run", "event", "Jet", "PuppiMET")
#: A process of its own, so that nothing but reading is in its memory: VmHWM [kB] is the peak of what is resident
#: (ru_maxrss would hold that of the process that started it).
READER = """
import json, sys, time
from pathlib import Path
from codesign.physics.events import read_events
start = time.perf_counter()
events = chunks = 0
for chunk in read_events(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]):
    events += len(chunk)
    chunks += 1
seconds = time.perf_counter() - start
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"events": events, "chunks": chunks, "seconds": seconds, "peak_mb": peak * 1024 / 1e6}))
"""


def generated(events: int, seed: int = 1, at_once: int = 200_000) -> Iterator[Any]:
    """Chunks of toy events with about three jets each."""
    random = np.random.default_rng(seed)
    for first in range(0, events, at_once):
        n = min(at_once, events - first)
        counts = random.poisson(3, n)
        size = int(counts.sum())
        jets = ak.Array(
            {
                "pt": (random.standard_exponential(size, dtype=np.float32) * 30 + 15),
                "eta": random.random(size, dtype=np.float32) * 10 - 5,
                "phi": random.random(size, dtype=np.float32) * 6 - 3,
            }
        )
        met = ak.Array({"pt": random.standard_exponential(n, dtype=np.float32) * 30, "phi": np.zeros(n, np.float32)})
        yield ak.Array(
            {
                "run": np.full(n, 1, dtype=np.uint32),
                "event": np.arange(first, first + n, dtype=np.uint64),
                "Jet": ak.unflatten(jets, counts),
                "PuppiMET": met,
            }
        )


def read(path: Path) -> dict[str, Any]:
    """What the reading process says of itself."""
    command = [sys.executable, "-c", READER, str(path), json.dumps(FIELDS), CHUNK]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def event_memory(work: Path, events: int = 10_000_000) -> dict[str, Any]:
    """Peak memory of reading ``events`` in chunks, and of a file of a hundredth; events per second."""
    start = time.perf_counter()
    write_events(work / "large.root", generated(events))
    writing = time.perf_counter() - start
    write_events(work / "small.root", generated(max(1, events // 100)))
    large, small = read(work / "large.root"), read(work / "small.root")
    # numbers of an event: run, event, MET, and three jets with their offsets
    inflated = events * (4 + 8 + 8 + 3 * 12 + 4)
    return {
        "events": large["events"],
        "chunk": CHUNK,
        "chunks": large["chunks"],
        "file_mb": round((work / "large.root").stat().st_size / 1e6),
        "columns_mb": round(inflated / 1e6),
        "peak_mb": round(large["peak_mb"]),
        "peak_mb_of_a_hundredth": round(small["peak_mb"]),
        "read_events_per_second": round(large["events"] / large["seconds"]),
        "written_events_per_second": round(events / writing),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codesign-bench-") as folder:
        print(json.dumps(event_memory(Path(folder), options.events), indent=1))


if __name__ == "__main__":
    main()
