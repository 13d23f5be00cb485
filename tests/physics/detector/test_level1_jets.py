"""The L1 trigger's jets on towers made by hand."""

from __future__ import annotations

import numpy as np

from codesign.physics.detector import level1, particle_flow
from codesign.physics.detector.smearing import CE, NH_HLT, new_grid
from codesign.physics.detector.towers import PHIS, RING_CENTRE, RINGS, ring_of


def blank() -> np.ndarray:
    return np.zeros((2, RINGS, PHIS), np.int32)


def test_one_jet_on_flat_pile_up() -> None:
    """Pile-up that is the same everywhere is taken off to the unit; the jet's own towers do not count as pile-up."""
    towers = blank()
    towers[1] += 2
    towers[0, 40, 70] += 60
    towers[1, 41, 0] += 20
    (jet,) = level1.jets(towers)
    assert jet.tolist() == [81 * 2 + 80, 81 * 2, 40, 70, 0]


def test_turned_events_give_turned_jets() -> None:
    random = np.random.default_rng(2)
    towers = random.poisson(0.6, (2, RINGS, PHIS)).astype(np.int32)
    towers[0, 5:75:7, 3] += random.integers(10, 200, 10).astype(np.int32)
    jets = level1.jets(towers)
    assert len(jets) >= 5
    turned = level1.jets(np.roll(towers, 11, axis=2))
    jets[:, 3] = (jets[:, 3] + 11) % PHIS
    # of two equal towers the one at larger azimuth wins, which the turn over the edge can change: none of these is
    assert sorted(map(tuple, turned.tolist())) == sorted(map(tuple, jets.tolist()))


def test_two_equal_towers_are_one_jet() -> None:
    towers = blank()
    towers[0, 30, 10:12] = 40
    assert level1.jets(towers).tolist() == [[80, 0, 30, 11, 0]]


def test_saturated_tower() -> None:
    towers = blank()
    towers[0, 30, 10] = 400
    towers[1, 30, 10] = 400
    ((raw, _, _, _, full),) = level1.jets(towers).tolist()
    assert (raw, full) == (level1.TOWER_MAX, 1)


def test_electrons() -> None:
    """A cluster in ECAL is one; with energy behind it in HCAL it is none; surroundings fill the isolation."""
    towers = blank()
    towers[0, 40, 5] = 50
    towers[0, 40, 6] = 20
    towers[1, 43, 8] = 12
    (found,) = level1.candidates(towers)
    assert found[:4].tolist() == [70, 40, 5, 12]
    towers[1, 40, 5] = 20
    assert len(level1.candidates(towers)) == 0


def test_missing_energy_points_away() -> None:
    towers = blank()
    towers[1, 40, 0] = 100
    total, x, y, _, _ = level1.sums(towers, level1.PILE_UP_SLOPE)
    assert total == 100
    assert x < -99
    assert abs(y) < 5


def test_density_is_that_of_a_flat_grid() -> None:
    cells, _, _ = new_grid()
    empty, _, _ = new_grid()
    low, high = ring_of(-1.5), ring_of(1.5)
    cells[low * PHIS : (high + 1) * PHIS, CE] = 0.25
    rho = particle_flow.density(particle_flow.hlt_inputs(cells, empty), 1.2)
    width = 0.087 * 2 * np.pi / PHIS
    assert abs(rho / (0.25 / width) - 1) < 0.02
    cells[40 * PHIS, NH_HLT] = 500  # a jet does not move the median
    assert particle_flow.density(particle_flow.hlt_inputs(cells, empty), 1.2) < 1.05 * rho


def test_areas() -> None:
    """A jet alone covers pi R^2; of two close ones the harder keeps its circle."""
    alone = particle_flow.areas(np.array([50.0]), np.array([0.3]), np.array([1.0]), 0.4)
    assert abs(alone[0] / (np.pi * 0.16) - 1) < 0.06
    two = particle_flow.areas(np.array([500.0, 20.0]), np.array([0.3, 0.8]), np.array([1.0, 1.0]), 0.4)
    assert abs(two[0] / alone[0] - 1) < 0.02
    assert two[1] < 0.95 * alone[0]
    assert RING_CENTRE[ring_of(0.3)] < 0.35
