"""Loops compiled on first use, by Numba: it brings its own LLVM, so no compiler is needed on the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codesign.errors import ToolError

__all__ = ("compiled",)


def compiled(function: Callable[..., Any]) -> Any:
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
