"""Toy Level-1 events: zero bias whose jets grow with pile-up, and two signals. Shared by the tests of the task."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from codesign.physics.events.l1_scales import hardware, physical


def toy_level1(events: int, seed: int, hard: float = 0.0, muons: float = 0.05) -> Any:
    """``hard``: GeV added to the two hardest jets and to the missing energy; ``muons``: mean number."""
    random = np.random.default_rng(seed)
    pile_up = np.clip(random.normal(46, 9, events), 5, None)

    def collection(name: str, counts: Any, mean: float, eta: float) -> Any:
        size = int(counts.sum())
        point = {
            "pt": random.exponential(mean, size) + 4,
            "eta": random.uniform(-eta, eta, size),
            "phi": random.uniform(-np.pi, np.pi, size),
        }
        jagged = {v: ak.unflatten(x, counts) for v, x in point.items()}
        if name == "L1Jet":
            jagged["pt"] = jagged["pt"] * (pile_up / 46) + hard * (ak.local_index(jagged["pt"]) < 2)
        return ak.zip({v: physical(name, v, hardware(name, v, x)) for v, x in jagged.items()})

    met = random.rayleigh(12, events) + hard * random.random(events)
    sums = {"pt": np.stack([met * 3, met], axis=1), "phi": random.uniform(-np.pi, np.pi, (events, 2))}
    codes = {v: physical("L1EtSum", v, hardware("L1EtSum", v, x)) for v, x in sums.items()}
    return ak.Array(
        {
            "L1Jet": collection("L1Jet", random.poisson(3 + pile_up / 20), 10, 4.5),
            "L1EG": collection("L1EG", random.poisson(2, events), 4, 2.4),
            "L1Mu": collection("L1Mu", random.poisson(muons, events), 12, 2.4),
            "L1EtSum": ak.zip(
                {v: ak.from_regular(ak.from_numpy(x)) for v, x in codes.items()}
                | {"etSumType": ak.from_regular(ak.from_numpy(np.tile(np.array([1, 2], np.int32), (events, 1))))}
            ),
            "Pileup": ak.Array({"nTrueInt": pile_up.astype(np.float32)}),
            "event": np.arange(events, dtype=np.uint64),
        }
    )
