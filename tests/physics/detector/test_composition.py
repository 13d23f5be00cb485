"""What offline jets are made of, beside CMS's simulation: the fit finds what was put in, and both halves are judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from codesign.physics.detector.composition import KINDS, Composition, offline_composition
from codesign.physics.detector.composition_fit import COLUMNS, apply_composition, fit_composition, jet_rows, means_of
from codesign.physics.events import read_events
from tests.trees import ROOT

PUT_IN = Composition(
    neutral_to_charged=0.4,
    neutral_to_electrons=0.05,
    neutral_to_photons=0.1,
    muons_to_charged=0.3,
    charged_number=1.25,
    neutral_number=0.9,
    scale=0.9,
)


@pytest.fixture(scope="module")
def jets() -> np.ndarray:
    random = np.random.default_rng(1)
    fractions = random.dirichlet([5, 2, 0.2, 2, 0.2], 20_000)
    charged, neutral = random.poisson(8, 20_000), random.poisson(6, 20_000)
    return np.column_stack([fractions, charged + neutral, charged, neutral, random.normal(0.02, 0.05, 20_000)])


def test_the_fit_finds_what_was_put_in(jets: np.ndarray) -> None:
    found = fit_composition(jets[::2], apply_composition(PUT_IN, jets[1::2]))
    for name, value in PUT_IN.model_dump().items():
        assert getattr(found, name) == pytest.approx(value, abs=0.06 if name.startswith("muons") else 0.02), name
    rows = means_of(apply_composition(found, jets[::2]), apply_composition(PUT_IN, jets[1::2]))
    assert all(row["within"] for row in rows.values())
    assert not all(row["within"] for row in means_of(jets[::2], apply_composition(PUT_IN, jets[1::2])).values())


def test_energy_is_moved_not_made(jets: np.ndarray) -> None:
    made = PUT_IN.fractions(jets[:, : len(KINDS)])
    assert made.sum(axis=1) == pytest.approx(np.ones(len(jets)))
    assert (made >= 0).all()
    assert Composition().fractions(jets[:, : len(KINDS)]) == pytest.approx(jets[:, : len(KINDS)])


def test_events_hold_it(simulated: Callable[..., object]) -> None:
    """Offline jets of the simulation add up, their numbers do, and the scale is the detector's own."""
    jets = simulated("ttbar", 120).Jet  # type: ignore[attr-defined]
    assert ak.all(abs(sum(jets[name] for name in KINDS) - 1) < 1e-5)
    assert ak.all(jets.nConstituents == jets.chMultiplicity + jets.neMultiplicity)
    assert ak.mean(1 - jets.rawFactor) == pytest.approx(offline_composition().scale, abs=0.1)


def test_the_record_is_of_this_detector_and_of_cms_file(published_data: Callable[[str], Path]) -> None:
    content = json.loads((ROOT / "reports" / "reference" / "composition.json").read_text(encoding="utf-8"))
    assert Composition.model_validate(content["fitted"]) == offline_composition()
    events = ak.concatenate(list(read_events([published_data("cms_nanoaod/nano_tt_v15.root")], ["Jet"])))
    judged = jet_rows(events[1::2])
    assert len(judged) == content["jets"]["cms, judged"]
    for name, mean in zip(COLUMNS, judged.mean(axis=0), strict=True):
        assert content["half that was judged"]["detector"][name]["cms"][0] == pytest.approx(mean, abs=1e-4)
