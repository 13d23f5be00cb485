"""Items that the firmware sorts: as numpy's stable sort, in every model of the design."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.core.layout import Layout
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.core.validation import validate
from codesign.data.preparation.fixed_numbers import PrefixWriter
from codesign.data.preparation.prefix import Preparation
from codesign.data.preparation.raw_codes import InputsSection
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.inference import Session, codes_model, heads_of
from tests.preparation.prepared_networks import exact, network

FIELDS = ("pt", "eta", "number")


def preparation(items: int, sort: list[dict], prepare: dict | None = None) -> Preparation:
    """``number`` is 1 to the number of items: which item it was."""
    names = tuple(f"jet{i}_{field}" for i in range(items) for field in FIELDS)
    raw = {"*_pt": {"bits": 3}, "*_eta": {"bits": 4, "signed": True}, "*_number": {"bits": 5}}
    section = validate(InputsSection, {"raw": raw, "sort": sort, "prepare": prepare or {"*": "x"}}, "inputs")
    return Preparation.of(section, (Layout.of_features(names, ("",) * len(names)),))


def codes(items: int, events: int = 300, seed: int = 0) -> np.ndarray:
    """Raw codes (events, items, fields), keys of which many are equal."""
    rng = np.random.default_rng(seed)
    found = np.stack([rng.integers(0, 4, (events, items)), rng.integers(-8, 8, (events, items))], axis=2)
    return np.concatenate([found, np.broadcast_to(np.arange(1, items + 1)[:, None], (events, items, 1))], axis=2)


def wanted(raw: np.ndarray, keep: int, falling: bool) -> np.ndarray:
    order = np.argsort(-raw[:, :, 0] if falling else raw[:, :, 0], axis=1, kind="stable")
    return np.take_along_axis(raw, order[:, :, None], axis=1)[:, :keep].reshape(len(raw), -1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(items=st.integers(2, 9), keep=st.integers(1, 9), falling=st.booleans(), seed=st.integers(0, 99))
def test_it_is_the_stable_sort(items, keep, falling, seed):
    keep = min(keep, items)
    order = "falling" if falling else "rising"
    sort = [{"by": "*_pt", "carried": ["*_eta", "*_number"], "keep": keep, "order": order}]
    prepared, raw = preparation(items, sort), codes(items, seed=seed)
    assert prepared.names == tuple(f"jet{i}_{field}" for i in range(keep) for field in FIELDS)
    found, true = prepared.prepared(raw.reshape(len(raw), -1)), wanted(raw, keep, falling)
    assert (found == true).all()
    reference = prepared.reference(raw.reshape(len(raw), -1))
    assert all((reference[name] == true[:, i]).all() for i, name in enumerate(prepared.names))


def test_expressions_see_sorted_items_and_others_as_they_are():
    prepare = {"lead": "jet0_pt - jet1_pt", "first": "jet0_eta"}
    prepared, raw = preparation(4, [{"by": "*_pt", "keep": 2}], prepare), codes(4)
    found = prepared.prepared(raw.reshape(len(raw), -1))
    by_pt = np.sort(raw[:, :, 0], axis=1)[:, ::-1]
    assert (found == np.stack([by_pt[:, 0] - by_pt[:, 1], raw[:, 0, 1]], axis=1)).all()


def test_equal_items_that_change_places_are_seen(monkeypatch):
    """The fault: not the stable order."""
    compare = PrefixWriter.compare
    monkeypatch.setattr(PrefixWriter, "compare", lambda self, op, a, b: compare(self, f"{op}OrEqual", a, b))
    sort = [{"by": "*_pt", "carried": ["*_eta", "*_number"]}]
    raw = codes(4)
    found = preparation(4, sort).prepared(raw.reshape(len(raw), -1))
    assert (found != wanted(raw, 4, True)).any()


@pytest.mark.parametrize(
    ("sort", "said"),
    [
        ({"by": "*_mass"}, "no feature matches '\\*_mass'"),
        ({"by": "*_pt", "keep": 5}, "there are 4 items, of which 5 cannot be the first"),
        ({"by": "*_pt", "carried": ["jet0_*"]}, "'jet0_pt' is sorted already"),
        ({"by": "*_pt", "carried": ["jet[01]_eta"]}, "matches 2 features, where there are 4 items"),
        ({"by": "jet0_pt"}, "there are 1 items"),
    ],
)
def test_what_cannot_be_sorted_is_said(sort, said):
    with pytest.raises(InputError, match=f"inputs.sort, .*{said}"):
        _ = preparation(4, [sort]).graph


def test_what_is_dropped_is_not_seen():
    with pytest.raises(InputError, match="there is no column 'jet3_pt'"):
        preparation(4, [{"by": "*_pt", "keep": 2}], {"y": "jet3_pt"})


def test_every_model_of_it_gives_the_same_integers(tmp_path):
    """Circuit, standard ONNX and the network behind: of four items the first two by pT."""
    prepared = preparation(4, [{"by": "*_pt", "carried": ["*_eta", "*_number"], "keep": 2}])
    raw = np.concatenate([codes(4).reshape(-1, 4 * len(FIELDS)), probe_codes(prepared.quantisation.port)[:300]])
    own = network(prepared, raw)
    design = prepared.before(own)
    expected = exact(design, raw)
    q = own.input_quantisation
    entered = q.codes(wanted(raw.reshape(len(raw), 4, len(FIELDS)), 2, True).astype(float))
    assert (expected == exact(own, entered)).all()
    firmware = (flow := Alkaid()).compile(design, load_target("vu13p-360"), tmp_path / "firmware", probe=raw)
    assert (flow.predict(firmware, raw) == expected).all()
    found = Session(codes_model(design)).run(raw.astype(np.int32))
    assert (np.concatenate([found[name] for _, name in heads_of(design.outputs)], axis=1) == expected).all()
