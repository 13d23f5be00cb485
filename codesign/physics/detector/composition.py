"""What offline jets are said to be made of, and their uncorrected scale, brought to those of CMS's simulation.

Towers know neither the tracks that particle flow finds in the core of a jet nor the showers that begin in ECAL, so that
too much of a jet is called neutral hadrons. ``composition.json`` says which share of them stands for charged hadrons,
electrons and photons, of muons for charged hadrons, how many constituents there are of one that a tower makes, and the
scale of a jet before it is corrected. ``composition_fit`` fits these numbers on half of CMS's events, and judges them
on the other half. A jet's corrected pT stays as it is.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.validation import validate

__all__ = ("KINDS", "PATH", "Composition", "offline_composition")

PATH = Path(__file__).resolve().parent / "composition.json"
#: fractions of a jet's energy, in this order
KINDS = ("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF")
_CH, _NH, _CE, _NE, _MU = range(5)


class Composition(BaseModel):
    """Shares and factors, all as they are where nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral_to_charged: float = Field(default=0.0, ge=0, le=1, description="of neutral hadrons' energy")
    neutral_to_electrons: float = Field(default=0.0, ge=0, le=1, description="of neutral hadrons' energy")
    neutral_to_photons: float = Field(default=0.0, ge=0, le=1, description="of neutral hadrons' energy")
    muons_to_charged: float = Field(default=0.0, ge=0, le=1, description="of muons' energy")
    charged_number: float = Field(default=1.0, gt=0, description="charged constituents per one of the towers")
    neutral_number: float = Field(default=1.0, gt=0, description="neutral constituents per one of the towers")
    scale: float = Field(default=1.0, gt=0, le=2, description="uncorrected pT over that of the towers")

    def fractions(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractions (jets, 5) of ``KINDS``, of those of the towers; they add up to what those do."""
        out = found.copy()
        neutral, muons = found[:, _NH], found[:, _MU]
        for kind, share in (
            (_CH, self.neutral_to_charged),
            (_CE, self.neutral_to_electrons),
            (_NE, self.neutral_to_photons),
        ):
            out[:, kind] += share * neutral
            out[:, _NH] -= share * neutral
        out[:, _CH] += self.muons_to_charged * muons
        out[:, _MU] -= self.muons_to_charged * muons
        return out

    def numbers(self, every: NDArray[np.float64], charged: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Charged and neutral constituents (jets,), whole numbers, of the towers' inputs and the charged of those."""
        return np.rint(charged * self.charged_number), np.rint((every - charged) * self.neutral_number)


@functools.cache
def offline_composition() -> Composition:
    """What ``composition.json`` says."""
    import json

    return validate(Composition, json.loads(PATH.read_text(encoding="utf-8")), str(PATH))
