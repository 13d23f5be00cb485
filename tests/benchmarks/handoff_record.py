"""``reports/reference/handoff.json``: one part from each benchmark of the hand-off; the other parts stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codesign.core.runfolder import write_atomically

__all__ = ("RECORD", "put")

RECORD = Path(__file__).resolve().parents[2] / "reports" / "reference" / "handoff.json"


def put(found: Any, *place: str, path: Path = RECORD) -> None:
    """Put ``found`` at ``place``, keys from the outermost in."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    inner = report
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = found
    write_atomically(path, (json.dumps(report, indent=1) + "\n").encode())
