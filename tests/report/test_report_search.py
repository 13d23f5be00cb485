"""What the report says of a search: hypervolume, choices and their importance, each against what is known by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Metric
from codesign.report.choices import choices, importances
from codesign.report.collect import PlotAxis, Trial
from codesign.report.hypervolume import hypervolume, progress

GOALS = [PlotAxis("accuracy", True, None), PlotAxis("lut", False, Fidelity.COMPILED)]


def trial(number, config, accuracy, lut, state="complete"):
    figures = [Figure.of("lut", lut, Fidelity.COMPILED, "alkaid", "1")]
    metrics = {"accuracy": Metric(value=accuracy, error=0.01)}
    return Trial(number, state, "", None, 1, 1.0, config, metrics, figures, [], False)


def test_hypervolume_of_boxes():
    assert hypervolume([(0.5, 0.5)], (1, 1)) == pytest.approx(0.25)
    assert hypervolume([(0.5, 0.25), (0.25, 0.5), (0.6, 0.6)], (1, 1)) == pytest.approx(0.5)
    assert hypervolume([(0, 0, 0.5), (0.5, 0.5, 0)], (1, 1, 1)) == pytest.approx(0.5 + 0.125)
    assert hypervolume([(1, 0), (2, 2)], (1, 1)) == 0


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=8))
def test_hypervolume_counts_the_dominated_cells(points):
    cells = np.zeros((4, 4, 4), dtype=bool)
    for a, b, c in points:
        cells[a:, b:, c:] = True
    assert hypervolume(points, (4, 4, 4)) == pytest.approx(cells.sum())


def test_progress_grows_and_counts_no_infeasible_trial():
    trials = [
        trial(0, {}, 0.6, 1000), trial(1, {}, 0.9, 10, "infeasible"), trial(2, {}, 0.5, 500), trial(3, {}, 0.55, 1500),
        trial(4, {}, 0.7, 1500),
    ]  # fmt: skip
    found = progress(trials, GOALS)
    assert [n for n, _ in found] == [0, 4] or [n for n, _ in found] == [0, 2, 4]
    values = [v for _, v in found]
    assert values == sorted(values)
    # box: accuracy 0.5 to 0.7, lut 500 to 1500; trial 0 is half way in both, the others are at the walls
    assert values[-1] == pytest.approx(0.25)
    assert progress(trials[:1], GOALS) == []


def test_a_choice_that_decides_is_found():
    rng = np.random.default_rng(3)
    trials = []
    for i in range(200):
        widths = [int(w) for w in rng.choice([8, 16, 32], rng.integers(1, 4))]
        config = {
            "widths": widths,
            "input_bits": int(rng.integers(4, 9)),
            "fixed": 3,
            "mode": str(rng.choice(["a", "b"])),
        }
        trials.append(trial(i, config, 0.5 + 0.04 * config["input_bits"] + rng.normal(0, 0.01), 100 * sum(widths)))
    assert {c.label for c in choices(trials)} == {"number of widths", "mean of widths", "input bits", "mode"}
    accuracy, lut = importances(SimpleNamespace(trials=trials, objectives=GOALS))
    assert accuracy.explained > 0.8
    assert accuracy.drops[0][0] == "input_bits"
    assert lut.drops[0][0] == "widths"
    assert all(abs(drop) < 0.1 for key, drop, _ in accuracy.drops if key != "input_bits")
    assert importances(SimpleNamespace(trials=trials[:10], objectives=GOALS)) == []
