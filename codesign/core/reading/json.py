"""JSON in bounds: bytes, depth, digits of a number; what is not a finite number is refused unless it is asked for."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from codesign.core.errors import InputError
from codesign.core.reading.limits import DIGITS, JSON_BYTES, JSON_DEPTH
from codesign.core.reading.plain import given_bytes, member_bytes, text_of

__all__ = ("json_of", "member_json", "read_json")


def json_of(content: str | bytes, source: str, *, most: int = JSON_BYTES, constants: bool = False) -> Any:
    """What a JSON text says; ``source`` is named in errors, ``constants`` lets NaN and Infinity pass.

    InputError: not JSON, more than ``most`` bytes, nested deeper than ``JSON_DEPTH``, a key twice, a number that is not
    finite or has more than ``DIGITS`` digits.
    """
    if len(content) > most:
        raise InputError(f"{source}: has {len(content)} bytes, at most {most} are read")
    text = text_of(content, source) if isinstance(content, bytes) else content

    def refuse(what: str) -> NoReturn:
        raise InputError(f"{source}: {what}: write it again, or give the file as codesign wrote it")

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= DIGITS else refuse(f"a whole number of {len(digits)} digits")

    def real(digits: str) -> float:
        value = float(digits) if len(digits) <= DIGITS else refuse(f"a number of {len(digits)} digits")
        return value if isfinite(value) or constants else refuse(f"{digits} is not a finite number")

    def constant(name: str) -> float:
        return float(name) if constants else refuse(f"{name} is not a finite number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            refuse(f"key '{next(n for n in names if names.count(n) > 1)}' stands twice in one object")
        return found

    try:
        data = json.loads(text, parse_int=whole, parse_float=real, parse_constant=constant, object_pairs_hook=once)
    except RecursionError:
        refuse(f"nested deeper than {JSON_DEPTH}")
    except ValueError as error:
        raise InputError(f"{source}: not valid JSON ({error})") from None
    if text.count("[") + text.count("{") > JSON_DEPTH and _deeper(data, JSON_DEPTH):
        refuse(f"nested deeper than {JSON_DEPTH}")
    return data


def read_json(path: Path, *, most: int = JSON_BYTES, constants: bool = False) -> Any:
    """The JSON of a file that the user named, or that we wrote."""
    return json_of(given_bytes(path, most), str(path), most=most, constants=constants)


def member_json(folder: Path, name: str, *, most: int = JSON_BYTES, constants: bool = False) -> Any:
    """The JSON of a plain file of a folder, following no link."""
    return json_of(member_bytes(folder, name, most), str(Path(folder) / name), most=most, constants=constants)


def _deeper(data: Any, most: int) -> bool:
    level = [data]
    for _ in range(most + 1):
        level = (
            [
                inner
                for outer in level
                for inner in (outer.values() if isinstance(outer, dict) else outer)
                if isinstance(inner, dict | list)
            ]
            if isinstance(data, dict | list)
            else []
        )
        if not level:
            return False
    return True
