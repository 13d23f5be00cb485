"""A number in a page is a span that names its record; here it is computed and written.

::

    <!--= min front.json points/*/figures/lut .0f -->83<!--/-->

A span names an optional reducer (``min``, ``max``, ``mean``, ``sum``, ``count``, ``geomean``), the record's file, the
path in it (``/`` between keys; ``*`` for all elements of a list or object; ``name=value`` for those in which a field
has that value), and the format. ``figures/quantity=lut/fidelity=synthesised/value`` therefore finds a figure.

A bound or default that stands in the code comes from there: ``<!--= code MODULE:NAME FORMAT -->``, where FORMAT may be
``len``, ``KiB``, ``MiB`` or ``GiB``. What is neither measured nor there (a version, a standard's width, an example) is
listed page by page in ``plain_numbers.txt``, each number with the word before and behind it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from math import exp, log
from pathlib import Path
from typing import Any

from tests.trees import ROOT

__all__ = ("PLAIN", "RECORDS", "SPAN", "UNREAD", "fill", "loose_numbers", "plain_numbers", "value_of")

#: the numbers of each page that are neither measured nor in the code
PLAIN = Path(__file__).with_name("plain_numbers.txt")

RECORDS = ROOT / "reports" / "reference"
SPAN = re.compile(r"<!--= (?P<what>[^>]*?) -->(?P<text>.*?)<!--/-->", re.DOTALL)

_REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "sum": sum,
    "count": len,
    "geomean": lambda values: exp(sum(map(log, values)) / len(values)),
}
#: what is no text of a page: code, addresses, tags
_CODE = (r"(?ms)^ *```.*?^ *```", r"(?m)(?<=\n\n)(?: {4,}.*\n)+", r"`[^`]*`")
UNREAD = (*_CODE, r"\]\([^)]*\)", r"</?[a-z][^>]*>", r"https?://\S+")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@cache
def _record(name: str) -> Any:
    return json.loads((RECORDS / name).read_text(encoding="utf-8"))


def _steps(found: list[Any], key: str) -> list[Any]:
    following: list[Any] = []
    for one in found:
        if key == "*":
            following += list(one.values()) if isinstance(one, dict) else list(one)
        elif "=" in key:
            name, _, wanted = key.partition("=")
            following += [e for e in (one if isinstance(one, list) else [one]) if str(e[name]) == wanted]
        else:
            following.append(one[int(key)] if isinstance(one, list) else one[key])
    return following


def value_of(what: str) -> str:
    """The text of a span. ValueError, in one line, where its record has no such number."""
    reducer, words = None, what.split()
    if words and words[0] in _REDUCERS:
        reducer, *words = words
    if words[:1] == ["code"]:
        return _of_code(what, words[1:])
    if len(words) < 3:
        raise ValueError(f"'{what}': a span is '[REDUCER] FILE PATH FORMAT'")
    name, path, form = words[0], " ".join(words[1:-1]), words[-1]
    try:
        found = [_record(name)]
    except FileNotFoundError:
        raise ValueError(f"'{what}': there is no record {name}") from None
    try:
        for key in path.split("/"):
            found = _steps(found, key)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"'{what}': {name} has no '{path}' ({error})") from None
    found = [value for value in found if value is not None]
    if reducer is None and len(set(map(str, found))) != 1:
        raise ValueError(f"'{what}': {len(found)} values, and no reducer")
    value = _REDUCERS[reducer](found) if reducer else found[0]
    return str(value) if form == "s" else format(value, form)


def _of_code(what: str, words: Sequence[str]) -> str:
    try:
        place, form = words
        module, name = place.split(":")
        value = getattr(import_module(module), name)
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(f"'{what}': a span of code is 'code MODULE:NAME FORMAT' ({error})") from None
    if form == "len":
        return format(len(value), ",d")
    return format(value // _UNITS[form], ",d") if form in _UNITS else format(value, form)


def fill(text: str) -> str:
    """The page, every span with the number of its record."""
    return SPAN.sub(lambda span: f"<!--= {span['what']} -->{value_of(span['what'])}<!--/-->", text)


def loose_numbers(text: str) -> list[str]:
    """Numbers of a page that stand in no span, no table of a record and no code, each with the words around it."""
    for pattern in (SPAN.pattern, r"<!--\| .*?<!--\|/-->"):
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    for pattern in UNREAD:
        text = re.sub(pattern, " ", text)
    words = text.split()
    return [
        " ".join(words[max(0, at - 1) : at + 2]) for at, word in enumerate(words) if re.search(r"(?<![\w.])\d", word)
    ]


@cache
def plain_numbers() -> dict[str, Counter[str]]:
    """Of each page what ``plain_numbers.txt`` lists; a line ``# page.md`` begins a page."""
    found: dict[str, Counter[str]] = {}
    for line in PLAIN.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            page = found.setdefault(line.removeprefix("# "), Counter())
        elif line:
            page[line] += 1
    return found
