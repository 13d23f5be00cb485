"""YAML in bounds: bytes, depth, values (those that aliases repeat counted each time), digits; keys stand once."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from codesign.core.errors import InputError
from codesign.core.reading.limits import YAML_BYTES, YAML_DEPTH, YAML_NODES
from codesign.core.reading.plain import given_text, member_bytes, text_of

__all__ = ("member_yaml", "read_yaml", "yaml_of")

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
#: longer is no number that anybody wrote, and base 60 takes time with the square of it
_LONGEST_NUMBER = 60

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, where libyaml is not there


class _Refused(Exception):
    """Why a text is not read; the line comes with it."""


class _Loader(_Base):
    """Plain data only, as PyYAML's safe loader makes it; a key that stands twice is refused, as its last would win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise _Refused(f"key '{key.value}' stands twice, again in line {key.start_mark.line + 1}")
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        if node.tag in _NUMBERS and isinstance(node.value, str) and len(node.value) > _LONGEST_NUMBER:
            raise _Refused(f"a number of {len(node.value)} characters in line {node.start_mark.line + 1}")
        return super().construct_scalar(node)

    def _finite(self, node: Any) -> float:
        value = float(self.construct_yaml_float(node))
        if not isfinite(value):
            raise _Refused(f"'{node.value}' in line {node.start_mark.line + 1} is not a finite number")
        return value


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader._finite)


def yaml_of(text: str, source: str) -> Any:
    """What a YAML text says, as plain data; ``source`` is named in errors.

    InputError: not YAML, more than ``YAML_BYTES``, nested deeper than ``YAML_DEPTH``, more than ``YAML_NODES`` values,
    an alias to what it stands in, a key twice, a number that is not finite or that nobody would write.
    """
    if len(text) > YAML_BYTES:
        raise InputError(f"{source}: has {len(text)} characters, at most {YAML_BYTES} are read")
    try:
        _check(yaml.parse(text, Loader=_Base))
        return yaml.load(text, Loader=_Loader)  # noqa: S506, a safe loader
    except _Refused as refused:
        raise InputError(f"{source}: {refused}: mend it there") from None
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML ({_problem(error)})") from None
    except (ValueError, TypeError, OverflowError, RecursionError, AttributeError, KeyError, IndexError) as error:
        # of a value whose tag promises what it is not: a date, a number
        raise InputError(f"{source}: not valid YAML (a value is not what its tag says: {error})") from None


def _problem(error: yaml.YAMLError) -> str:
    """What PyYAML says, and in which line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem}, line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())


def read_yaml(path: Path) -> Any:
    """The YAML of a file that the user named."""
    return yaml_of(given_text(path, YAML_BYTES), str(path))


def member_yaml(folder: Path, name: str) -> Any:
    """The YAML of a plain file of a folder, following no link."""
    source = str(Path(folder) / name)
    return yaml_of(text_of(member_bytes(folder, name, YAML_BYTES), source), source)


def _check(events: Iterator[Any]) -> None:
    """Count depth and values over the events of a text, before anything is composed of them."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []  # the anchor, and how many values there were before
    total = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes and any(anchor == event.anchor for anchor, _ in opened):
                raise _Refused(f"alias '*{event.anchor}' in line {line} stands within what it repeats")
            total += sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            if event.anchor:
                sizes.pop(event.anchor, None)
            total += 1
            if len(opened) > YAML_DEPTH:
                raise _Refused(f"nested deeper than {YAML_DEPTH} in line {line}")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = total - before
        if total > YAML_NODES:
            raise _Refused(f"more than {YAML_NODES} values by line {line}, those that aliases repeat counted each time")
