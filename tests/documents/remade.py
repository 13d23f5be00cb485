"""``python -m tests.documents.remade``: records drawn by the commit's hash are made anew, and compared.

The hash puts the records in an order. Of these, the first are taken whose command asks for no file and ends within the
bound; the others are named with the reason. A command runs in a clone of the commit, where its record is not. Each
number of the kept record is then equal in the new one, or agrees within three times the errors that stand beside
both, or differs. Times, rates and sizes of memory are the machine's: they are shown, and not judged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.documents.numbers import RECORDS
from tests.documents.records import MADE_BY
from tests.trees import both, commit_of

__all__ = ("Comparison", "compare", "order")

#: how many of its errors two values of one figure may be apart
MOST_ERRORS = 3.0
#: words of keys whose numbers are the machine's
_MACHINE = re.compile(
    r"second|minute|hour|rate|memory|mb$|bytes|_ms|_us$|_ns$|load|date|commit|version|time|speed|processor|ratio|cpu",
    re.IGNORECASE,
)
#: where a command leaves what is kept as a record
_ELSEWHERE = {"front.json": "runs/jet-tagger/front.json"}
_FILE_WANTED = re.compile(r"\b[A-Z]{3,}\b")


@dataclass
class Comparison:
    """What became of one record that was made anew."""

    record: str
    command: str
    equal: int = 0
    within: int = 0
    machine: int = 0
    #: where it differs: place, kept, new
    differs: list[tuple[str, Any, Any]] = field(default_factory=list)
    failed: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it was made, and no figure of it differs."""
        return not self.failed and not self.differs


def order(commit: str, names: Sequence[str]) -> list[str]:
    """The names in the order that a commit's hash gives them."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{commit}/{name}".encode()).hexdigest())


def compare(kept: Any, new: Any, found: Comparison, place: str = "") -> None:
    """Count into ``found`` what of two records is equal, agrees within errors, and differs."""
    if isinstance(kept, dict) and isinstance(new, dict):
        for key in kept | new:
            inner = f"{place}/{key}"
            if key not in kept or key not in new:
                found.differs.append((inner, kept.get(key), new.get(key)))
            elif _agree(kept, new, key):
                found.within += 1
            else:
                compare(kept[key], new[key], found, inner)
    elif isinstance(kept, list) and isinstance(new, list) and len(kept) == len(new):
        for number, (one, other) in enumerate(zip(kept, new, strict=True)):
            compare(one, other, found, f"{place}/{number}")
    elif kept == new:
        found.equal += 1
    elif any(_MACHINE.search(part) for part in place.split("/")):
        found.machine += 1
    else:
        found.differs.append((place, kept, new))


def _agree(kept: dict[str, Any], new: dict[str, Any], key: str) -> bool:
    """Whether two values that have errors are within those; not so where they are equal."""
    errors = [record.get(name) for record in (kept, new) for name in ("error", f"{key}_error") if name in record]
    if key.endswith("error") and _number(kept[key]) and _number(new[key]):
        return kept[key] != new[key]  # an error is itself known to some percent only: it is not judged
    values = [kept[key], new[key]]
    if not errors or not all(map(_number, [*errors, *values])) or values[0] == values[1]:
        return False
    return abs(values[0] - values[1]) <= MOST_ERRORS * math.hypot(*errors)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _made_anew(name: str, commit: str, seconds: float) -> Comparison:
    command = MADE_BY[name][1]
    found = Comparison(name, command)
    words = [sys.executable if word == "python" else word for word in shlex.split(command)]
    if words[0] == "make":
        words.append("--old-file=.venv/.ready")  # this environment is used, and not set up
    with both(commit) as (base, _):
        (base.folder / ".venv").symlink_to(Path(sys.prefix))
        made = base.folder / "reports/reference" / name
        kept = json.loads(made.read_text(encoding="utf-8"))
        made.unlink()
        environment = os.environ | {"PYTHONPATH": str(base.folder)}
        try:
            done = subprocess.run(
                words, cwd=base.folder, env=environment, timeout=seconds, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            found.failed = f"not made within {seconds:g} s"
            return found
        if name in _ELSEWHERE and (base.folder / _ELSEWHERE[name]).exists():
            made = base.folder / _ELSEWHERE[name]
        if not made.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            found.failed = said[-1] if said else f"exit code {done.returncode}, and no record"
            return found
        compare(kept, json.loads(made.read_text(encoding="utf-8")), found)
    return found


def _drawn(commit: str) -> Iterator[tuple[str, str]]:
    """Records in the commit's order, and why one is passed over."""
    for name in order(commit, sorted(MADE_BY)):
        wanted = _FILE_WANTED.search(MADE_BY[name][1])
        yield name, f"its command asks for a {wanted[0].lower()}" if wanted else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2, help="records to make (default 2)")
    parser.add_argument("--seconds", type=float, default=1800, help="of one record, at most (default 1800)")
    parser.add_argument("-o", "--output", type=Path, default=RECORDS / "remade.json")
    options = parser.parse_args()
    commit = commit_of()
    made: list[Comparison] = []
    passed: dict[str, str] = {}
    for name, why in _drawn(commit):
        if sum(not c.failed for c in made) == options.count:
            break
        if why:
            passed[name] = why
            continue
        print(f"{name}: {MADE_BY[name][1]}", flush=True)
        made.append(_made_anew(name, commit, options.seconds))
        last = made[-1]
        print(last.failed or f"{last.equal} equal, {last.within} within errors, {len(last.differs)} differ", flush=True)
        for place, kept, new in last.differs[:20]:
            print(f"  {place}: {kept} kept, {new} now", flush=True)
    record = {"commit": commit, "passed_over": passed, "made": [asdict(c) | {"agrees": c.agrees} for c in made]}
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(c.agrees for c in made if not c.failed))


if __name__ == "__main__":
    main()
