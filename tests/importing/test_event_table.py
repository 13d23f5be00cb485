"""Events for an imported model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.importing.event_table import read_events_of

KIND = FixedPoint(signed=True, integer_bits=3, fraction_bits=2)
PORT = Port(name="features", types=(KIND,) * 2, labels=("pt", "eta"))


def test_a_table_has_a_column_for_each_input_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pandas.DataFrame({"eta": [1.0, 2.0, 3.0], "label": [0, 2, 1], "pt": [10.0, 20.0, 30.0], "x": 0.0}).to_parquet(path)
    events = read_events_of(path, PORT)
    assert events.x.tolist() == [[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]]
    assert events.labels is not None
    assert events.labels.tolist() == [0, 2, 1]
    assert events.classes == ("0", "1", "2")
    pandas.DataFrame({"eta": [1.0], "pT": [10.0]}).to_parquet(path)
    with pytest.raises(InputError, match=r"column 'pt' is missing \(did you mean 'pT'\?\)"):
        read_events_of(path, PORT)


def test_arrays_may_be_shaped_and_labels_one_hot(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    np.savez(path, features=np.ones((4, 1, 2)), labels=np.eye(4)[[0, 3, 1, 1]])
    events = read_events_of(path, PORT)
    assert events.x.shape == (4, 2)
    assert events.labels is not None
    assert events.labels.tolist() == [0, 3, 1, 1]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y": np.ones(3)}, "neither an array 'x' nor 'features'"),
        ({"x": np.ones((3, 5))}, r"not \(events, 2\)"),
        ({"x": np.array([[1.0, np.inf]])}, "row 0"),
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, "2 labels"),
        ({"x": np.ones((3, 2)), "y": np.array([0.5, 0, 1])}, "no whole numbers"),
        ({"x": np.ones((0, 2))}, "no events"),
    ],
)
def test_what_does_not_fit_is_told(arrays: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=said):
        read_events_of(path, PORT)
