"""Rates of Level-1 seeds beside published ones: what fires, its rate and error, and what may be said of it."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from codesign.physics.detector.seed_rates import CROSSINGS, SEEDS, seed_rates
from codesign.physics.events.l1_scales import L1_SUMS


def objects(**fields: list[list[float]]) -> ak.Array:
    return ak.zip({name: ak.Array(values) for name, values in fields.items()})


EVENTS = {
    "L1Mu": objects(pt=[[25.0, 8.0], [22.0], [30.0], []], eta=[[0.1, 1.0], [0.0], [1.0], []],
                    hwQual=[[12, 8], [12], [4], []]),
    "L1EG": objects(pt=[[40.0, 12.0], [36.0], [], [25.0, 12.5]], eta=[[0.1, 2.0], [2.9], [], [1.0, 0.0]]),
    "L1Jet": objects(pt=[[180.0], [100.0, 100.0], [100.0, 120.0], []], eta=[[4.5], [1.0, 2.9], [1.0, 3.5], []]),
    "L1EtSum": objects(pt=[[280.0, 80.0], [279.5, 100.0], [0.0, 0.0], [400.0, 5.0]],
                       etSumType=[[L1_SUMS["HT"], L1_SUMS["FET"]]] * 4),
}  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        ("SingleMu22", [1, 1, 0, 0]),
        ("DoubleMu_15_7", [1, 0, 0, 0]),
        ("SingleEG36", [1, 1, 0, 0]),
        ("DoubleEG_25_12", [1, 0, 0, 1]),
        ("SingleJet180", [1, 0, 0, 0]),
        ("DoubleJet100er3p0", [0, 1, 0, 0]),
        ("HTT280er", [1, 0, 0, 1]),
        ("ETMHF100", [0, 1, 0, 0]),
    ],
)
def test_what_fires(seed: str, expected: list[int]) -> None:
    assert SEEDS[seed].fires(EVENTS).astype(int).tolist() == expected


def test_rates_are_weighted_and_read_by_the_program() -> None:
    """Each seed at a chosen share of the published rate; one of three times it, known well, is said to be outside."""
    number, wanted = 100_000, np.geomspace(0.2, 3, len(SEEDS))
    weights = np.full(number, 1 / number)
    weights[: number // 2] /= 10  # events that are a tenth of a crossing
    fires = np.zeros((number, len(SEEDS)), np.bool_)
    for column, (seed, times) in enumerate(zip(SEEDS.values(), wanted, strict=True)):
        count = round(times * seed.khz / CROSSINGS * number * 10)
        fires[:count, column] = True
    found = seed_rates(fires, weights)
    for name, times in zip(SEEDS, wanted, strict=True):
        row, count = found[name], fires[:, list(SEEDS).index(name)].sum()
        if count > number // 2:
            continue
        assert row["khz"] == pytest.approx(count / (10 * number) * CROSSINGS)
        assert row["error"] == pytest.approx(np.sqrt(count) / (10 * number) * CROSSINGS)
        assert row["low"] < row["ratio"] < row["high"]
        inside = row["low"] >= 0.5 and row["high"] <= 2
        outside = row["high"] < 0.5 or row["low"] > 2
        said = "within" if inside else "outside" if outside else "not told"
        assert row["reading"].startswith(said), name
        if count > 2000 and not 0.45 < times < 2.2:
            assert row["reading"] == "outside a factor of two"
    nothing = seed_rates(np.zeros_like(fires), weights)["SingleMu22"]
    assert nothing["khz"] == 0
    assert "ratio" not in nothing
