"""The calorimeter in regions, as networks and plain triggers see it: transverse energies in steps of 0.5 GeV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import INPUT_INTEGER_BITS, FixedPoint, InputQuantisation, QuantisedBlock
from codesign.data.sample import Part
from codesign.tasks.anomalies.anomaly_sample import REGIONS
from codesign.tasks.base import Baseline
from codesign.tasks.weighting import event_weights

__all__ = ("region_baselines", "region_quantisation", "standard_regions")

#: share of the regions that must not saturate
_WITHIN = 0.9999


def region_quantisation(x: NDArray[np.floating], bits: int) -> InputQuantisation:
    """Codes of ``bits`` bits: the trigger's own integers, less a mean energy and shifted so far that all but one in
    10,000 of the regions of the training events ``x`` (events, 252) are in range; no multiplication."""
    kind = FixedPoint(signed=True, integer_bits=INPUT_INTEGER_BITS, fraction_bits=bits - 1 - INPUT_INTEGER_BITS)
    mean, top = float(np.mean(x)), float(np.quantile(np.asarray(x), _WITHIN))
    step = 2.0 ** max(0, int(np.ceil(np.log2(max(top - mean, 1.0) / kind.maximum))))
    offset = step * float(np.floor(mean / step))
    return InputQuantisation(
        blocks=(QuantisedBlock(**REGIONS.model_dump(), types=(kind,), offset=(offset,), step=(step,)),)
    )


def standard_regions(part: Part) -> NDArray[np.float32]:
    """(events, 252) each region less its mean, over the spread of all regions."""
    x = part.block(REGIONS.name).reshape(len(part), -1).astype(np.float64)
    weights = event_weights(part)
    each = np.ones(len(part)) if weights is None else weights
    middle = (each[:, None] * x).sum(axis=0) / each.sum()
    spread = np.sqrt((each[:, None] * (x - middle) ** 2).sum() / each.sum() / x.shape[1])
    return np.asarray((x - middle) / max(spread, 1e-9), dtype=np.float32)


class _OfRegions:
    """One number of the regions."""

    def __init__(self, name: str, largest: bool) -> None:
        self.name, self._largest = name, largest

    def __call__(self, part: Part) -> NDArray[np.float64]:
        x = part.block(REGIONS.name).reshape(len(part), -1).astype(np.float64)
        return np.asarray((x.max(axis=1) if self._largest else x.sum(axis=1))[:, None])


def region_baselines(train: Part) -> list[Baseline]:
    """Their sum and the largest, where there are any."""
    if REGIONS.name not in train.blocks:
        return []
    return [_OfRegions("total ET (all regions)", False), _OfRegions("largest region (ET)", True)]
