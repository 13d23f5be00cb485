"""A record, and a table as a page has it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from tests.documents.numbers import RECORDS

__all__ = ("record", "table")


@cache
def record(name: str) -> Any:
    """What a file of the records holds."""
    return json.loads((RECORDS / name).read_text(encoding="utf-8"))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Heads and rows in Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
