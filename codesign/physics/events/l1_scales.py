"""Integers of CMS's Level-1 global trigger, and the GeV, pseudorapidity and radians that they stand for.

A calorimeter object has its energy in 0.5 GeV, pseudorapidity in 0.087/2, and azimuth in 2 pi/144; a muon in 0.5 GeV
with 0 for «no muon» (so that 1 is 0 GeV), 0.087/8 and 2 pi/576. A jet has 11 bits of energy, an electron or photon, a
tau and a muon 9, a sum 12; the highest code is what saturates. Source: «Scales for inputs to the uGT» of CMS's global
trigger, as tabulated with the released Level-1 data (https://doi.org/10.5281/zenodo.21787779).

A code stands for code times step, its bin's lower edge. The other way, an energy is truncated, as the trigger does, and
an angle goes to the nearest code; so that codes survive a round trip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ("L1_SUMS", "SCALES", "L1Scale", "hardware", "physical")

#: Types of sums, as CMSSW's ``l1t::EtSum`` numbers them.
L1_SUMS: dict[str, int] = {"ET": 0, "HT": 1, "MET": 2, "MHT": 3, "FET": 8, "ETTEM": 16, "FHT": 20}


@dataclass(frozen=True)
class L1Scale:
    """Scale of one kind of object: steps, bits of the energy, and the code that stands for 0 GeV."""

    pt_bits: int
    pt_step: float = 0.5
    pt_zero: int = 0
    eta_step: float = 0.087 / 2
    eta_bits: int = 8
    phi_codes: int = 144

    @property
    def pt_most(self) -> int:
        """The highest code of an energy: what saturates."""
        return (1 << self.pt_bits) - 1


SCALES: dict[str, L1Scale] = {
    "L1Jet": L1Scale(pt_bits=11),
    "L1EG": L1Scale(pt_bits=9),
    "L1Tau": L1Scale(pt_bits=9),
    "L1Mu": L1Scale(pt_bits=9, pt_zero=1, eta_step=0.087 / 8, eta_bits=9, phi_codes=576),
    "L1EtSum": L1Scale(pt_bits=12),
}


def physical(collection: str, field: str, codes: Any) -> Any:
    """``pt`` [GeV], ``eta`` or ``phi`` [rad, -pi to pi) of codes (numpy or awkward, any shape), as float32."""
    scale = SCALES[collection]
    codes = _as(codes, np.float64)
    if field == "pt":
        return _as(np.maximum(codes - scale.pt_zero, 0) * scale.pt_step, np.float32)
    if field == "eta":
        return _as(codes * scale.eta_step, np.float32)
    turn = codes * (2 / scale.phi_codes)  # in units of pi, so that code 0 is exactly 0
    return _as((turn - 2 * np.floor((turn + 1) / 2)) * np.pi, np.float32)


def hardware(collection: str, field: str, values: Any) -> Any:
    """Codes of ``pt`` [GeV], ``eta`` or ``phi`` [rad] (numpy or awkward, any shape), saturated, as int32.

    A pT that is not positive gives the lowest code of an object that is there: 0, for a muon 1.
    """
    scale = SCALES[collection]
    values = _as(values, np.float64)
    if field == "pt":
        codes = np.floor(values / scale.pt_step) + scale.pt_zero
        return _as(np.minimum(np.maximum(codes, scale.pt_zero), scale.pt_most), np.int32)
    if field == "eta":
        most = 1 << (scale.eta_bits - 1)
        return _as(np.minimum(np.maximum(np.floor(values / scale.eta_step + 0.5), -most), most - 1), np.int32)
    codes = np.floor(values * (scale.phi_codes / (2 * np.pi)) + 0.5)
    return _as(codes - scale.phi_codes * np.floor(codes / scale.phi_codes), np.int32)


def _as(array: Any, dtype: type[np.generic]) -> Any:
    if isinstance(array, np.ndarray | np.generic | float | int):
        return np.asarray(array).astype(dtype)
    import awkward as ak

    return ak.values_astype(array, dtype)
