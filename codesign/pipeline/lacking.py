"""For want of which packages and programs something failed, and whether they are here by now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec

from codesign.core.errors import ToolError
from codesign.pipeline.doctor import known_names, locate_program

__all__ = ("is_here", "lacking")

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*")

#: what packages that we use import without declaring it, or name in an error by another word
_MORE = ("onnx", "onnxoptimizer", "numba", "xgboost", "lightgbm", "distributed")


def is_here(name: str) -> bool:
    """Whether a program, or a Python package, of this name can be found here; whether it works is another question."""
    if locate_program(name) is not None:
        return True
    module = name.split(".")[0].replace("-", "_")
    try:
        return module.isidentifier() and find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def lacking(error: BaseException) -> list[str]:
    """Packages and programs that an error, or what caused it, says were missed, and that are indeed not here.

    An import that fails names its module. Errors of tools, and imports that are refused by hand, name in their text
    what they needed: of these words, those that ``codesign doctor`` knows.
    """
    found: set[str] = set()
    for cause in _causes(error):
        if isinstance(cause, ImportError) and cause.name:
            found.add(cause.name.split(".")[0])
        if isinstance(cause, ImportError | ToolError):
            words = {word.rstrip(".-") for word in _WORD.findall(str(cause))}
            found |= words & {*known_names(), *_MORE}
    return sorted(name for name in found if not is_here(name))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
