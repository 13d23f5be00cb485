"""What an output is called as a branch, a column of Parquet, and a histogram: one readable name each, never two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from codesign.physics.events.writing import METADATA

__all__ = ("INTEGER", "OBJECT", "PREFIX", "TRIGGER", "branch_names")

#: name of the collection, or prefix of the branches, that holds the outputs
PREFIX = "codesign"

#: what is put after an output's name for its integers
INTEGER = "_code"
#: columns beside the outputs
OBJECT, TRIGGER = "object", "trigger"


def branch_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Names of the outputs with these labels: letters, digits and underscores, not beginning with a digit.

    A label that is such a name keeps it; of others that would get a name already given, the first free number is put
    after it: ``g g`` beside ``g_g`` is ``g_g_2``. No name is another one's integers, ``object`` or ``trigger``.
    """
    plain = [_plain(label) for label in labels]
    taken = {OBJECT, TRIGGER, METADATA}  # the last lies beside histograms
    given: dict[int, str] = {}
    for place in sorted(range(len(labels)), key=lambda i: (plain[i] != labels[i], i)):
        name, number = plain[place], 1
        while taken & _columns(name):
            number += 1
            name = f"{plain[place]}_{number}"
        taken |= _columns(name)
        given[place] = name
    return tuple(given[place] for place in range(len(labels)))


def _columns(name: str) -> set[str]:
    return {name, name + INTEGER}


def _plain(label: str) -> str:
    """A label in ASCII: letters of other alphabets by their names (``τ``: tau), other signs as underscores."""
    if re.fullmatch(r"[A-Za-z_]\w*", label, flags=re.ASCII):
        return label
    spelt = "".join(map(_spelt, unicodedata.normalize("NFKD", label)))
    name = re.sub(r"\W+", "_", spelt, flags=re.ASCII).strip("_") or "output"
    return f"_{name}" if name[0].isdigit() else name


def _spelt(sign: str) -> str:
    if sign.isascii() or not sign.isalpha():
        return sign if sign.isascii() or not unicodedata.combining(sign) else ""
    name = unicodedata.name(sign, f"u{ord(sign):04x}").lower()
    letter = name.rpartition("letter ")[2]
    return letter.capitalize() if sign.isupper() else letter
