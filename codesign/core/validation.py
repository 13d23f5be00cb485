"""Turn pydantic's findings into one line that a user can act on."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from codesign.core.errors import InputError, nearest

__all__ = ("validate",)

_LONGEST = 100  # characters of what was given that are shown

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], data: Any, source: str) -> M:
    """Validate ``data`` against ``model``; InputError names the source, the key, and the nearest known key."""
    if not isinstance(data, dict) and not issubclass(model, RootModel):
        raise InputError(f"{source}: expected a mapping of keys to values, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _known_keys(model, first["loc"])
            message = f"unknown key '{where}'{nearest(str(first['loc'][-1]), known)}"
            if known:
                message += f"; known here: {', '.join(known)}"
        elif first["type"] == "missing":
            message = f"key '{where}' is missing"
        else:
            message = f"'{where}': {first['msg'].removeprefix('Value error, ')}"
            if not isinstance(first["input"], dict | list):
                message += f" (given: {_shorten(repr(first['input']))})"
        more = error.error_count() - 1
        message = " ".join(message.split())  # a key from elsewhere may hold lines
        raise InputError(f"{source}: {message}" + (f" (and {more} more)" if more else "")) from None


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the model knows beside the one at ``loc``; empty where the path leads through a union or a list."""
    current: Any = model
    for part in loc[:-1]:
        info = current.model_fields.get(part) if isinstance(part, str) else None
        if info is None or not (isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)):
            return []
        current = info.annotation
    return list(current.model_fields)
