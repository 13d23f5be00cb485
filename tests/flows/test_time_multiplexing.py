"""The circuit with which an initiation interval of two was tried gives both halves of a layer, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.time_multiplexing import circuit, used_twice


@pytest.mark.parametrize("seed", range(3))
def test_adders_that_are_used_twice_give_both_halves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(-7, 8, (2, 6, 3))
    made = circuit(6, lambda x: used_twice(x, first, second))
    x = rng.integers(0, 64, (500, 6)).astype(float)
    for phase, weights in ((1.0, first), (0.0, second)):
        inputs = np.ascontiguousarray(np.concatenate([x, np.full((500, 1), phase)], axis=1))
        assert np.array_equal(made.predict(inputs, n_threads=1), x @ weights)
