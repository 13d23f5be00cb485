"""The record that all commands of this package write, a section each."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from codesign.runfolder import write_atomically

__all__ = ("OUTPUT", "read_section", "spread", "write_section")

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
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())


def spread(values: list[float]) -> dict[str, Any]:
    """Mean and standard deviation, and of how many."""
    deviation = round(stdev(values), 4) if len(values) > 1 else None
    return {"mean": round(mean(values), 4), "deviation": deviation, "searches": len(values)}
