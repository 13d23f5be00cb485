"""A jet's inputs are what the page of the inputs says, whatever the chunk."""

import awkward as ak
import numpy as np
import pytest

from codesign.tasks.jets.jet_energy import JetEnergy, JetEnergyOffline
from codesign.tasks.jets.jet_inputs import FEATURES, jet_inputs, kinematics
from tests.tasks.jets.toy_events import toy_events


def test_every_jet_of_every_event_in_order():
    events = toy_events(50)
    found = jet_inputs(events, "HLTJet")
    assert found.features.shape == (150, len(FEATURES))
    assert found.features.dtype == np.float32
    assert found.event.tolist() == np.repeat(np.arange(50), 3).tolist()
    assert found.object.tolist() == [0, 1, 2] * 50
    pt, eta, rho, area = kinematics(found.features)
    jets = events.HLTJet
    raw = ak.flatten(jets.pt * (1 - jets.rawFactor))
    assert pt == pytest.approx(np.asarray(raw), rel=1e-5)
    assert eta == pytest.approx(np.abs(np.asarray(ak.flatten(jets.eta))), rel=1e-6)
    share = np.maximum(1 - rho * area / pt, 1 / 8)
    assert found.features[:, 1] == pytest.approx(np.log2(share), abs=1e-5)


def test_chunks_do_not_matter():
    events = toy_events(40)
    whole = jet_inputs(events, "HLTJet").features
    parts = np.concatenate([jet_inputs(events[a : a + 7], "HLTJet").features for a in range(0, 40, 7)])
    assert np.array_equal(whole, parts)


def test_events_without_jets():
    events = toy_events(3)
    events = ak.with_field(
        events, events.HLTJet[ak.local_index(events.HLTJet.pt) < np.array([[0], [2], [0]])], "HLTJet"
    )
    found = jet_inputs(events, "HLTJet")
    assert found.event.tolist() == [1, 1]
    assert found.object.tolist() == [0, 1]
    assert jet_inputs(events[:1], "HLTJet").features.shape == (0, len(FEATURES))


def test_offline_jets_are_a_task_of_their_own():
    events = toy_events(5)
    assert not np.array_equal(JetEnergy().inputs(events).features, JetEnergyOffline().inputs(events).features)
    assert "Jet.rawFactor" in JetEnergyOffline().collections
