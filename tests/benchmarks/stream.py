"""``python -m tests.benchmarks.stream BUNDLE EVENTS... [--shifted FILE ...]``: the 40 MHz stream of one bundle.

EVENTS are zero bias as ``codesign data make zero-bias`` gives it. Sixty seconds at 40 MHz, as they are; with one
threshold, and with one weight of the emulator changed on purpose; with pile-up that falls over a fill; the events of
``--shifted`` instead; and some seconds in which every collision is drawn and computed. Writes
``reports/reference/stream.json``; a part that is there already for the same bundle and events is not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core.design import Design
from codesign.core.runfolder import write_atomically
from codesign.handoff.apply import Scorer
from codesign.handoff.check import read_manifest
from codesign.handoff.emulator import Emulator
from codesign.handoff.stream import StreamRecord, StreamSettings, processors, stream_bundle, stream_job
from codesign.handoff.stream.event_pool import EventPool
from tests.trees import ROOT, commit_of

__all__ = ("row",)

RECORD = ROOT / "reports" / "reference" / "stream.json"
_SECONDS, _BUDGET_HZ, _EVERY_S = 60.0, 30e3, 0.5
_PILE_UP = (55.0, 42.0)


def row(record: StreamRecord) -> dict[str, Any]:
    """What is kept of a stream."""
    (path, *_) = record.paths
    found: dict[str, Any] = {
        "simulated_s": round(record.simulated_s, 6),
        "distinct_events": record.distinct_events,
        "collisions": sum(s.collisions for s in record.sections),
        "fires_hz": [round(path.fires, 1), round(path.error, 1)],
        "accepted_hz": round(record.accepted_hz, 1),
        "dead_time": round(record.dead_time, 5),
        "compared": {
            c.how: {"events": c.events, "integers_differ": c.integers_differ, "bits_differ": c.bits_differ}
            for c in record.compared
        },
        "alarms": {k.split()[0]: sum(a.kind == k for a in record.alarms) for k in ("firmware differs", "drift")},
        "largest_psi": round(max(d.psi for d in record.drift), 4),
        "wall_s": round(record.wall_s, 1),
        "times_real_time": round(record.times_real_time, 3),
        "emulated_per_s": round(record.emulated_per_s),
        "emulated_times_real_time": round(record.emulated_times_real_time, 4),
        "cores": record.cores,
    }
    if record.pile_up is not None:
        ends = record.sections[0], record.sections[-1]
        found["pile_up"] = [round(s.pile_up or 0, 1) for s in ends]
        found["fires_hz_then"] = [round(s.fired / s.seconds, 1) for s in ends]
    if record.tuned is not None:
        found["threshold"] = [record.tuned.low_code, record.tuned.threshold_code, record.tuned.high_code]
    return found


def _read_and_compile_once() -> None:
    """Events, emulators and firmware are the same in most parts; none of it is in what is timed."""
    read, compile_ = stream_job.pool_of, processors.built_emulator
    pools: dict[tuple[str, ...], EventPool] = {}
    emulators: dict[str, Emulator] = {}

    def pool_of(scorer: Scorer, files: Sequence[str], tree: str | None = None) -> EventPool:
        if tuple(files) not in pools:
            pools[tuple(files)] = read(scorer, files, tree)
        return pools[tuple(files)]

    def built_emulator(design: Design, flags: str = "") -> Emulator:
        if design.hash not in emulators:
            emulators[design.hash] = compile_(design, flags)
        return emulators[design.hash]

    stream_job.pool_of, processors.built_emulator = pool_of, built_emulator


def main() -> None:
    """Measure, and write after each part."""
    _read_and_compile_once()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("events", nargs="+")
    parser.add_argument("--shifted", nargs="+", default=[], help="files of other events, such as ttbar")
    parser.add_argument("-o", "--output", type=Path, default=RECORD)
    options = parser.parse_args()
    manifest = read_manifest(options.bundle)
    files = [hashlib.sha256(Path(f).read_bytes()).hexdigest()[:16] for f in [*options.events, *options.shifted]]
    facts = {
        "study": manifest.study, "trial": manifest.trial, "design": manifest.design, "rate_hz": 40e6,
        "budget_hz": _BUDGET_HZ, "files": hashlib.sha256(" ".join(files).encode()).hexdigest()[:16],
        "versions": {name: version(name) for name in ("codesign", "numpy", "alkaid")},
    }  # fmt: skip
    report: dict[str, Any] = json.loads(options.output.read_text()) if options.output.is_file() else {}
    if {k: report.get(k) for k in facts} != facts:
        report = {**facts, "streams": {}}
    usual = {"files": tuple(options.events), "seconds": _SECONDS, "budget_hz": _BUDGET_HZ}
    parts: dict[str, dict[str, Any]] = {
        "as-it-is": usual | {"rtl": 256},
        "threshold-changed": usual | {"plant": "threshold"},
        "weight-changed": usual | {"plant": "weight", "rtl": 256},
        "pile-up-falls": usual | {"pile_up": _PILE_UP},
        "every-collision": usual | {"seconds": _EVERY_S, "every": True},
    }
    if options.shifted:
        parts["other-events"] = usual | {"files": tuple(options.shifted), "seconds": 1.0, "budget_hz": 3e6}
    for name, settings in parts.items():
        if name in report["streams"]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = row(stream_bundle(options.bundle, StreamSettings(**settings), Path(folder, "stream")))
        report["streams"][name] = found
        report |= {"commit": commit_of(), "date": datetime.now(UTC).date().isoformat()}
        write_atomically(options.output, (json.dumps(report, indent=1) + "\n").encode())
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
