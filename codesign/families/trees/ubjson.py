"""Universal Binary JSON in bounds, as XGBoost writes it: https://ubjson.org, draft 12, with typed arrays."""

from __future__ import annotations

import struct
from math import isfinite
from typing import Any

from codesign.core.errors import InputError
from codesign.core.reading.limits import JSON_BYTES, JSON_DEPTH

__all__ = ("ubjson_of",)

#: numbers by their marker: struct's form, big-endian
_NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
_MOST_VALUES = 1 << 24


class _Reader:
    def __init__(self, content: bytes, source: str) -> None:
        self.content, self.source, self.at, self.values = content, source, 0, 0

    def refuse(self, why: str) -> InputError:
        return InputError(f"{self.source}: not valid UBJSON (byte {self.at}: {why})")

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.content):
            raise self.refuse(f"{size} bytes are announced, {len(self.content) - self.at} are left")
        self.at += size
        return self.content[self.at - size : self.at]

    def marker(self) -> str:
        return self.take(1).decode("latin-1")

    def number(self, kind: str) -> int | float:
        if kind not in _NUMBERS:
            raise self.refuse(f"'{kind}' where a number should be")
        form = ">" + _NUMBERS[kind]
        value: int | float = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if isinstance(value, float) and not isfinite(value):
            raise self.refuse("a number that is not finite")
        return value

    def length(self) -> int:
        value = self.number(self.marker())
        if not isinstance(value, int) or value < 0:
            raise self.refuse(f"a length of {value}")
        return value

    def text(self) -> str:
        try:
            return self.take(self.length()).decode("utf-8")
        except UnicodeDecodeError:
            raise self.refuse("text that is not UTF-8") from None

    def count(self, values: int = 1) -> None:
        self.values += values
        if self.values > _MOST_VALUES:
            raise self.refuse(f"more than {_MOST_VALUES} values")

    def value(self, kind: str, depth: int) -> Any:
        self.count()
        match kind:
            case "Z":
                return None
            case "T" | "F":
                return kind == "T"
            case "C":
                return self.take(1).decode("latin-1")
            case "S":
                return self.text()
            case "[" | "{" if depth >= JSON_DEPTH:
                raise self.refuse(f"nested deeper than {JSON_DEPTH}")
            case "[":
                return self.array(depth + 1)
            case "{":
                return self.object(depth + 1)
        return self.number(kind)

    def header(self) -> tuple[str, int | None]:
        """The type of all values of a container, '' where each has its own, and their number, where it is said."""
        kind, size = "", None
        if self.peek() == "$":
            self.marker()
            kind = self.marker()
        if self.peek() == "#":
            self.marker()
            size = self.length()
        elif kind:
            raise self.refuse("a type of all values without their number")
        return kind, size

    def peek(self) -> str:
        return self.content[self.at : self.at + 1].decode("latin-1")

    def array(self, depth: int) -> list[Any]:
        kind, size = self.header()
        if kind in _NUMBERS and size is not None:
            width = struct.calcsize(">" + _NUMBERS[kind])
            self.count(size)
            found = list(struct.unpack(f">{size}{_NUMBERS[kind]}", self.take(size * width)))
            if kind in "dD" and not all(map(isfinite, found)):
                raise self.refuse("a number that is not finite")
            return found
        if kind in ("Z", "T", "F") or (size is not None and size > len(self.content) - self.at):
            raise self.refuse(f"{size} values that take no bytes")
        out: list[Any] = []
        while size is None or len(out) < size:
            marker = kind or self.marker()
            if size is None and marker == "]":
                break
            if marker != "N":
                out.append(self.value(marker, depth))
        return out

    def object(self, depth: int) -> dict[str, Any]:
        kind, size = self.header()
        out: dict[str, Any] = {}
        while size is None or len(out) < size:
            if size is None and self.peek() == "}":
                self.marker()
                break
            name = self.text()
            if name in out:
                raise self.refuse(f"key '{name[:80]}' stands twice in one object")
            out[name] = self.value(kind or self.marker(), depth)
        return out


def ubjson_of(content: bytes, source: str) -> Any:
    """What UBJSON says, as plain data; InputError: damaged, nested too deep, too long, a number that is not finite."""
    if len(content) > JSON_BYTES:
        raise InputError(f"{source}: has {len(content)} bytes, at most {JSON_BYTES} are read")
    reader = _Reader(content, source)
    found = reader.value(reader.marker(), 0)
    if reader.at != len(content):
        raise reader.refuse("something stands behind the end")
    return found
