"""A sample of images of the calorimeter, for teachers: usual events, and a tenth with a hot corner."""

from __future__ import annotations

import numpy as np

from codesign.core.layout import BlockValues
from codesign.data.sample import Sample
from codesign.tasks.anomalies.anomaly_sample import REGIONS, ZERO_BIAS
from codesign.tasks.anomalies.level1_inputs import FEATURES, UNITS

__all__ = ("hot_regions",)


def hot_regions(events: int) -> Sample:
    """So many events; the objects beside the 18 x 14 regions are noise."""
    dice = np.random.default_rng(2)
    image = dice.poisson(6, (events, 18, 14, 1)).astype(np.float32)
    strange = np.arange(events) % 10 == 9
    image[strange, :3, :3] += 25
    objects = np.abs(dice.normal(20, 10, (events, 57))).astype(np.float32).round()
    return Sample(
        objects, strange.astype(np.int64), FEATURES, UNITS, (ZERO_BIAS, "hot"), (BlockValues(REGIONS, image),),
        held_out=("hot",), truth={"pile_up": dice.normal(46, 9, events).astype(np.float32)}, view=("regions",),
    )  # fmt: skip
