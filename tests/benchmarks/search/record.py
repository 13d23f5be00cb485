"""The record that all commands of this package write, a section each."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from codesign.core.lock import hold
from codesign.core.runfolder import write_atomically

__all__ = ("OUTPUT", "Searches", "read_section", "spread", "text", "write_section")

OUTPUT = Path(__file__).resolve().parents[3] / "reports" / "reference" / "search.json"


def read_section(path: Path, name: str) -> dict[str, Any]:
    """A section as it stands; empty where there is none."""
    record: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record.get(name, {})


def write_section(path: Path, name: str, section: dict[str, Any]) -> None:
    """Put a section, with the machine and the versions that made it, in the place of the one of its name."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    made = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    made |= {"versions": {name: version(name) for name in ("optuna", "torch", "alkaid")}}
    record[name] = made | section
    write_atomically(path, text(record).encode())


def text(record: dict[str, dict[str, Any]]) -> str:
    """A record as JSON, one search, or entry of a section, a line."""
    sections = []
    for name, section in record.items():
        parts = []
        for key, value in section.items():
            lines = [json.dumps(entry) for entry in value] if key == "searches" else []
            listed = "[\n   " + ",\n   ".join(lines) + "\n  ]" if lines else json.dumps(value)
            parts.append(f"{json.dumps(key)}: {listed}")
        sections.append(f"{json.dumps(name)}: {{\n  " + ",\n  ".join(parts) + "\n }")
    return "{\n " + ",\n ".join(sections) + "\n}\n"


class Searches:
    """The searches of a section; several processes may add to them at once, each with a core of its own.

    ``counts`` says whether a search of the record was made as it would be now: any other is left out.
    """

    def __init__(self, path: Path, name: str, counts: Callable[[dict[str, Any], dict[str, Any]], bool]) -> None:
        self._path, self._name, self._counts = path, name, counts

    def found(self) -> list[dict[str, Any]]:
        """Those of the record."""
        section = read_section(self._path, self._name)
        return [search for search in section.get("searches", ()) if self._counts(section, search)]

    def add(
        self,
        search: dict[str, Any] | None,
        key: Callable[[dict[str, Any]], object],
        section: Callable[[list[dict[str, Any]]], dict[str, Any]],
    ) -> None:
        """Put a search in the place of the one with its ``key``, and write the ``section`` that all of them make.

        With None in the place of a search, the section of those in the record is made anew.
        """
        with hold(Path(tempfile.gettempdir()) / "codesign-search-record.lock", wait=60):
            every = self.found()
            if search is not None:
                every = [s for s in every if key(s) != key(search)] + [search]
            every.sort(key=lambda s: int(s["seed"]))
            write_section(self._path, self._name, section(every) | {"searches": every})


def spread(values: list[float]) -> dict[str, Any]:
    """Mean and standard deviation, and of how many."""
    deviation = round(stdev(values), 4) if len(values) > 1 else None
    return {"mean": round(mean(values), 4), "deviation": deviation, "searches": len(values)}
