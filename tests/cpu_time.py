"""CPU seconds of every test, its children included: ``CPU_TIMES=folder python -m pytest -p tests.cpu_time ...``.

On a shared machine wall-clock times say little. Each process writes a line of JSON per phase of a test (setup, call,
teardown) into ``folder``; ``python -m tests.cpu_time folder`` adds them up by test and by file. A session's fixture
counts with the first test that asks for it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _spent() -> float:
    return sum(os.times()[:4])


def _write(line: dict[str, Any]) -> None:
    folder = Path(os.environ["CPU_TIMES"])
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{os.getpid()}.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _measured(item: pytest.Item, phase: str) -> Iterator[None]:
    cpu, began = _spent(), time.perf_counter()
    result = yield
    _write({"test": item.nodeid, "phase": phase, "cpu": _spent() - cpu, "wall": time.perf_counter() - began})
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Measure the setup."""
    return (yield from _measured(item, "setup"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the call."""
    return (yield from _measured(item, "call"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Measure the teardown."""
    return (yield from _measured(item, "teardown"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What imports and collection took, in this process."""
    _write({"test": "(start and collection)", "phase": "setup", "cpu": _spent(), "wall": 0.0})


def main() -> None:
    """Print the heaviest tests and all files, from the lines of all processes."""
    cpu: Counter[str] = Counter()
    wall: Counter[str] = Counter()
    for path in Path(sys.argv[1]).glob("*.jsonl"):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            cpu[line["test"]] += line["cpu"]
            wall[line["test"]] += line["wall"]
    print(f"{sum(cpu.values()):.0f} s of CPU, {sum(wall.values()):.0f} s one after the other, {len(cpu)} tests")
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    for test, seconds in cpu.most_common(most):
        print(f"{seconds:8.1f} {wall[test]:8.1f}  {test}")
    files: Counter[str] = Counter()
    for test, seconds in cpu.items():
        files[test.split("::")[0]] += seconds
    print("by file")
    for file, seconds in files.most_common():
        print(f"{seconds:8.1f}  {file}")


if __name__ == "__main__":
    main()
