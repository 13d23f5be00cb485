"""Items of a table's rows, such as a jet's constituents: which columns hold them, and how they become a fixed length.

A collection ``PFCands`` is columns of lists, ``PFCands.pt`` or ``PFCands_pt`` (also ``PFCand_pt``, as ``codesign data
make`` writes). Its fields are named without the collection, in expressions too: ``pt``, ``log(pt)``, ``-pt``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.column_expressions import ColumnExpression

__all__ = ("ItemColumns", "stack_items")


@dataclass(frozen=True)
class ItemColumns:
    """Fields of a collection as expressions over the columns of one table, and by what items are sorted.

    ``validity``: a field that no column holds: 1 of every item that is there.
    """

    fields: Mapping[str, ColumnExpression]
    sort: ColumnExpression | None
    validity: str | None
    _names: Mapping[str, str]

    @classmethod
    def of(
        cls, collection: str, fields: Sequence[str], sort: str, validity: str | None, known: Collection[str], where: str
    ) -> ItemColumns:
        """Parse; InputError for a collection that is not there, a field that it lacks."""
        names = _names_in(collection, known)
        if not names:
            raise InputError(f"{where}: there is no collection '{collection}': no column begins with its name")
        every = {*known, *names}
        read = {f: ColumnExpression.of(f, every, where) for f in fields if f != validity or f in names}
        order = ColumnExpression.of(sort, every, where) if sort else None
        return cls(read, order, validity if validity not in read else None, names)

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of the table."""
        every = (*self.fields.values(), *(() if self.sort is None else (self.sort,)))
        return tuple(dict.fromkeys(self._names.get(name, name) for e in every for name in e.columns))

    def lists(self, columns: Mapping[str, Any], first: int = 0) -> dict[str, Any]:
        """Each field, an awkward array of a list a row, sorted.

        ``first``: the place in the file of the first row. InputError where a field is no list, or lists of one row have
        other lengths.
        """
        import awkward as ak

        lists = {name: ak.from_regular(values) for name in self.columns if _is_list(values := columns[name])}
        lengths = {name: np.asarray(ak.num(values), dtype=np.int64) for name, values in lists.items()}
        for name, other in lengths.items():
            one, number = next(iter(lengths.items()))
            if not np.array_equal(number, other):
                row = int(np.argmax(number != other))
                raise InputError(f"row {first + row}: columns '{one}' and '{name}' have lists of other lengths")
        given = dict(columns) | lists | {name: lists[of] for name, of in self._names.items() if of in lists}
        found = {name: ak.Array(e.values(given)) for name, e in self.fields.items()}
        keys = {} if self.sort is None else {self.sort.text: ak.Array(self.sort.values(given))}
        for name, values in (found | keys).items():
            if values.ndim != 2:
                raise InputError(f"'{name}' is one number a row: items are a list a row")
        if self.validity is not None:
            found[self.validity] = ak.ones_like(next(iter(found.values())))
        if self.sort is not None:
            order = ak.argsort(keys[self.sort.text], axis=1, ascending=True, stable=True)
            found = {name: values[order] for name, values in found.items()}
        return found


def _is_list(values: Any) -> bool:
    import awkward as ak

    return isinstance(values, ak.Array) and values.ndim > 1


def stack_items(lists: Mapping[str, Any], fields: Sequence[str], items: int) -> NDArray[np.float32]:
    """The first ``items`` of each row, (rows, items, fields) float32, zeros where a row has fewer."""
    import awkward as ak

    taken = {f: lists[f][:, :items] for f in fields}
    counts = np.asarray(ak.num(taken[fields[0]]), dtype=np.int64)
    found = np.zeros((len(counts), items, len(fields)), dtype=np.float32)
    with np.errstate(over="ignore"):
        flat = [np.asarray(ak.flatten(taken[f])).astype(np.float32) for f in fields]
    found[np.arange(items) < counts[:, None]] = np.column_stack(flat)
    return found


def _names_in(collection: str, known: Collection[str]) -> dict[str, str]:
    """A collection's fields -> its columns; empty where there are none."""
    for before in (f"{collection}.", f"{collection}_", f"{collection.removesuffix('s')}_"):
        inside = {name.removeprefix(before): name for name in known if name.startswith(before)}
        if inside:
            return inside
    return {}
