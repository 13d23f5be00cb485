"""What corrected trigger jets are in terms of generated ones, and the network's correction as a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from codesign.data.sample import Part
from codesign.tasks.jets.jet_heads import heads_of
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.outcome import Axis, Outcome, Tabulated

__all__ = ("outcome_of", "table_of")

_PT = (15.0, 20, 25, 30, 35, 40, 50, 60, 75, 90, 110, 135, 165, 200, 250, 320, 420, 600, 1000, 2000)
_ETA = (0.0, 0.8, 1.3, 1.9, 2.5, 3.0, 5.0)
_PILE_UP = (0.0, 35, 42, 49, 56, 300)
_DENSITY = (0.0, 15, 22, 29, 36, 300)


def outcome_of(scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> Outcome:
    """Response of the corrected pT, and whether it is above the threshold that the validation split fixed."""
    truth = part.truth
    pt = kinematics(part.features)[0] * np.exp(heads_of(scores).correction)
    axes = {
        "GenPt": Axis(truth["generated_pt"], _PT, meaning="pT of the generated jet in GeV"),
        "GenEta": Axis(np.abs(truth["eta"]), _ETA, meaning="pseudorapidity of the jet", absolute=True),
        "PileUp": Axis(truth["pile_up"], _PILE_UP, meaning="mean number of collisions in the crossing"),
    }
    threshold = points.get("threshold_gev")
    return Outcome(axes, None if threshold is None else pt > threshold, pt / truth["generated_pt"])


def table_of(scores: NDArray[np.float64], part: Part) -> Tabulated:
    """The network's factor on the uncorrected pT, by what CMS's corrections are given."""
    pt, eta, rho, _ = kinematics(part.features)
    assert part.targets is not None
    axes = {
        "JetPt": Axis(pt, _PT, meaning="uncorrected pT of the jet in GeV"),
        "JetEta": Axis(eta, _ETA, meaning="pseudorapidity of the jet", absolute=True),
        "Rho": Axis(rho, _DENSITY, meaning="density of pile-up in GeV per unit of eta times phi"),
    }
    right = np.exp(part.targets[:, 0].astype(np.float64))
    return Tabulated(axes, np.exp(heads_of(scores).correction), right)
