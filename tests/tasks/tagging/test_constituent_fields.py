"""Fields made of constituents: formulas, items that are not there, ranges; and what a study may ask for."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS, constituents_block
from codesign.tasks.tagging.constituent_fields import FIELDS, field_block, fields_layout, widened
from codesign.tasks.tagging.jet_tagging import JetTagging


def jets(number=200, seed=1):
    """Constituents (jets, 32, 3) by falling pT; of each jet 5 to 32."""
    rng = np.random.default_rng(seed)
    found = np.zeros((number, 32, 3), np.float32)
    found[..., 0] = -np.sort(-rng.exponential(30, (number, 32)), axis=1) + 0.2
    found[..., 1:] = rng.normal(0, 0.1, (number, 32, 2))
    found[np.arange(32) >= rng.integers(5, 33, number)[:, None]] = 0
    return found


def test_fields_are_those_of_the_formulas_and_absent_items_are_zeros():
    given = jets()
    made = field_block(given, tuple(FIELDS))
    there = given[..., 0] > 0
    assert (made.values[~there] == 0).all()
    values = dict(zip(FIELDS, np.moveaxis(made.values.astype(float), -1, 0), strict=True))
    pt, eta, _ = np.moveaxis(given.astype(float), -1, 0)
    assert np.array_equal(made.values[..., :3], given)
    assert np.allclose(np.exp(values["log_pt"][there]), pt[there])
    assert np.allclose(values["z"].sum(axis=1), 1)
    assert np.allclose(np.exp(values["log_z"])[there], np.maximum(values["z"], 1e-4)[there])
    assert np.allclose(values["pt_r2"], pt * values["r"] ** 2, atol=1e-4)
    assert np.allclose(values["pt_deta"] ** 2 + values["pt_dphi"] ** 2, (pt * values["r"]) ** 2, rtol=1e-3, atol=1e-4)
    assert np.allclose(np.exp(values["log_r"])[there], np.maximum(values["r"], 1e-3)[there], rtol=1e-4)
    assert np.allclose(eta[there], values["deta"][there])
    assert made.layout.absent == "code"


def test_the_sum_of_one_field_is_the_mass_of_a_collimated_jet():
    """Two massless constituents at R = 0.1 balanced about the axis: m^2 = pT1 pT2 R^2 = pT sum(pT_i r_i^2)."""
    jet = np.zeros((1, 2, 3))
    jet[0] = [[600, 0.04, 0], [400, -0.06, 0]]
    made = field_block(constituents_block(jet).values, ("pt_r2",))
    assert made.values.sum() * 1000 == pytest.approx(600 * 400 * 0.1**2, rel=1e-5)


def test_ranges_reach_what_nearly_all_items_have():
    """Of a field with a long tail; a quantity that ends within four standard deviations keeps its own."""
    block = field_block(jets(2000), ("deta", "pt_r2"))
    flat = block.values.reshape(len(block.values), -1)
    before = InputQuantisation.of_blocks(flat, [block.layout], 8)
    after = widened(before, flat)
    assert after.blocks[0].step[0] == before.blocks[0].step[0]
    assert after.blocks[0].step[1] > 1.2 * before.blocks[0].step[1]
    top = after.blocks[0].types[1].maximum
    shares = [(np.abs(q.codes(flat)[:, 1::2]) >= top).mean() for q in (before, after)]
    assert shares[1] <= 0.0011 < shares[0]


def test_a_study_chooses_fields_and_what_stands_beside_them(monkeypatch):
    given = jets(500)
    features = np.tile(np.arange(16, dtype=np.float32), (500, 1))
    labels = np.arange(500) % 5
    sample = Sample(
        features, labels, FEATURE_NAMES, FEATURE_UNITS, JetTagging.classes, (constituents_block(given),)
    )  # fmt: skip
    monkeypatch.setattr("codesign.data.generated.generated_sample", lambda *args, **more: sample)
    fields = ["deta", "dphi", "log_pt", "pt_r2"]
    problem = JetTagging().open({"card": "jets-13tev", "fields": fields, "jet": ["multiplicity"]}, 1)
    made = problem.sample
    assert [(b.layout.name, b.layout.shape, b.layout.fields) for b in made.blocks] == [
        ("constituents", (32, 4), tuple(fields)),
        ("jet", (1,), ("multiplicity",)),
    ]
    assert made.blocks[0].layout == fields_layout(fields)
    assert (made.blocks[1].values == 15).all()
    plain = JetTagging().open({"card": "jets-13tev"}, 1).sample
    assert np.array_equal(plain.blocks[0].values, given)
    monkeypatch.setattr("codesign.data.generated.generated_sample", lambda *args, **more: replace(sample, blocks=()))
    with pytest.raises(InputError, match=r"sample.fields are of constituents, which this sample does not have"):
        _ = JetTagging().open({"card": "jets-13tev", "fields": fields}, 1).sample


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fields": ["log_ptt"]}, "fields: there is no 'log_ptt' .did you mean 'log_pt'"),
        ({"fields": ["pt", "pt"]}, "fields: a name is there twice"),
        ({"jet": ["charge"]}, "jet: there is no 'charge'"),
    ],
)
def test_what_there_is_not_is_said(wrong, said):
    with pytest.raises(InputError, match=said):
        JetTagging().open({"card": "jets-13tev"} | wrong, 1)
