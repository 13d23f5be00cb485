"""The text in which Vivado writes its reports: a heading with the tool's version, and tables drawn with bars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codesign.core.errors import ToolError

__all__ = ("ReportTable", "number", "tables", "tool_version")


@dataclass(frozen=True)
class ReportTable:
    """One table: the cells of its heading, and of each row, stripped."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def tables(text: str) -> Iterator[ReportTable]:
    """Every table of a report: lines of ``+---+`` above, below and between, the first row being the heading."""
    rows: list[tuple[str, ...]] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith("+-") or (stripped.startswith("|") and rows):
            if stripped.startswith("|"):
                rows.append(_cells(stripped))
        elif stripped.startswith("|") and stripped.endswith("|"):
            rows.append(_cells(stripped))
        elif rows:
            yield ReportTable(rows[0], tuple(rows[1:]))
            rows = []


def tool_version(text: str) -> str:
    """The version in a report's heading, such as ``2022.2``; ToolError where there is none."""
    found = re.search(r"^\| Tool Version\s*:\s*Vivado v\.(\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolError("Vivado: the report does not say which version wrote it: not measured")
    return found[1]


def number(cell: str, what: str) -> float:
    """A cell as a number; ToolError names ``what`` it should have been."""
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        raise ToolError(f"Vivado: {what} is '{cell}' in the report: not measured") from None
