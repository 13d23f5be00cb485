"""Turn pydantic's findings into one line that a user can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from codesign.core.errors import KeyedError, nearest

__all__ = ("found_instead", "said_of", "validate")

_LONGEST = 100  # characters of what was given that are shown

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], data: Any, source: str) -> M:
    """Validate ``data`` against ``model``; KeyedError (an InputError) names the source, the key, and the nearest known
    key."""
    if not isinstance(data, dict) and not issubclass(model, RootModel):
        raise KeyedError(source, f"expected a mapping of keys to values, found {found_instead(data)}", ())
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise KeyedError(source, _said(model, error), _first(error)["loc"]) from None


def found_instead(data: object) -> str:
    """What stands where keys and values are expected, in words."""
    if data is None:
        return "nothing"
    kinds = {bool: "yes or no", str: "text", list: "a list", int: "a number", float: "a number"}
    return next((said for kind, said in kinds.items() if isinstance(data, kind)), type(data).__name__)


def said_of(error: Exception) -> str:
    """What an error says in one line; of pydantic's, the first of its findings, without an address."""
    if isinstance(error, ValidationError):
        first = _first(error)
        where = ".".join(str(part) for part in first["loc"])
        return (f"'{where}': " if where else "") + _message(first, None)
    return " ".join(str(error).split())


def _first(error: ValidationError) -> Any:
    """The finding that is told: of a key that is mistyped, not that the right one is missing."""
    findings = error.errors()
    return next((f for f in findings if f["type"] == "extra_forbidden"), findings[0])


def _said(model: type[BaseModel], error: ValidationError) -> str:
    first = _first(error)
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, first["loc"])
        message = f"unknown key '{where}'{nearest(str(first['loc'][-1]), known)}"
        if known:
            message += f"; known here: {', '.join(known)}"
    elif first["type"] == "missing":
        message = f"key '{where}' is missing"
    else:
        message = (f"'{where}': " if where else "") + _message(first, _field(model, first["loc"]))
        if not isinstance(first["input"], dict | list):
            message += f" (given: {_shorten(repr(first['input']))})"
    more = error.error_count() - 1
    message = " ".join(message.split())  # a key from elsewhere may hold lines
    return message + (f" (and {more} more)" if more else "")


def _message(finding: Any, field: FieldInfo | None) -> str:
    """A finding in words: no regular expression, and the nearest of the values that are known."""
    said = str(finding["msg"]).removeprefix("Value error, ")
    if finding["type"] == "string_pattern_mismatch":
        means = f": {field.description}" if field is not None and field.description else ", of letters and digits"
        return f"it is no name{means}"
    if finding["type"] in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", str(finding.get("ctx", {}).get("expected", "")))
        return said + nearest(str(finding["input"]), known)
    return said


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the model knows beside the one at ``loc``; empty where the path leads to no one model."""
    found = list(_models(model, loc[:-1]))
    return list(found[-1].model_fields) if found and found[-1] is not None else []


def _field(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """The field at ``loc``; None where the path leads to none."""
    holders = [m for m in _models(model, loc[:-1]) if m is not None] if loc else []
    return holders[-1].model_fields.get(str(loc[-1])) if holders else None


def _models(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterator[type[BaseModel] | None]:
    """The model, and those below it along a path; None, at the end, where the path leads to none, or several."""
    current: type[BaseModel] | None = model
    yield current
    for part in loc:
        if isinstance(part, int):
            continue  # a place in a list of the same
        info = current.model_fields.get(part) if current is not None else None
        inner = list(_inside(info.annotation)) if info is not None else []
        current = inner[0] if len(inner) == 1 else None
        yield current


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation holds, in a union or a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)
