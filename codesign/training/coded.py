"""Inputs of many events as the codes that they are, in as few bytes as those need; many of them in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.mapped import chunks, forget, mapped

__all__ = ("EXACT_BITS", "Coded")

#: of a code that is exact as float32, in which trainings compute
EXACT_BITS = 24
_SIZES = (np.int8, np.int16, np.int32, np.int64)


@dataclass(frozen=True)
class Coded:
    """Codes (events, n) of the smallest integers that hold them, and what a code of each column stands for, (n,)."""

    codes: NDArray[np.signedinteger]
    lsbs: NDArray[np.float64]

    @classmethod
    def of(cls, quantisation: InputQuantisation, x: NDArray[np.floating]) -> Self:
        """Quantise physical numbers (events, n), some of them at a time."""
        port = quantisation.port
        low, high = port.bounds
        least = next(
            s for s in _SIZES if np.iinfo(s).min <= low.min(initial=0) and high.max(initial=0) <= np.iinfo(s).max
        )
        codes = mapped((len(x), port.size), least)
        for part in chunks(x):
            codes[part] = quantisation.codes(x[part])
            forget(codes)
        return cls(codes, np.asarray(port.lsbs, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def values(self) -> NDArray[np.float64]:
        """All values (events, n), eight bytes each."""
        return self.codes * self.lsbs
