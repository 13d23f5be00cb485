"""Histograms of a network's outputs, filled chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codesign.core.runfolder import written_atomically
from codesign.handoff.apply.names import branch_names
from codesign.handoff.manifest import OutputSignal
from codesign.physics.events.writing import METADATA

__all__ = ("Histograms",)

_BINS = 100


class Histograms:
    """One histogram per output, over all that its type can hold: nothing falls outside."""

    def __init__(self, outputs: Sequence[OutputSignal]) -> None:
        import hist

        self.histograms: dict[str, Any] = {}
        for name, signal in zip(branch_names([s.name for s in outputs]), outputs, strict=True):
            bits = signal.width - int(signal.signed)
            lsb = 2.0**-signal.fraction_bits
            low = -(2.0**bits) * lsb if signal.signed else 0.0
            high = max(2.0**bits, 1.0) * lsb
            # no more bins than there are values, and each bin with equally many of them
            step = max(1, round((high - low) / lsb / _BINS))
            bins = max(1, -(-round((high - low) / lsb) // step))
            axis = hist.axis.Regular(bins, low, low + bins * step * lsb, name=name, label=signal.name)
            self.histograms[name] = hist.Hist(axis)

    def fill(self, columns: Mapping[str, Any]) -> None:
        """Fill with values of the outputs, by name, each (rows,)."""
        for name, histogram in self.histograms.items():
            histogram.fill(columns[name])

    def write(self, path: Path, metadata: str) -> None:
        """Write as TH1 into a ROOT file, with what it says of itself; whole or not at all."""
        import uproot

        with written_atomically(path) as temporary, uproot.recreate(temporary) as file:
            for name, histogram in self.histograms.items():
                file[name] = histogram
            file[METADATA] = metadata
