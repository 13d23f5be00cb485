"""A number in a page is a span that names its record; here it is computed and written.

::

    <!--= min front.json points/*/figures/lut .0f -->83<!--/-->

A span names an optional reducer (``min``, ``max``, ``mean``, ``count``, ``geomean``), the record's file, the path in it
(``/`` between keys; ``*`` for all elements of a list or object; ``name=value`` for those in which a field has that
value), and the format of the number. ``figures/quantity=lut/fidelity=synthesised/value`` therefore finds a figure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from math import exp, log
from typing import Any

from tests.trees import ROOT

__all__ = ("RECORDS", "SPAN", "fill", "loose_numbers", "value_of")

RECORDS = ROOT / "reports" / "reference"
SPAN = re.compile(r"<!--= (?P<what>[^>]*?) -->(?P<text>.*?)<!--/-->", re.DOTALL)

_REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "count": len,
    "geomean": lambda values: exp(sum(map(log, values)) / len(values)),
}
#: what may stand in a page as it is: versions, names, definitions
_NAMES = (
    r"Python 3\.\d+", r"40 million", r"25 ns", r"Apache-2\.0", r"LGPL-3", r"Keras 3", r"Pythia 8", r"C\+\+\d*",
    r"24 bits", r"AXI4", r"16 substructure", r"360 MHz", r"QKeras 0\.9",
)  # fmt: skip
_UNREAD = (r"(?ms)^```.*?^```", r"(?m)^    .*$", r"`[^`]*`", r"\]\([^)]*\)", r"<[^>]*>", r"https?://\S+")


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


def fill(text: str) -> str:
    """The page, every span with the number of its record."""
    return SPAN.sub(lambda span: f"<!--= {span['what']} -->{value_of(span['what'])}<!--/-->", text)


def loose_numbers(text: str) -> list[str]:
    """Numbers of a page that stand in no span, with what is around them."""
    for pattern in (SPAN.pattern, r"(?s)<!--\| .*?<!--\|/-->", *_UNREAD, *_NAMES):
        text = re.sub(pattern, " ", text, flags=re.DOTALL if pattern == SPAN.pattern else 0)
    return [text[max(0, m.start() - 25) : m.end() + 15].strip() for m in re.finditer(r"(?<![\w.-])\d[\d.,]*", text)]
