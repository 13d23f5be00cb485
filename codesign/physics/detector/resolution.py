"""How well each tier measures a jet's pT: what CMS has published, and what is added so that the simulation has it too.

Towers, tracks and one weight per tower leave jets better measured than CMS's are: showers' shapes, wrong links of
tracks and clusters and channels' miscalibrations are missing. ``calibrate`` finds what is missing, in quadrature, and
``smeared`` adds it to jets of the hard collision, before calibration. Tiers look at the same showers, so they share
a part of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.calibration import eta_bins, tables

__all__ = ("CMS_SAMPLE", "JER", "JER_PT", "SHARED", "published_resolution", "smear")

#: Offline: CMS's simulation, jet resolution "Summer22_22Sep2023_JRV1_MC", AK4PFPuppi, at density 25 GeV, at these pT.
JER_PT = (20.0, 30.0, 50.0, 80.0, 150.0, 300.0, 600.0)
#: A row per bin of |eta| (``ETA_EDGES``), at its middle.
JER = (
    (0.186, 0.162, 0.133, 0.110, 0.085, 0.066, 0.052),
    (0.249, 0.213, 0.170, 0.138, 0.105, 0.080, 0.066),
    (0.254, 0.227, 0.186, 0.151, 0.115, 0.087, 0.071),
    (0.305, 0.236, 0.175, 0.137, 0.101, 0.076, 0.059),
    (0.318, 0.246, 0.182, 0.140, 0.102, 0.075, 0.060),
    (0.458, 0.332, 0.228, 0.167, 0.115, 0.079, 0.056),
    (0.354, 0.265, 0.193, 0.152, 0.118, 0.098, 0.088),
    (0.306, 0.211, 0.143, 0.112, 0.096, 0.090, 0.089),
    (0.306, 0.211, 0.143, 0.112, 0.096, 0.090, 0.089),
)
#: Half the central 68 % of pT over generated pT, over its median, and its statistical error (bootstrap), in 200 top
#: pairs of CMS's simulation of 2022 (NanoAODv15, as shipped with coffea 2026.9.0's tests): tier -> (low, high pT,
#: width, error). Offline jets nearest within 0.2, HLT's within 0.25, L1's as matched to HLT's (``l1pt``).
CMS_SAMPLE: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "l1": ((40, 60, 0.356, 0.027), (60, 120, 0.226, 0.012), (120, 250, 0.141, 0.014)),
    "hlt": ((40, 60, 0.159, 0.012), (60, 120, 0.140, 0.007), (120, 250, 0.107, 0.010)),
    "offline": ((40, 60, 0.182, 0.013), (60, 120, 0.137, 0.009), (120, 250, 0.106, 0.009)),
}
#: HLT over offline, from the same sample.
_HLT_OVER_OFFLINE = 1.12
#: Share of what is added that a tier has in common with the others: so offline and HLT correlate by 0.7 and offline
#: and L1 by 0.5 at 60 to 120 GeV, as in the same sample.
SHARED = {"l1": 0.45, "hlt": 0.75, "offline": 0.75}
_L1_LEAST = 40.0


def published_resolution(tier: str, pt: NDArray[Any], eta: NDArray[Any]) -> NDArray[np.float64]:
    """Resolution that a tier's jets should have at generated ``pt`` [GeV], as a fraction of pT.

    L1: 11 GeV / pT, 1.1 / sqrt(pT [GeV]) and 5 % in quadrature for jets that stand alone, so that top pairs have what
    the sample of CMS has; below 40 GeV, where too few of its jets have an L1 jet, as at 40 GeV.
    """
    pt = np.asarray(pt, dtype=np.float64)
    if tier == "l1":
        pt = np.maximum(pt, _L1_LEAST)
        return np.asarray(np.sqrt((11 / pt) ** 2 + 1.1**2 / pt + 0.05**2))
    bins = eta_bins(eta)
    offline = np.empty(np.broadcast(pt, bins).shape)
    for number, row in enumerate(JER):
        here = bins == number
        offline[here] = np.interp(np.log(np.broadcast_to(pt, bins.shape)[here]), np.log(JER_PT), row)
    return offline * (_HLT_OVER_OFFLINE if tier == "hlt" else 1.0)


def smear(
    tier: str,
    signal: NDArray[Any],
    eta: NDArray[Any],
    gen_pt: NDArray[Any],
    common: NDArray[Any],
    own: NDArray[Any],
) -> NDArray[np.float64]:
    """What is to be added to the raw pT of jets, GeV.

    ``signal``: raw pT less pile-up's; ``gen_pt``: of the generated jet, 0 where there is none (then nothing is added);
    ``common``, ``own``: standard normal numbers of the generated jet and of the tier's jet.
    """
    table = tables()[tier].get("extra")
    change = np.zeros(len(signal))
    if table is None:
        return change
    bins = eta_bins(eta)
    draw = np.sqrt(SHARED[tier]) * common + np.sqrt(1 - SHARED[tier]) * own
    for number in np.unique(bins):
        here = (bins == number) & (gen_pt > 0)
        if table["pt"][number]:
            width = np.interp(np.log(gen_pt[here]), np.log(table["pt"][number]), table["width"][number])
            change[here] = np.maximum(width * draw[here], -0.9) * np.maximum(signal[here], 0.0)
    return change
