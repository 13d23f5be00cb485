"""``python -m tests.nightly [PART ...]``: what takes too long for every change, in parts of at most 40 minutes.

Each part is a command with a time limit. What became of it stands in ``runs/nightly/<commit>.json`` with its date, and
what it printed beside that in a folder of the same name. Called again at the same commit, it goes on with the parts
that are not there yet; a part that is named runs again. A part whose module does not exist is left out, and said.

Of each part the last run at a clean commit stands in ``reports/reference/nightly.json`` with that commit, and in the
documentation's page of evidence, which says of an older one that it is.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError
from codesign.core.runfolder import write_atomically
from tests.benchmarks.examples import studies_of_examples
from tests.trees import ROOT, changed, commit_of

RUNS = ROOT / "runs" / "nightly"
#: of each part, its last run
LAST = ROOT / "reports" / "reference" / "nightly.json"
MOST_SECONDS = 2400
_NO_TESTS = 5  # pytest's exit code where nothing was selected


@dataclass(frozen=True)
class Part:
    """A command of this Python, for at most ``seconds``; ``fine`` are its exit codes where all is well."""

    name: str
    arguments: tuple[str, ...]
    seconds: int = MOST_SECONDS
    fine: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        assert 0 < self.seconds <= MOST_SECONDS

    @property
    def absent(self) -> bool:
        """Whether its module does not exist here."""
        if self.arguments[0] != "-m":
            return False
        try:
            return importlib.util.find_spec(self.arguments[1]) is None
        except ModuleNotFoundError:
            return True


#: random graphs of a part: ten thousand in all, each about a quarter of a second of a core
_GRAPHS = 2000


def _random_graphs(start: int) -> Part:
    arguments = ("-m", "tests.graph.many", "--start", str(start), "--count", str(_GRAPHS))
    return Part(f"random-graphs-{start}", (*arguments, "-o", f"runs/nightly/random-graphs-{start}.json"))


def _example(name: str) -> Part:
    """A worked example as a user runs it; its record and picture stay with the night."""
    arguments = ("--runs", "runs/nightly/examples", "--output", "runs/nightly/examples.json")
    return Part(f"example-{name}", ("-m", "tests.benchmarks.examples", name, *arguments))


def _slow(name: str, *arguments: str) -> Part:
    return Part(f"slow-{name}", ("-m", "pytest", "-q", "-n", "0", "-m", "slow", *arguments), fine=(0, _NO_TESTS))


#: files whose slow tests take longer than a part: what is selected in each of their parts
_DIVIDED: dict[str, dict[str, str]] = {
    "tests/flows/test_folding.py": {
        "folding-kinds": "test_every_kind_in_simulation",
        "folding-others": "not test_every_kind_in_simulation",
    },
    "tests/security/damage/test_damage.py": {
        "damage-run": "test_every_damage_of_a_run and not trials",
        "damage-trials": "test_every_damage_of_a_run and trials",
        "damage-bundle": "not test_every_damage_of_a_run",
    },
    "tests/conformance/test_conformance.py": {
        "alkaid": "test_alkaid_simulated",
        "finn": "test_finn or through_finn",
        "hls4ml": "test_hls4ml and not strategies or through_hls4ml",
        "hls4ml-latency": "test_hls4ml_strategies and distributed_arithmetic and not io_stream",
        "hls4ml-resource": "test_hls4ml_strategies and resource and not io_stream",
        "hls4ml-stream-arithmetic": "test_hls4ml_strategies and distributed_arithmetic and io_stream",
        "hls4ml-stream-resource": "test_hls4ml_strategies and resource and io_stream",
    },
}


def slow_parts() -> list[Part]:
    """The slow tests: a part for each folder in tests, one for the files beside them, and the divided files."""
    ignored = [f"--ignore={file}" for file in _DIVIDED]
    folders = sorted(p.name for p in (ROOT / "tests").iterdir() if any(p.rglob("test_*.py")))
    parts = [_slow(name, f"tests/{name}", *ignored) for name in folders]
    parts.append(_slow("root", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").glob("test_*.py"))))
    for file, selections in _DIVIDED.items():
        parts += [_slow(f"{Path(file).parts[1]}-{name}", file, "-k", words) for name, words in selections.items()]
    return parts


def parts() -> list[Part]:
    """All of a night, in their order."""
    return [
        Part("replay", ("-m", "tests.replay"), 600),
        Part("replay-trained", ("-m", "tests.replay.trained")),
        Part("bench-kept", ("-m", "tests.benchmarks.kept", "--least", "0.95")),
        Part("fuzz", ("-m", "tests.security.fuzz")),
        Part("kills", ("-m", "tests.search.sigkills")),
        *(_random_graphs(start) for start in range(0, 10_000, _GRAPHS)),
        Part("random-sources", ("-m", "tests.graph.random_sources")),
        *(_example(name) for name in studies_of_examples()),
        *slow_parts(),
    ]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the part and what it started to end, and then make it."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 20)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def run(part: Part, log: Path) -> dict[str, Any]:
    """Run a part; its record: date, seconds, and whether it passed, failed, or was stopped at its limit."""
    log.parent.mkdir(parents=True, exist_ok=True)
    date, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *part.arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            outcome = "passed" if process.wait(part.seconds) in part.fine else "failed"
        except subprocess.TimeoutExpired:
            outcome = f"stopped after {part.seconds} s"
        finally:
            _end(process)
    return {"date": date, "seconds": round(time.monotonic() - began), "outcome": outcome}


def _keep(commit: str, name: str, became: dict[str, Any], last: Path) -> None:
    """What became of a part stands in the place of what became of it before."""
    kept = json.loads(last.read_text(encoding="utf-8")) if last.is_file() else {"parts": {}}
    kept["parts"][name] = {"commit": commit[:12]} | became
    write_atomically(last, (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode())


def night(chosen: Iterable[Part], again: bool, folder: Path = RUNS, last: Path = LAST) -> bool:
    """Run the parts that have no record at this commit, or with ``again`` all; whether all that have one passed."""
    commit = commit_of() + "-changed" * changed()
    path, chosen = folder / f"{commit}.json", list(chosen)
    record: dict[str, Any] = {"commit": commit, "parts": {}}
    if path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
    for part in chosen:
        if part.absent:
            print(f"{part.name}: no module {part.arguments[1]} here", flush=True)
        elif again or part.name not in record["parts"]:
            print(f"{part.name} ...", end=" ", flush=True)
            record["parts"][part.name] = run(part, folder / commit / f"{part.name}.log")
            write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
            if not commit.endswith("-changed"):
                _keep(commit, part.name, record["parts"][part.name], last)
            print("{outcome}, {seconds} s".format(**record["parts"][part.name]), flush=True)
    bad = {name: of["outcome"] for name, of in record["parts"].items() if of["outcome"] != "passed"}
    missing = sum(not part.absent and part.name not in record["parts"] for part in parts())
    print(f"{path}: {len(record['parts']) - len(bad)} passed, {missing} to do, not passed: {bad or 'none'}")
    return not bad


def main() -> int:
    """Run a night, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="run these, again if they have run; by default all")
    parser.add_argument("--list", action="store_true", help="list the parts")
    options = parser.parse_args()
    known = {part.name: part for part in parts()}
    if options.list:
        print("\n".join(known))
        return 0
    if unknown := [name for name in options.parts if name not in known]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        chosen = [known[name] for name in options.parts] or list(known.values())
        return 0 if night(chosen, again=bool(options.parts)) else 1
    except CodesignError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
