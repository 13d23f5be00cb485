"""Items that are sorted, and the first of them kept, in front of a preparation: comparisons and choices, exact.

The firmware sorts as a bubble does: in each pass neighbours that stand the wrong way round change places, from the last
item to the first, so that the best of what is left comes to its place; as many passes as items are kept. Equal ones
never change places, so that the order is the stable one of numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, nearest
from codesign.data.preparation.fixed_numbers import FixedNumber, PrefixWriter
from codesign.data.preparation.raw_codes import InputsSection

__all__ = ("SortedItems", "sorted_items")

#: comparisons of one sort
_MOST_COMPARISONS = 512


@dataclass(frozen=True)
class SortedItems:
    """``fields``: names of the features, field by field in the items' order, the one that sorts first. ``keep`` items
    stay, and have the names of the first ones."""

    fields: tuple[tuple[str, ...], ...]
    keep: int
    falling: bool

    @property
    def dropped(self) -> frozenset[str]:
        """Features that nothing sees behind it."""
        return frozenset(name for field in self.fields for name in field[self.keep :])

    def write(self, writer: PrefixWriter, columns: Mapping[str, FixedNumber]) -> dict[str, FixedNumber]:
        """The nodes of it; the sorted numbers by name."""
        writer.where = f"sort by '{self.fields[0][0]}'"
        rows = [[columns[name] for name in field] for field in self.fields]
        items = len(rows[0])
        passes = min(self.keep, items - 1)
        for first in range(passes):
            for place in range(items - 2, first - 1, -1):
                over = writer.compare("Less" if self.falling else "Greater", rows[0][place], rows[0][place + 1])
                stays = first < passes - 1 or place + 1 < self.keep
                for row in rows:
                    one, other = row[place], row[place + 1]
                    row[place] = writer.choose(over, other, one)
                    if stays:
                        row[place + 1] = writer.choose(over, one, other)
        return {
            name: row[i] for field, row in zip(self.fields, rows, strict=True) for i, name in enumerate(self._of(field))
        }

    def reference(self, columns: Mapping[str, NDArray[np.floating]]) -> dict[str, NDArray[np.floating]]:
        """The same of values, (events,) each, by numpy's stable sort."""
        key = np.stack([columns[name] for name in self.fields[0]], axis=1)
        order = np.argsort(-key if self.falling else key, axis=1, kind="stable")
        found: dict[str, NDArray[np.floating]] = {}
        for field in self.fields:
            values = np.take_along_axis(np.stack([columns[name] for name in field], axis=1), order, axis=1)
            found |= {name: values[:, i] for i, name in enumerate(self._of(field))}
        return found

    def _of(self, field: Sequence[str]) -> Sequence[str]:
        return field[: self.keep]


def sorted_items(section: InputsSection, features: tuple[str, ...]) -> tuple[SortedItems, ...]:
    """Each sort of a study's ``inputs``.

    InputError: a pattern matches nothing, fields are of other numbers of items, a feature is sorted twice, or there are
    too many.
    """
    found, taken = [], set[str]()
    for of in section.sort:
        where = f"inputs.sort, '{of.by}'"
        fields = []
        for pattern in (of.by, *of.carried):
            names = tuple(name for name in features if fnmatchcase(name, pattern))
            if not names:
                raise InputError(f"{where}: no feature matches '{pattern}'{nearest(pattern, features)}")
            if twice := taken.intersection(names):
                raise InputError(f"{where}: '{min(twice)}' is sorted already: leave one out")
            taken.update(names)
            fields.append(names)
        items = len(fields[0])
        for pattern, names in zip(of.carried, fields[1:], strict=True):
            if len(names) != items:
                raise InputError(f"{where}: '{pattern}' matches {len(names)} features, where there are {items} items")
        keep = items if of.keep is None else of.keep
        if keep > items or items < 2:
            raise InputError(f"{where}: there are {items} items, of which {keep} cannot be the first")
        if keep * items > _MOST_COMPARISONS:
            raise InputError(f"{where}: {items} items of which {keep} stay: at most {_MOST_COMPARISONS} comparisons")
        found.append(SortedItems(tuple(fields), keep, of.order == "falling"))
    return tuple(found)
