"""Our anti-kt gives FastJet's jets, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.physics.detector.antikt import cluster

fastjet = pytest.importorskip("fastjet", reason="fastjet is not installed")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [1, 2, 30, 400])
def test_same_jets_as_fastjet(n: int, seed: int) -> None:
    random = np.random.default_rng([n, seed])
    pt = random.exponential(3, n) ** 1.5 + 0.05
    eta, phi = random.uniform(-5, 5, n), random.uniform(-np.pi, np.pi, n)
    mass = random.choice([0.0, 0.14, 0.94], n)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    e = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    axes, jet_of = cluster(px, py, pz, e, 0.4, 1.0)
    inputs = [fastjet.PseudoJet(*map(float, p)) for p in zip(px, py, pz, e, strict=True)]
    for i, p in enumerate(inputs):
        p.set_user_index(i)
    sequence = fastjet.ClusterSequence(inputs, fastjet.JetDefinition(fastjet.antikt_algorithm, 0.4))
    expected = fastjet.sorted_by_pt(sequence.inclusive_jets(1.0))
    assert len(axes) == len(expected)
    for number, jet in enumerate(expected):
        np.testing.assert_allclose(axes[number], [jet.px(), jet.py(), jet.pz(), jet.e()], rtol=1e-9, atol=1e-9)
        assert sorted(np.flatnonzero(jet_of == number)) == sorted(c.user_index() for c in jet.constituents())
