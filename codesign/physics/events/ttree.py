"""Events in a ROOT TTree, read in bounded memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import CodesignError, InputError
from codesign.physics.events.container import ChunkSize, Native, limit_inflation

__all__ = ("EventTree",)


class EventTree:
    """A TTree of flat branches and lists of numbers; what else is in it is seen, and refused when it is asked for."""

    kind = "ROOT TTree"

    def __init__(self, path: Path, file: Any, tree: Any) -> None:
        self._path = path
        self._file = file
        self._tree = tree
        self.entries: int | None = int(tree.num_entries)
        # full_paths=False: Delphes' Jet/Jet.PT is Jet.PT
        self._branches = dict(zip(tree.keys(full_paths=False), tree.values(), strict=True))
        self.natives: Mapping[str, Native] = {name: _native(branch) for name, branch in self._branches.items()}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read chunk by chunk; every branch on its own, so that one basket at a time is inflated.

        Chunks of a given size end where baskets end, if there is such a place: none is then inflated twice.
        """
        assert self.entries is not None
        branches = {name: self._branches[name] for name in names}
        for name, branch in branches.items():
            if branch.num_entries != self.entries:
                raise InputError(
                    f"{self._path}: branch '{name}' holds {branch.num_entries} of the {self.entries} events; "
                    "is the file damaged?"
                )
        step = size.step(sum(self._bytes_per_event(name, branch) for name, branch in branches.items()))
        largest = max(branches.values(), key=lambda branch: branch.uncompressed_bytes)
        ends = list(largest.entry_offsets)
        if not self.entries:
            yield 0, {name: self._read(name, branch, 0, 0) for name, branch in branches.items()}
        start = 0
        while start < self.entries:
            stop = min(start + step, self.entries)
            if size.events is None and stop < self.entries:
                basket_end = ends[bisect_right(ends, stop) - 1]
                stop = basket_end if basket_end > start else stop
            yield start, {name: self._read(name, branch, start, stop) for name, branch in branches.items()}
            start = stop

    def _bytes_per_event(self, name: str, branch: Any) -> float:
        native = self.natives[name]
        # offsets of a list take 8 bytes; a flat number at least its width, whatever the tree says of its size
        least = 8 if native.jagged else branch.interpretation.numpy_dtype.itemsize
        return max(float(branch.uncompressed_bytes) / max(1, self.entries or 1), least)

    def _read(self, name: str, branch: Any, start: int, stop: int) -> Any:
        offsets = np.asarray(branch.entry_offsets)  # at least one: where the first basket begins
        last = int(np.searchsorted(offsets, stop, side="left"))
        try:
            for basket in range(int(np.searchsorted(offsets, start, side="right")) - 1, min(last, branch.num_baskets)):
                limit_inflation(self._path, name, f"basket {basket}", int(branch.basket_uncompressed_bytes(basket)))
            return branch.array(entry_start=start, entry_stop=stop, library="ak", array_cache=None)
        except CodesignError:
            raise
        except Exception as error:  # uproot passes on what the libraries under it raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"{self._path}: branch '{name}', events {start} to {stop}: damaged or truncated ({reason})"
            ) from None


def _native(branch: Any) -> Native:
    """Say whether a branch holds numbers, one or a list per event; by its title alone, without reading it."""
    import uproot

    interpretation = branch.interpretation
    jagged = isinstance(interpretation, uproot.AsJagged)
    inner = interpretation.content if jagged else interpretation
    numbers = isinstance(inner, uproot.AsDtype) and not inner.to_dtype.names
    plain = numbers and not inner.inner_shape
    regular = numbers and not jagged and len(inner.inner_shape) == 1
    return Native(jagged, "" if plain else f"holds {branch.typename or 'objects'}, not numbers", regular)
