"""Small files of events, and the scores that they must get."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from codesign.core.design import Design
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.handoff import write_bundle
from codesign.tasks.base import Inputs


@pytest.fixture
def bundle(run, trial, tmp_path):
    return write_bundle(run.path, trial, tmp_path / "bundle")


def same(found, expected):
    """Equal numbers, whatever the width of their type."""
    return np.array_equal(np.asarray(found), np.asarray(expected))


def expected_codes(bundle, features):
    design = Design.load(bundle)
    codes = design.input_quantisation.codes(features)
    found = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    assert len(np.unique(found, axis=0)) > 3, "events that tell nothing apart"
    return found


class PerJet:
    """A task with sixteen features of every jet, made of its pT and eta."""

    collections = ("Jet.pt", "Jet.eta")

    def inputs(self, events):
        counts = np.asarray(ak.num(events.Jet.pt))
        pt, eta = (np.asarray(ak.flatten(events.Jet[f]), dtype=np.float32) for f in ("pt", "eta"))
        features = np.stack([i / 2 + 30 * np.sin(i + (pt if i % 2 else eta)) for i in range(16)], axis=1)
        event = np.repeat(np.arange(len(counts)), counts)
        return Inputs(features, event, np.asarray(ak.flatten(ak.local_index(events.Jet.pt))))


class PerEvent(PerJet):
    """One row per event: its leading jet, or nothing."""

    def inputs(self, events):
        pt = np.asarray(ak.fill_none(ak.firsts(events.Jet.pt), 0), dtype=np.float32)
        features = (np.arange(16) / 2 + 30 * np.sin(pt[:, None] + np.arange(16))).astype(np.float32)
        return Inputs(features, np.arange(len(events)), np.full(len(events), -1))


def some_events(n=997, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, n)
    total = int(counts.sum())
    columns = {"pt": rng.exponential(30, total), "eta": rng.normal(size=total), "phi": rng.uniform(-3, 3, total)}
    jets = ak.zip({name: column.astype(np.float32) for name, column in columns.items()} | {"mass": np.ones(total)})
    return ak.zip(
        {
            "run": np.full(n, 7, dtype=np.uint32),
            "luminosityBlock": np.arange(n, dtype=np.uint32) // 100,
            "event": np.arange(n, dtype=np.uint64) * 3,
            "Jet": ak.unflatten(jets, counts),
        },
        depth_limit=1,
    )
