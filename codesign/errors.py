"""Errors that are meant for the user: what was given, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ("CodesignError", "InputError", "ToolError", "UnsupportedError", "nearest")


class CodesignError(Exception):
    """Base of every error that the command line prints as one line, without a stack trace."""


class InputError(CodesignError):
    """Something the user gave (a study, a file, an option) cannot be used as it is."""


class ToolError(CodesignError):
    """An external tool is missing, crashed, or did not measure what it was asked to."""


class UnsupportedError(CodesignError):
    """A graph, rounding mode or type that has no exact hardware here; refused by name."""


def nearest(given: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to ``given``, or an empty string."""
    match = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{match[0]}'?)" if match else ""
