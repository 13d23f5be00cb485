"""What the network is given: the trigger's integers, in a fixed order, and how they go into few bits."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.physics.events.l1_scales import hardware
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.level1_inputs import (
    COLLECTIONS,
    FEATURES,
    UNITS,
    columns_of,
    event_inputs,
    quantisation_of,
)
from tests.tasks.anomaly.toy_level1 import toy_level1


def events_of(**collections):
    """One event with objects given as (pt, eta, phi)."""
    fields = {}
    for name in ("L1Jet", "L1EG", "L1Mu"):
        objects = collections.get(name, [])
        fields[name] = ak.Array([[dict(zip(("pt", "eta", "phi"), o, strict=True)) for o in objects]])
        if not objects:
            fields[name] = ak.Array([[{"pt": 0.0, "eta": 0.0, "phi": 0.0}]])[:, :0]
    met = collections.get("met", (0.0, 0.0))
    fields["L1EtSum"] = ak.Array(
        [[{"pt": 500.0, "phi": 0.0, "etSumType": 0}, {"pt": met[0], "phi": met[1], "etSumType": 2}]]
    )
    return ak.Array(fields)


def test_nineteen_objects_with_three_numbers_each():
    assert len(FEATURES) == len(UNITS) == 57
    assert FEATURES[:4] == ("met_pt", "met_eta", "met_phi", "eg0_pt")
    assert [len(columns_of(kind, "pt")) for kind in ("met", "eg", "muon", "jet")] == [1, 4, 4, 10]
    assert UNITS[:3] == ("L1 units of 0.5 GeV", "L1 units of 0.0435", "L1 units of 0.0436332 rad")


def test_objects_are_sorted_padded_and_on_the_triggers_scales():
    row = event_inputs(
        events_of(L1Jet=[(20.0, 1.0, -0.5), (90.0, -2.0, 3.0)], L1Mu=[(10.0, 0.5, -3.0)], met=(33.3, -1.0))
    ).features[0]
    named = dict(zip(FEATURES, row.tolist(), strict=True))
    assert (named["jet0_pt"], named["jet1_pt"], named["jet2_pt"]) == (180, 40, 0)
    assert (named["jet0_eta"], named["jet0_phi"]) == (-46, 69)  # 2.0 / 0.0435, 3.0 / (2 pi / 144)
    assert named["jet1_phi"] == -11  # counted from -pi to pi, as the trigger's 133
    assert named["muon0_pt"] == 21  # 0 GeV is code 1
    assert (named["muon0_eta"], named["muon0_phi"]) == (46, -275)
    assert (named["met_pt"], named["met_eta"], named["met_phi"]) == (66, 0, -23)
    assert not any(value for name, value in named.items() if name.startswith(("eg", "jet2", "muon1")))


def test_an_eleventh_jet_does_not_come_in():
    row = event_inputs(events_of(L1Jet=[(10.0 + i, 0.1, 0.1) for i in range(12)])).features[0]
    assert row[columns_of("jet", "pt")].tolist() == [42 - 2 * i for i in range(10)]


def test_objects_of_other_crossings_do_not_count():
    events = events_of(L1Jet=[(20.0, 0.0, 0.0), (90.0, 0.0, 0.0)])
    events["L1Jet"] = ak.with_field(events.L1Jet, ak.Array([[0, 1]]), "bx")
    assert event_inputs(events).features[0][columns_of("jet", "pt")].tolist() == [40] + [0] * 9


def test_files_without_level_1_objects_give_their_own():
    events = toy_level1(50, 5)
    offline = ak.Array({"Jet": events.L1Jet, "Electron": events.L1EG, "Muon": events.L1Mu, "Pileup": events.Pileup})
    sums = events.L1EtSum[:, 1]
    offline["MET"] = ak.zip({"pt": sums.pt, "phi": sums.phi})
    assert np.array_equal(event_inputs(offline).features, event_inputs(events).features)
    with pytest.raises(InputError, match="the events have no eg: expected one of the collections L1EG, Electron"):
        event_inputs(offline[["Jet", "Muon", "MET"]])


def test_the_task_says_what_it_reads_and_gives_a_row_per_event():
    task, events = Anomaly(), toy_level1(30, 6)
    assert task.collections == COLLECTIONS
    made = task.inputs(events)
    assert made.features.shape == (30, 57)
    assert made.event.tolist() == list(range(30))
    assert set(made.object.tolist()) == {-1}
    assert (made.features[:, 0] == hardware("L1EtSum", "pt", np.asarray(events.L1EtSum.pt[:, 1]))).all()


@settings(max_examples=30, deadline=None)
@given(bits=st.integers(4, 12), scale=st.floats(1, 300), seed=st.integers(0, 10))
def test_integers_are_shifted_and_saturate_only_in_the_tail(bits, scale, seed):
    random = np.random.default_rng(seed)
    x = np.floor(random.exponential(scale, (4000, 2)))
    x[:, 1] = np.floor(random.uniform(-144, 144, 4000))
    quantisation = quantisation_of(x, ("jet0_pt", "jet0_eta"), ("", ""), bits)
    for offset, step in zip(quantisation.offset, quantisation.step, strict=True):
        assert np.log2(step) == round(np.log2(step)) >= 0
        assert offset % step == 0
    assert [t.width for t in quantisation.types] == [bits, max(2, bits - 3)]
    codes = quantisation.codes(x)
    low, high = quantisation.port.bounds
    assert (codes[:, 0] > low[0]).mean() > 0.99
    assert (codes >= high).mean(axis=0)[0] < 0.002
    assert (np.abs(codes[:, 1]) < high[1] + 1).all()
    # no coarser than needed
    fine = np.asarray(quantisation.step)
    tops = (np.quantile(x, 0.9999, axis=0) - [x[:, 0].mean(), 0], np.abs(x).max(axis=0))
    assert fine[0] == 1 or tops[0][0] > high[0] * fine[0] / 2
    assert fine[1] == 1 or tops[1][1] > high[1] * fine[1] / 2
