from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS, features_of, features_of_jagged, groomed_mask


def by_name(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, row.tolist(), strict=True))


def test_two_constituents_by_hand() -> None:
    """Two hard prongs pass the grooming: every number can be written down."""
    row = by_name(features_of(np.array([[[600.0, 0.0, 0.0], [400.0, 0.3, 0.0]]]))[0])
    assert row["zlogz"] == pytest.approx(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert row["c1_b0_mmdt"] == pytest.approx(0.24)
    assert row["c1_b1_mmdt"] == pytest.approx(0.24 * 0.3)
    assert row["c1_b2_mmdt"] == pytest.approx(0.24 * 0.09)
    assert row["mass_mmdt"] == pytest.approx(math.sqrt(2 * 600 * 400 * (math.cosh(0.3) - 1)), rel=1e-5)
    assert row["multiplicity"] == 2
    assert row["c2_b1_mmdt"] == row["d2_b1_mmdt"] == row["n2_b1_mmdt"] == row["m2_b1_mmdt"] == 0


def test_soft_prong_is_groomed_away() -> None:
    """Below zcut the soft prong goes: one constituent is left, its ratios and mass are 0, multiplicity stays."""
    row = by_name(features_of(np.array([[[950.0, 0.0, 0.0], [50.0, 0.3, 0.0]]]))[0])
    assert row["mass_mmdt"] == row["c1_b0_mmdt"] == row["c1_b1_mmdt"] == 0
    assert row["multiplicity"] == 2
    assert groomed_mask(np.array([950.0, 50.0]), np.array([0, 0.3]), np.zeros(2)).tolist() == [True, False]


def test_against_brute_force(jets: np.ndarray) -> None:
    """Correlators of the groomed constituents, summed as the papers write them."""
    for jet in jets[4:16].astype(np.float64):
        jet = jet[jet[:, 0] > 0]
        row = by_name(features_of(jet[None])[0])
        kept = jet[groomed_mask(*jet.T)]
        z = kept[:, 0] / kept[:, 0].sum()
        r = np.hypot(*(kept[:, None, k] - kept[None, :, k] for k in (1, 2)))
        n = range(len(z))
        for b in (1, 2):
            e2 = sum(z[i] * z[j] * r[i, j] ** b for i, j in itertools.combinations(n, 2))
            triples = [
                (z[i] * z[j] * z[k], sorted((r[i, j] ** b, r[i, k] ** b, r[j, k] ** b)))
                for i, j, k in itertools.combinations(n, 3)
            ]
            e3 = sum(w * d[0] * d[1] * d[2] for w, d in triples)
            assert row[f"c1_b{b}_mmdt"] == pytest.approx(e2, rel=1e-5)
            if len(kept) > 1:
                assert row[f"c2_b{b}_mmdt"] == pytest.approx(e3 / e2**2, rel=1e-5)
                assert row[f"d2_b{b}_mmdt"] == pytest.approx(e3 / e2**3, rel=1e-5)
                assert row[f"m2_b{b}_mmdt"] == pytest.approx(sum(w * d[0] for w, d in triples) / e2, rel=1e-5)
                assert row[f"n2_b{b}_mmdt"] == pytest.approx(sum(w * d[0] * d[1] for w, d in triples) / e2**2, rel=1e-5)


# column -> what FastJet's contrib calls it; C1 with beta = 1 is e2
CONTRIB = {
    "c1_b1_mmdt": {"func": "cseries", "npoint": 1, "beta": 1},
    "c2_b1_mmdt": {"func": "cseries", "npoint": 2, "beta": 1},
    "c2_b2_mmdt": {"func": "cseries", "npoint": 2, "beta": 2},
    "d2_b1_mmdt": {"func": "generalizedd2", "alpha": 1, "beta": 1},
    "d2_b2_mmdt": {"func": "generalizedd2", "alpha": 2, "beta": 2},
    "d2_a1_b1_mmdt": {"func": "generalizedd2", "alpha": 1, "beta": 1},
    "d2_a1_b2_mmdt": {"func": "generalizedd2", "alpha": 1, "beta": 2},
    "m2_b1_mmdt": {"func": "mseries", "npoint": 2, "beta": 1},
    "m2_b2_mmdt": {"func": "mseries", "npoint": 2, "beta": 2},
    "n2_b1_mmdt": {"func": "nseries", "npoint": 2, "beta": 1},
    "n2_b2_mmdt": {"func": "nseries", "npoint": 2, "beta": 2},
}


def test_against_fastjet_contrib(jets: np.ndarray) -> None:
    """Grooming and correlators of FastJet contrib's SoftDrop and EnergyCorrelator, on the same constituents."""
    fastjet = pytest.importorskip("fastjet", reason="fastjet is not installed")
    ak = pytest.importorskip("awkward")
    cambridge = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1.0)
    compared = 0
    for jet in jets[4:].astype(np.float64):
        pt, eta, phi = jet[jet[:, 0] > 0].T
        p = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "E": pt * np.cosh(eta)}
        sequence = fastjet.ClusterSequence(ak.zip(p, with_name="Momentum4D"), cambridge)
        groomed = sequence.exclusive_jets_softdrop_grooming(njets=1, beta=0.0, symmetry_cut=0.1, R0=1.0)
        row = by_name(features_of_jagged(pt, eta, phi, np.array([0, len(pt)]))[0])
        assert row["mass_mmdt"] == pytest.approx(float(groomed.msoftdrop), rel=1e-4, abs=1e-3)
        parts = {k: np.asarray(ak.flatten(groomed.constituents[k], axis=None)) for k in p}
        if len(parts["px"]) < 3:  # contrib divides by 0
            continue
        compared += 1
        again = fastjet.ClusterSequence(ak.zip(parts, with_name="Momentum4D"), cambridge)
        for name, settings in CONTRIB.items():
            theirs = float(np.ravel(again.exclusive_jets_energy_correlator(njets=1, **settings))[0])
            assert row[name] == pytest.approx(theirs, rel=1e-4), name
    assert compared > 20


