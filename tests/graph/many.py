"""Many random graphs through every domain: ``python -m tests.graph.many [--count 10000] [--start 0] [-o FILE]``.

Ends with 1 where any domain gives another integer, or anything but a known refusal comes out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.graph.random_graphs import RandomGraph
from tests.graph.test_random_graphs import tried
from tests.trees import commit_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    outcomes: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    faults: dict[int, str] = {}
    began = time.process_time()
    for seed in range(options.start, options.start + options.count):
        try:
            outcomes[tried(seed)] += 1
            operators.update(n.op_type for n in RandomGraph(seed).nodes)
        except Exception as error:  # every kind of it is what this looks for
            faults[seed] = f"{type(error).__name__}: {error}"[:300]
    record = {
        "commit": commit_of(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": [options.start, options.start + options.count],
        "graphs": options.count,
        "outcomes": dict(outcomes),
        "faults": faults,
        "nodes": dict(operators.most_common()),
        "processor_seconds": round(time.process_time() - began),
    }
    print(f"{outcomes['equal']} equal, {options.count - outcomes['equal'] - len(faults)} refused, {len(faults)} faults")
    if options.output is not None:
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
