"""Loops compiled on first use, by Numba: it brings its own LLVM, so no compiler is needed on the machine."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import platformdirs

from codesign.core.errors import ToolError

__all__ = ("KeptByContent", "compile_kernel")


def compile_kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function``, and keep the machine code beside its source or in the user's cache folder.

    Where neither can be written, as in some containers and on batch nodes, each process compiles anew, a few seconds;
    ``NUMBA_CACHE_DIR`` names another folder. ToolError where Numba is missing or cannot be loaded.
    """
    try:
        import numba
    except ImportError as error:
        raise ToolError(
            f"numba, which compiles codesign's inner loops, cannot be loaded ({error}): "
            "pip install 'numba>=0.68' in codesign's environment"
        ) from None
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return numba.njit(function)


class KeptByContent:
    """Where Numba keeps machine code: in the user's cache folder, by the content of what went into it.

    Numba's own places know a source by its path and time, so that each new checkout compiles anew, and take no notice
    of what a loop takes from other modules. For the variable ``NUMBA_CACHE_LOCATOR_CLASSES``, as the tests set it; they
    name the folder in ``CODESIGN_KERNELS``, so that a test with a cache folder of its own does not compile anew.
    """

    def __init__(self, function: Callable[..., Any], content: str) -> None:
        self._line, self._content = function.__code__.co_firstlineno, content
        root = os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign")
        self._place = Path(os.environ.get("CODESIGN_KERNELS") or Path(root) / "numba") / content[:24]

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Self | None:
        """The place of a loop of codesign's; None for another one's, and where nothing can be written."""
        if not function.__module__.startswith("codesign."):
            return None
        made = cls(function, _content(function.__module__))
        try:
            made.ensure_cache_path()
        except OSError:
            return None
        return made

    def ensure_cache_path(self) -> None:
        """Make the folder; OSError where nothing can be written into it."""
        self._place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self._place).close()

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self._place)

    def get_source_stamp(self) -> str:
        """What the machine code was made of."""
        return self._content

    def get_disambiguator(self) -> str:
        """Tells loops of one name apart."""
        return str(self._line)


@cache
def _content(name: str) -> str:
    """Hash of a module's source and of what its loops can take from others: constants, and other modules' loops."""
    found, names = hashlib.sha256(), {name}
    todo = [name]
    while todo:
        module = sys.modules[todo.pop()]
        found.update(Path(str(module.__file__)).read_bytes())
        for key, value in sorted(vars(module).items()):
            if not key.startswith("__"):
                found.update(b"".join([key.encode(), *_of_value(value)]))
            other = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            usable = isinstance(value, ModuleType) or hasattr(value, "py_func")
            if usable and isinstance(other, str) and other.startswith("codesign.") and other not in names:
                names.add(other)
                todo.append(other)
    return found.hexdigest()


def _of_value(value: object) -> Iterator[bytes]:
    """Bytes of a constant as a loop freezes it; nothing of what is none."""
    import numpy as np

    if isinstance(value, bool | int | float | str | np.generic):
        yield repr(value).encode()
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"{value.dtype} {value.shape} ".encode() + value.tobytes()
    elif isinstance(value, tuple):
        for part in value:
            yield from _of_value(part)