def test_few_constituents_are_finite(jets: np.ndarray) -> None:
    features = features_of(jets)
    assert features.shape == (40, 16)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert (features[0] == 0).all()
    assert features[1].tolist() == [0] * 15 + [1]
    same_place = features_of(np.array([[[500.0, 0.1, 0.1], [500.0, 0.1, 0.1], [400.0, 0.1, 0.1]]]))
    assert np.isfinite(same_place).all()


def test_order_padding_and_rotation_do_not_matter(jets: np.ndarray) -> None:
    expected = features_of(jets)
    shuffled = jets[:, np.random.default_rng(0).permutation(32)]
    np.testing.assert_allclose(features_of(shuffled), expected, rtol=1e-4, atol=1e-5)
    padded = np.pad(jets, ((0, 0), (0, 9), (0, 0)))
    np.testing.assert_array_equal(features_of(padded), expected)
    turned = jets + np.float32([0, 0.5, 3.0]) * (jets[..., :1] > 0)  # across phi = pi too
    np.testing.assert_allclose(features_of(turned), expected, rtol=1e-3, atol=2e-4)


def test_units_and_scaling(jets: np.ndarray) -> None:
    """Only the mass has a unit: it scales with pT, the others stay."""
    assert {n for n, u in zip(FEATURE_NAMES, FEATURE_UNITS, strict=True) if u == "GeV"} == {"mass_mmdt"}
    expected = features_of(jets)
    expected[:, FEATURE_NAMES.index("mass_mmdt")] *= 2
    np.testing.assert_allclose(features_of(jets * np.float32([2, 1, 1])), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_bad_constituents_are_refused(value: float) -> None:
    bad = np.ones((3, 4, 3))
    bad[1, 2, 0] = value
    with pytest.raises(InputError, match="jet 1"):
        features_of(bad)
    with pytest.raises(InputError, match="shape"):
        features_of(np.ones((3, 4)))
