"""``python -m tests.benchmarks.apply_rate BUNDLE``: rows per second and memory of ``codesign apply``.

Writes a Parquet table of features (by default ten million rows) and one of a hundredth of it, scores both with the
command in a process of its own, and prints JSON: rate, and the peak of what is resident, for either. Memory is bounded
where the two peaks hardly differ. The record goes into ``reports/reference/handoff.json`` as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from codesign.handoff.check import read_manifest
from tests.benchmarks.handoff_record import put

_AT_ONCE = 200_000
#: in a process of its own, VmHWM [kB] is the peak of what is resident
_COMMAND = """
import sys
from pathlib import Path
from codesign.cli import app
app(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def _batches(bundle: Path, rows: int) -> Iterator[pyarrow.RecordBatch]:
    """Features spread evenly over what each input can take."""
    inputs = read_manifest(bundle).inputs
    random = np.random.default_rng(1)
    for first in range(0, rows, _AT_ONCE):
        n = min(_AT_ONCE, rows - first)
        columns: dict[str, Any] = {
            s.name: (s.offset + s.step * random.uniform(s.minimum, s.maximum, n)).astype(np.float32) for s in inputs
        }
        columns["event"] = np.arange(first, first + n)
        yield pyarrow.RecordBatch.from_pydict(columns)


def _table(bundle: Path, path: Path, rows: int) -> None:
    batches = _batches(bundle, rows)
    first = next(batches)
    with pyarrow.parquet.ParquetWriter(path, first.schema, compression="lz4") as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def apply_rate(bundle: Path, work: Path, rows: int) -> dict[str, Any]:
    """Rate and memory of a table of ``rows`` rows and of one of a hundredth."""
    found: dict[str, Any] = {"threads": len(os.sched_getaffinity(0))}
    for name, size in (("small", max(1, rows // 100)), ("large", rows)):
        source, scores = work / f"{name}.parquet", work / f"{name}-scores.parquet"
        _table(bundle, source, size)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, "apply", str(bundle), str(source), "-o", str(scores), "--json"],
            capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        seconds = time.perf_counter() - start
        (record,) = json.loads(done.stdout)
        found[name] = {
            "rows": record["rows"],
            "seconds": round(seconds, 2),
            "rows_per_second": round(record["rows"] / seconds),
            "peak_mb": round(int(done.stderr.split()[-1]) * 1024 / 1e6),
        }
        source.unlink()
        scores.unlink()
    return found


def main() -> None:
    """Print the record as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codesign-bench-") as work:
        found = apply_rate(options.bundle, Path(work), options.rows)
    put(found, "apply")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
