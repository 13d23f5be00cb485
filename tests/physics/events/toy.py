"""Toy events of the common record, made of a seed; a shared part of the tests of event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot


def toy_events(events: int = 200, seed: int = 1, jets: float = 4.0) -> Any:
    """Events with jets (L1, HLT, offline, generated), groups and plain values, in NanoAOD's names and types."""
    random = np.random.default_rng(seed)

    def collection(mean: float, **fields: Any) -> Any:
        counts = random.poisson(mean, events)
        size = int(counts.sum())
        point = {
            "pt": random.exponential(40, size).astype(np.float32) + 10,
            "eta": random.uniform(-5, 5, size).astype(np.float32),
            "phi": random.uniform(-np.pi, np.pi, size).astype(np.float32),
        }
        return ak.unflatten(ak.Array(point | {name: make(size) for name, make in fields.items()}), counts)

    return ak.Array(
        {
            "run": np.full(events, 362616, dtype=np.uint32),
            "luminosityBlock": np.repeat(np.arange(events // 10 + 1, dtype=np.uint32), 10)[:events],
            "event": np.arange(events, dtype=np.uint64) + 2**40,
            "genWeight": random.normal(1, 0.1, events).astype(np.float32),
            "L1Jet": collection(jets, hwPt=lambda n: random.integers(0, 2048, n).astype(np.int16)),
            "HLTJet": collection(jets, rawFactor=lambda n: random.uniform(0, 0.2, n).astype(np.float32)),
            "Jet": collection(
                jets,
                mass=lambda n: random.exponential(8, n).astype(np.float32),
                nConstituents=lambda n: random.integers(1, 60, n).astype(np.uint8),
                btagged=lambda n: random.random(n) > 0.9,
                genJetIdx=lambda n: random.integers(-1, 5, n).astype(np.int16),
            ),
            "Rho": ak.Array({"fixedGridRhoFastjetAll": random.gamma(20, 1.2, events).astype(np.float32)}),
            "PuppiMET": ak.Array(
                {
                    "pt": random.exponential(30, events).astype(np.float32),
                    "phi": random.uniform(-np.pi, np.pi, events).astype(np.float32),
                }
            ),
        }
    )


def write_tree(path: Path, name: str, branches: dict[str, Any], form: str = "ttree") -> None:
    """A ROOT file with one tree of exactly these branches, not through our writer."""
    with uproot.recreate(path) as file:
        if form == "rntuple":
            file.mkrntuple(name, branches)
            return
        columns = {n: ak.Array(b) for n, b in branches.items()}
        types = {n: c.type.content if c.ndim > 1 else np.asarray(c).dtype for n, c in columns.items()}
        file.mktree(name, types).extend(columns)
