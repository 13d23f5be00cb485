"""Damage, one at a time: every file of a folder in several ways, and every field of its JSON.

``damages`` lists them, ``spoilt`` gives a copy of a folder with one of them done, ``refused`` runs a command on it and
says how it ended. A fault is a command that ends in anything but its result or a CodesignError of one line.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from codesign.cli import app
from codesign.core.errors import CodesignError

__all__ = ("Damage", "damages", "ended", "fields", "spoilt")

#: what stands in the place of a value of JSON; NaN and Infinity are what Python's json writes of such numbers
WRONG: dict[str, Any] = {
    "null": None,
    "a text": "x",
    "a number": 7.5,
    "negative": -3,
    "huge": 10**400,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "true": True,
    "a list": [1],
    "an object": {"x": 1},
    "empty list": [],
    "empty object": {},
    "empty text": "",
}


@dataclass(frozen=True)
class Damage:
    """``how`` of ``name``, a path in the folder; ``do`` is given the path of the file."""

    name: str
    how: str
    do: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.name}: {self.how}"


def damages(folder: Path, name: str) -> Iterator[Damage]:
    """Every damage of one file of a folder: those of any file, and of JSON those of each of its fields."""
    content = (folder / name).read_bytes()

    def written(how: str, what: bytes) -> Damage:
        return Damage(name, how, lambda path: _write(path, what))

    yield Damage(name, "missing", lambda path: path.unlink())
    yield Damage(name, "a folder", _folder)
    yield written("empty", b"")
    yield written("not UTF-8", b"\xff\xfe\x00" + content[:40])
    yield written("cut off", content[: len(content) // 2])
    yield written("garbage", bytes((i * 131 + 7) % 256 for i in range(500)))
    if len(content) > 40:
        place = len(content) // 3
        yield written("other bytes inside", content[:place] + b"\x00\xff{]" + content[place + 4 :])
    if name.endswith(".json"):
        yield written("deep", b"[" * 100_000)
        for how, value in WRONG.items():
            yield written(how, json.dumps(value).encode())
        data = json.loads(content)
        for where in fields(data):
            yield from _of_field(name, data, where)


def _of_field(name: str, data: Any, where: tuple[str | int, ...]) -> Iterator[Damage]:
    label = ".".join(map(str, where))

    def changed(how: str, change: Callable[[Any, str | int], None]) -> Damage:
        def do(path: Path) -> None:
            whole = copy.deepcopy(data)
            change(_at(whole, where[:-1]), where[-1])
            path.write_text(json.dumps(whole), encoding="utf-8")

        return Damage(name, f"{label} {how}", do)

    def put(value: Any) -> Callable[[Any, str | int], None]:
        return lambda holder, key: holder.__setitem__(key, value)

    yield changed("missing", lambda holder, key: holder.__delitem__(key))
    for how, value in WRONG.items():
        yield changed(how, put(value))
    there = _at(data, where)
    if isinstance(there, list) and there:
        yield changed("longer", lambda holder, key: holder[key].append(copy.deepcopy(holder[key][0])))
        yield changed("shorter", lambda holder, key: holder[key].pop())
    if isinstance(there, dict):
        yield changed("with another key", lambda holder, key: holder[key].__setitem__("nobody's", 1))


def fields(data: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where each value of JSON stands; of a list the first entry stands for all, of a long object its first keys."""
    if where:
        yield where
    if isinstance(data, dict):
        for key in list(data)[:24]:
            yield from fields(data[key], (*where, key))
    elif isinstance(data, list) and data:
        yield from fields(data[0], (*where, 0))


def _at(data: Any, where: tuple[str | int, ...]) -> Any:
    for key in where:
        data = data[key]
    return data


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@contextlib.contextmanager
def spoilt(folder: Path, damage: Damage, scratch: Path) -> Iterator[Path]:
    """A copy of ``folder`` in ``scratch`` with the damage done; gone at the end."""
    copied = scratch / folder.name
    shutil.copytree(folder, copied, copy_function=shutil.copyfile)
    try:
        damage.do(copied / damage.name)
        yield copied
    finally:
        shutil.rmtree(copied)


def ended(arguments: list[str]) -> str:
    """How a command ended: ``""`` with its result, else its error. AssertionError: as no command may."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            app(arguments, standalone_mode=False)
    except CodesignError as error:
        message = str(error)
        assert message.strip(), "an error without a word"
        assert "Traceback" not in message
        return " ".join(message.split())
    except (typer.Exit, SystemExit):
        return ""
    return ""
