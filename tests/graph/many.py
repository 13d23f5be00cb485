"""Many random graphs through every domain: ``python -m tests.graph.many [--count 10000] [--start 0] [-o FILE]``.

With ``-o`` the record is written after every batch, and a run that is called again at the same commit goes on with the
batches that are not in it. With ``--gather`` the records of parts become one summary. Ends with 1 where any domain
gives another integer, or anything but a known refusal comes out.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codesign.core.runfolder import write_atomically
from tests.graph.random_graphs import RandomGraph
from tests.graph.tried import tried
from tests.trees import changed, commit_of

#: graphs whose emulators are built in one run of g++
BATCH = 50


def _seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def batch_record(start: int, count: int) -> dict[str, Any]:
    """What became of the graphs of some seeds, with every node that was in them."""
    began = _seconds()
    found = tried(range(start, start + count), "-O2")
    nodes = Counter(n.op_type for seed in range(start, start + count) for n in RandomGraph(seed).nodes)
    return {
        "graphs": count,
        "equal": len(found.equal),
        "refused": dict(Counter(found.refused.values())),
        "faults": {str(seed): fault for seed, fault in found.faults.items()},
        "nodes": dict(nodes),
        "processor_seconds": round(_seconds() - began, 1),
    }


def _together(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "graphs": sum(r["graphs"] for r in records),
        "equal": sum(r["equal"] for r in records),
        "refused": dict(sum((Counter(r["refused"]) for r in records), Counter())),
        "faults": {seed: fault for r in records for seed, fault in r["faults"].items()},
        "nodes": dict(sum((Counter(r["nodes"]) for r in records), Counter()).most_common()),
        "processor_seconds": round(sum(r["processor_seconds"] for r in records)),
    }


def main() -> int:
    """Try them, batch after batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--gather", type=Path, nargs="+", help="records of parts: only write their summary")
    options = parser.parse_args()
    if options.gather:
        parts = [json.loads(path.read_text(encoding="utf-8")) for path in options.gather]
        commits = {f"{min(map(int, p['batches']))}": p["commit"][:12] for p in parts}
        record = {"date": max(p["date"] for p in parts)[:10], **_together(parts), "commit by first seed": commits}
        write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
        return int(bool(record["faults"]))
    commit, batches = commit_of() + "-changed" * changed(), {}
    if options.output is not None and options.output.is_file():
        before = json.loads(options.output.read_text(encoding="utf-8"))
        batches = before["batches"] if before["commit"] == commit else {}
    end = options.start + options.count
    for start in range(options.start, end, BATCH):
        count = min(BATCH, end - start)
        if batches.get(str(start), {}).get("graphs") != count:
            batches[str(start)] = batch_record(start, count)
        whole = _together(list(batches.values()))
        if options.output is not None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            record = {"commit": commit, "date": now, **whole, "batches": batches}
            write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
    print(f"{whole['equal']} equal, {sum(whole['refused'].values())} refused, {len(whole['faults'])} faults")
    for what in ("refused", "faults"):
        for key, value in whole[what].items():
            print(f"{what}: {key}: {value}")
    return int(bool(whole["faults"]))


if __name__ == "__main__":
    raise SystemExit(main())
