"""A run's folder: where each record lies, and how it is written so that a kill never leaves half a file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from codesign.core.errors import InputError
from codesign.core.reading import plain
from codesign.core.reading.json import member_json
from codesign.core.reading.limits import FILE_BYTES
from codesign.core.validation import validate

__all__ = (
    "IMPORT",
    "TRIAL_RECORDS",
    "VERILOG_ONLY",
    "RunFolder",
    "TrialFolder",
    "write_atomically",
    "written_atomically",
)

#: what lies in a trial's folder, or a bundle, whatever the family: no file of a model may have such a name
TRIAL_RECORDS = frozenset(
    {
        "README.md", "config.json", "design.json", "explained.json", "figures.json", "golden.npz", "inputs.json",
        "layers.json", "log.txt", "manifest.json", "metrics.json", "model.onnx", "paired.json", "plots.json",
        "status.json", "test.json", "trained.json", "verify.json",
    }
)  # fmt: skip

M = TypeVar("M", bound=BaseModel)

#: what a run of imported models has in the place of ``study.yaml``
IMPORT = "import.json"
#: what stands in a folder of Verilog that was made of a model without a graph of it
VERILOG_ONLY = "verilog_only.json"


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
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        error.filename = error.filename or str(path)  # a write itself does not say of which file
        raise
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Folder:
    """``path``; ``root`` is the folder that the user named, below which no link is followed (default: ``path``)."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = Path(path)
        self._root = self.path if root is None else Path(root)

    def write(self, name: str, record: BaseModel | dict[str, Any]) -> None:
        """Write a record as JSON, atomically."""
        data = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
        write_atomically(self.path / name, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())

    def read(self, name: str, model: type[M]) -> M | None:
        """Read a record, None where it does not exist; InputError if it is not valid, or a link."""
        data = self._json(name)
        return None if data is None else validate(model, data[0], str(self.path / name))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a record that has no model, None where it does not exist; InputError if it is no object, or a link."""
        data = self._json(name)
        if data is None:
            return None
        if not isinstance(data[0], dict):
            raise InputError(f"{self.path / name}: expected an object of keys and values, found {_kind(data[0])}")
        return data[0]

    def has(self, name: str) -> bool:
        """Whether there is anything of this name (``/`` between folders), a link included: reading that is refused."""
        return plain.has_member(self.path, name)

    def file(self, name: str) -> Path:
        """The path of a plain file, for what opens it itself; InputError where it is none, or reached by a link."""
        return plain.member(self._root, self._below(name))

    def read_bytes(self, name: str, most: int = FILE_BYTES) -> bytes:
        """The content of a plain file; InputError as :meth:`file`, and for more than ``most`` bytes."""
        return plain.member_bytes(self._root, self._below(name), most)

    def read_text(self, name: str, most: int = FILE_BYTES) -> str:
        """The same as text; InputError also where it is not UTF-8."""
        return plain.text_of(self.read_bytes(name, most), str(self.path / name))

    def _below(self, name: str) -> str:
        return (self.path.relative_to(self._root) / name).as_posix()

    def _json(self, name: str) -> tuple[Any] | None:
        if not self.has(name):
            return None
        return (member_json(self._root, self._below(name)),)


def _kind(data: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(data), "a number or a truth value")


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
    ``front.json``. Of imported models: ``import.json`` instead of ``study.yaml``, and no search."""

    def trial(self, number: int) -> TrialFolder:
        """Folder of one trial, whether it exists or not."""
        return TrialFolder(self.path / "trials" / f"{number:04d}", self.path)

    def trials(self) -> list[TrialFolder]:
        """Folders of all trials that left one, by number."""
        root = self.path / "trials"
        names = [p.name for p in root.iterdir()] if root.is_dir() else []
        return [self.trial(n) for n in sorted({int(name) for name in names if re.fullmatch("[0-9]{1,9}", name)})]

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run; InputError where there is none."""
        if (Path(path) / VERILOG_ONLY).is_file():
            raise InputError(
                f"{path} holds Verilog only, of alkaid's own trace: there is no graph of the model, so no ONNX, no "
                "emulator, no cost by layer, and nothing that needs them; its Verilog is in firmware/src"
            )
        if not any((Path(path) / name).is_file() for name in ("study.yaml", IMPORT)):
            raise InputError(
                f"{path} is not a run folder (it has no study.yaml): give the folder that 'codesign run' or 'codesign "
                "import' printed"
            )
        run = cls(path)
        run.refuse_links()
        return run

    def refuse_links(self) -> None:
        """InputError where a record, a trial, or anything of a trial is a link: it would lead elsewhere."""
        folders = [self.path, self.path / "trials", *(trial.path for trial in self.trials())]
        for folder in folders:
            for entry in os.scandir(folder) if folder.is_dir() else ():
                if entry.is_symlink():
                    advice = "links are not followed: put what it leads to in its place"
                    raise InputError(f"{entry.path} is a symbolic link, and {advice}")
