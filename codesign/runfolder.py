"""A run's folder: where each record lies, and how it is written so that a kill never leaves half a file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from codesign.errors import InputError
from codesign.validation import validated

__all__ = ("RunFolder", "TrialFolder", "write_atomically", "written_atomically")

M = TypeVar("M", bound=BaseModel)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it, flushed to disk, then renamed over it."""
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path`` to write to; it takes its place at the end, or vanishes on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb+") as stream:
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def write(self, name: str, record: BaseModel | dict[str, Any]) -> None:
        """Write a record as JSON, atomically."""
        data = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
        write_atomically(self.path / name, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())

    def read(self, name: str, model: type[M]) -> M | None:
        """Read a record, None where it does not exist; InputError if it is not valid."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON ({error})") from None
        return validated(model, data, str(path))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a record that has no model, None where it does not exist."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


class TrialFolder(_Folder):
    """``trials/0007``: ``config.json``, ``status.json``, ``metrics.json`` (validation), ``test.json`` (front only),
    ``figures.json``, ``verify.json``, ``model.onnx``, ``design.json``, ``weights.safetensors``, ``plots.json``
    (what the task's plots are drawn from, front only), ``firmware/``, ``log.txt``."""

    @property
    def number(self) -> int:
        """The trial's number."""
        return int(self.path.name)

    @property
    def firmware(self) -> Path:
        """Folder of the generated Verilog."""
        return self.path / "firmware"


class RunFolder(_Folder):
    """``runs/<study>``: ``study.yaml`` (as resolved), ``sample.json``, ``study.db``, ``baseline.json``, ``trials/``,
    ``front.json``."""

    def trial(self, number: int) -> TrialFolder:
        """Folder of one trial, whether it exists or not."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def trials(self) -> list[TrialFolder]:
        """Folders of all trials that left one, by number."""
        root = self.path / "trials"
        numbers = sorted(int(p.name) for p in root.iterdir() if p.name.isdigit()) if root.is_dir() else []
        return [self.trial(n) for n in numbers]

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run; InputError where there is none."""
        if not (Path(path) / "study.yaml").is_file():
            raise InputError(
                f"{path} is not a run folder (it has no study.yaml): give the folder that 'codesign run' printed"
            )
        return cls(path)
