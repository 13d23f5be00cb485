"""The calibration of networks on items: fits of each kind of circuit, and none for another."""

import json
from pathlib import Path

import numpy as np
import pytest

from codesign.calibration.repeated_fits import fits_of_items
from codesign.flows import expected
from codesign.flows.expected import REPEATED_FITS, expect
from codesign.graph.model_kind import kind_of_circuit
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, weights
from tests.graph.item_networks import network

REFERENCE = Path(__file__).resolve().parents[2] / "reports" / "reference"
RECORDS = ("folding.json", "circuit_kinds.json")


def test_the_shipped_fits_are_those_of_the_record():
    records = [json.loads((REFERENCE / name).read_text(encoding="utf-8")) for name in RECORDS]
    made = fits_of_items([row for record in records for row in record["rows"]])
    assert made == json.loads(REPEATED_FITS.read_text(encoding="utf-8"))
    assert {f["kind"] for f in made} == {"repeated", "folded", "items", "tables", "products"}
    assert all(f["error_fitted"] < 0.15 for f in made if f["quantity"] == "lut")


def test_a_fit_is_of_its_kind(monkeypatch, tmp_path):
    rows = [
        {"asked": 1, "compiled_lut": c, "lut": 1.1 * c, "compiled_ff": c, "ff": c / 2} for c in range(1000, 2200, 100)
    ]
    few = [{"asked": 9, "compiled_lut": c, "lut": c, "compiled_ff": c, "ff": c} for c in range(1000, 1900, 100)]
    made = fits_of_items(rows + few)
    assert {(f["kind"], f["quantity"]) for f in made} == {("repeated", "lut"), ("repeated", "ff")}, "nine are too few"
    (tmp_path / "fits.json").write_text(json.dumps(made))
    monkeypatch.setattr(expected, "REPEATED_FITS", tmp_path / "fits.json")
    expected._fits.cache_clear()
    try:
        found = expect("lut", 1500, "xcup", "repeated")
        assert found.value == pytest.approx(1650)
        assert "12 networks of a module for each item" in found.source
        assert expect("lut", 1500, "xcup", "folded") is None
        assert expect("lut", 5000, "xcup", "repeated") is None
        assert expect("lut", 1500, "xcup", "items") is None
    finally:
        expected._fits.cache_clear()


def test_what_a_network_is_made_of():
    rng = np.random.default_rng(0)
    flat = GraphBuilder(6)
    dense = design_of(flat.finish(flat.layer("x", weights(rng, (6, 2), 4)), 2), kind_of(4, True), 6)
    kinds = ("deep set, sum", "conv1d", "deep set, validity bit", "linear attention")
    assert kind_of_circuit(dense) == "network"
    assert [kind_of_circuit(network(k, 4, width=4)) for k in kinds] == ["items", "items", "products", "products"]
    for kind in ("items", "tables", "products"):
        small = expect("lut", 1000, "xcup", kind)
        assert small is not None
        assert small.value > 1300, "the fit of the fully connected is 1.45 times too low"
        assert f"networks {'on' if kind == 'items' else 'with'} {kind} of" in small.source
        assert [expect("lut", v, f, kind) for v, f in ((50, "xcup"), (9000, "xcup"), (1000, "ecp5"))] == [None] * 3
    folded = expect("lut", 5000, "xcup", "folded")
    assert folded is not None
    assert "20 folded networks" in folded.source
    assert expect("lut", 5000, "ecp5", "folded") is None
    assert expect("lut", 1e6, "xcup", "folded") is None
