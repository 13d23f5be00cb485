"""Families on items and images through every flow: reports/reference/items.json.

    python -m tests.benchmarks.item_flows [--only deepsets,...] [--minutes 15] [--output FILE]

Of each family a small network is trained with a channel that never fires, dead rows and absent items. Its integers are
compared: exact arithmetic, Brevitas, QONNX, alkaid's interpreter, the C++ emulator, standard ONNX and the simulated RTL
at interval 1, and the RTL folded at 3 and 9; hls4ml and FINN where they are there. These two are also given a network
that has no validity (``absent: code``), as chains of layers can have none. What is refused is recorded with the reason.
Written after each entry; what is there already is not made again, and nothing new is begun after ``--minutes``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError
from codesign.core.targets import load_target
from codesign.families.conv1d.family import Conv1d
from codesign.families.conv2d.family import Conv2d
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.flows.base import Flow
from codesign.flows.finn.flow import Finn
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.graph.cost import graph_cost
from codesign.testing.cases import Case
from codesign.testing.conformance import conforms
from tests.blocks.codes import codes_everywhere
from tests.families.items.dead import one_dead
from tests.families.items.networks import FAMILIES, Made, image, items, made
from tests.trees import ROOT, commit_of

__all__ = ("RECORD", "measured", "table")

RECORD = ROOT / "reports" / "reference" / "items.json"

#: models whose integers are compared at interval 1
EVERYWHERE = ("Brevitas", "QONNX", "alkaid", "C++ emulator", "standard ONNX", "RTL simulation")
TARGET = "vu13p-360"
OWN: dict[type, dict[str, Any]] = {Conv1d: {"kernel": 3}, Conv2d: {"pool": "flatten", "depthwise": True, "stride": 2}}


def _everywhere(found: Made, folder: Path) -> dict[str, Any]:
    codes_everywhere(found.network, found.design, found.toy.x, folder, distinct=5)
    return {"equal": list(EVERYWHERE), "events": 500}


def _through(flow: Flow, settings: AlkaidSettings | None, found: Made, folder: Path) -> dict[str, Any]:
    if not (there := flow.available()).available:
        return {"absent": there.reason}
    case = Case("trained", lambda: found.design)
    outcome = conforms(flow, case, load_target(TARGET), folder, settings, events=200)
    if outcome.refused is not None:
        return {"refused": outcome.refused}
    verdict = outcome.verified
    assert verdict is not None
    return {
        "equal": [flow.model, verdict.proven],
        "events": verdict.events,
        "latency_cycles": verdict.latency_cycles,
        "initiation_interval": verdict.initiation_interval,
        "tool": f"{verdict.tool} {verdict.version}".strip(),
    }


#: what each family is tried with
ENTRIES: dict[str, Callable[[Made, Path], dict[str, Any]]] = {
    "interval 1": _everywhere,
    "interval 3": partial(_through, Alkaid(), AlkaidSettings(interval=3)),
    "interval 9": partial(_through, Alkaid(), AlkaidSettings(interval=9)),
    "hls4ml": partial(_through, Hls4ml(), None),
    "finn": partial(_through, Finn(), None),
    "hls4ml, absent items as zeros": partial(_through, Hls4ml(), None),
    "finn, absent items as zeros": partial(_through, Finn(), None),
}


def measured(entry: str, found: Made) -> dict[str, Any]:
    """One entry: what is equal, or why not."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        try:
            row = ENTRIES[entry](found, Path(folder))
        except CodesignError as error:
            row = {"refused": str(error).splitlines()[0]}
        except AssertionError as error:  # what shall not be: it stays in the record until it is mended
            row = {"differs": str(error).splitlines()[0] if str(error) else "the integers"}
    return row | {"seconds": round(time.process_time() - start, 1)}


def _said(row: dict[str, Any], refused: bool = True) -> str:
    """An entry in the words of the documentation."""
    if "equal" in row:
        clocks = "" if row.get("latency_cycles") is None else f" {row['latency_cycles']}, {row['initiation_interval']}"
        return f"={clocks}"
    if "refused" in row:
        why = str(row["refused"]).removeprefix("flow hls4ml: ").removeprefix("flow finn: ")
        return f"no: {why.replace(' cannot be folded:', '').partition(';')[0]}" if refused else "no"
    return "**not equal**" if "differs" in row else "not there"


def table(record: dict[str, Any]) -> str:
    """Families by flows, as the documentation shows them."""
    heads = ("family", "interval 1, six models", "folded, 3", "folded, 9", "hls4ml; without a validity",
             "FINN; without a validity")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for family in FAMILIES:
        rows = record["families"][family.name]
        cells = [_said(rows[entry]) for entry in ("interval 1", "interval 3", "interval 9")]
        for flow in ("hls4ml", "finn"):
            plain = _said(rows[f"{flow}, absent items as zeros"])
            cells.append(f"{_said(rows[flow], refused=False)}; {plain}")
        lines.append(f"| `{family.name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Make what is not there, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="families, by comma")
    parser.add_argument("--minutes", type=float, default=15, help="nothing new is begun after so many")
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    record: dict[str, Any] = json.loads(given.output.read_text()) if given.output.is_file() else {"families": {}}
    chosen = [f for f in FAMILIES if not given.only or f.name in given.only.split(",")]
    start = time.monotonic()
    for family in chosen:
        rows = record["families"].setdefault(family.name, {})
        left = [entry for entry in ENTRIES if entry not in rows]
        if not left:
            continue
        found = {
            masked: made(family, image() if family.axes == 3 else items(5, masked), one_dead, OWN.get(family))
            for masked in {"zeros" not in entry for entry in left}
        }
        if True in found:
            rows["bit_operations"] = graph_cost(found[True].design).bit_operations
        for entry in left:
            if time.monotonic() - start > 60 * given.minutes:
                return
            rows[entry] = measured(entry, found["zeros" not in entry])
            record |= {"target": TARGET, "date": datetime.now(UTC).date().isoformat(), "commit": commit_of()}
            given.output.write_text(json.dumps(record, indent=1) + "\n")
            print(family.name, entry, json.dumps(rows[entry]), flush=True)


if __name__ == "__main__":
    main()
