"""Rows of a record as a table of Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from tests.documents.numbers import RECORDS

__all__ = ("record_of", "table_of")


@cache
def record_of(name: str) -> Any:
    """The record of this name, read once."""
    return json.loads((RECORDS / name).read_text(encoding="utf-8"))


def table_of(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of these heads and rows."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
