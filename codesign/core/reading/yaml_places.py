"""In which line of a YAML text a value stands, by the way to it: keys and places in lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

__all__ = ("YamlPlaces",)

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlPlaces:
    """Places of a text that was read before: nothing of it is constructed."""

    def __init__(self, text: str) -> None:
        self._root = yaml.compose(text, Loader=_Base)

    def line(self, key: Sequence[str | int]) -> int:
        """Line, from 1, of the last part of the way that is in the text."""
        node, line = self._root, 1
        for part in key:
            for found, place, inner in _entries(node):
                if str(found) == str(part):
                    node, line = inner, place
                    break
            else:
                continue  # such as the kind of a union, which is no key
        return line


def _entries(node: Any) -> Iterator[tuple[str | int, int, Any]]:
    """Key or place, line, and value of each entry of a mapping or a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield place, value.start_mark.line + 1, value
