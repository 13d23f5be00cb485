"""Which method of the anomaly trigger beats which is what the record reads, whichever way round it has the pair."""

from __future__ import annotations

from typing import Any

import pytest

from tests.documents import anomaly_tables
from tests.documents.anomaly_tables import ANOMALY_TABLES


def _pair(one: str, other: str, *readings: tuple[str, str]) -> dict[str, Any]:
    said = {f"tpr_mean_{rate}": {"value": 0.1, "error": 0.02, "better": 1.0, "reading": r} for rate, r in readings}
    return {"one": one, "other": other, "difference": said}


def _method(*rates: str) -> dict[str, Any]:
    return {"rates": list(rates), "test": {f"tpr_mean_{rate}": [0.2, 0.01, None, None] for rate in rates}}


@pytest.fixture
def rates(monkeypatch):
    found = {
        "khz": {"1e-3": 28.607, "1e-4": 2.861, "1e-5": 0.286},
        "methods": {name: _method("1e-3", "1e-4") for name in ("autoencoder", "HT", "trees", "MET")},
        "paired": [
            _pair("HT", "autoencoder", ("1e-3", "beats"), ("1e-4", "is beaten by")),
            _pair("autoencoder", "trees", ("1e-3", "beats"), ("1e-4", "equals")),
            _pair("autoencoder", "MET", ("1e-3", "beats")),
        ],
        "fronts": {"run 3": _method("1e-3") | {"run": "run", "family": "trees", "lut": {"compiled": 700.4}}},
        "best of the fronts": {
            "1e-3": {
                "point": "run 3",
                "points": 5,
                "less": {"HT": {"reading": "equals"}, "MET": {"reading": "beats"}, "trees": {"reading": "beats"}},
            }
        },
    }
    monkeypatch.setattr(anomaly_tables, "record_of", lambda name: found)
    return found


def test_words_are_the_readings_of_the_record(rates):
    said = ANOMALY_TABLES["readings of the anomaly trigger"]().splitlines()
    assert said == [
        "- At 1e-3 the autoencoder beats 2 of 3; is beaten by HT.",
        "- At 1e-4 the autoencoder beats 1 of 3; equals trees; is not told beside MET.",
        "- Of the 5 points of the fronts of `run` the best at 1e-3 by the test split itself, which flatters it, is of "
        "`trees` (700 LUT compiled): 0.200 ± 0.010. It beats 2 of 4; equals HT; is not told beside autoencoder.",
        "- At 1e-5 nothing is told.",
    ]


def test_a_row_says_what_its_own_method_does(rates):
    rows = {row.split(" | ")[0]: row for row in ANOMALY_TABLES["methods of the anomaly trigger"]().splitlines()}
    assert rows["| HT"].endswith("| beats / is beaten by |")
    assert rows["| trees"].endswith("| is beaten by / equals |")
    assert rows["| MET"].endswith("| is beaten by / - |")
    assert rows["| autoencoder"].endswith("|  |")


def test_an_embedding_that_none_stands_beside_is_not_compared(monkeypatch):
    def point(trial: int, lut: float) -> dict[str, Any]:
        return {"trial": trial, "lut (synthesised)": lut, "test": {"tpr_mean_1e-3": [0.1 * trial, 0.01]}}

    gap = {"value": -0.1, "error": 0.02, "better": 0.0, "reading": "is beaten by"}
    found = {
        "rates": ["1e-2", "1e-3"],
        "studies": ["one", "other"],
        "fronts": {"one": [point(1, 900.0), point(2, 2000.0)], "other": [point(3, 1500.0)]},
        "paired": [
            {"trial": 1, "beside": None, "why": "every autoencoder of the front takes more LUTs"},
            {"trial": 2, "beside": 3, "lut": [2000.0, 1500.0], "difference": {"tpr_mean_1e-3": gap}},
        ],
    }
    monkeypatch.setattr(anomaly_tables, "record_of", lambda name: found)
    rows = ANOMALY_TABLES["an embedding beside the autoencoder"]().splitlines()[2:]
    assert rows == [
        "| 900 | 0.100 ± 0.010 | all take more |  |  | not compared |",
        "| 2,000 | 0.200 ± 0.010 | 1,500 | 0.300 ± 0.010 | -0.100 ± 0.020 | is beaten by |",
    ]


def test_choices_without_signals_name_their_trials(monkeypatch):
    def chosen(trial: Any, family: Any, value: float, gap: float, said: str) -> dict[str, Any]:
        less = {"tpr_mean_1e-3": {"value": gap, "error": 0.01, "better": 0.1, "reading": said}}
        return {"trial": trial, "family": family, "test": {"tpr_mean_1e-3": [value, 0.02]}, "less the labelled": less}

    found = {
        "rate": "1e-3",
        "chosen": {
            "labelled": chosen(7, "autoencoder", 0.3, 0.0, "equals"),
            "held-out": chosen({"h0": 7, "a4l": 9}, {"h0": "autoencoder", "a4l": "trees"}, 0.28, -0.02, "is beaten by"),
            "synthetic": chosen(9, "trees", 0.25, -0.05, "equals"),
        },
    }
    monkeypatch.setattr(anomaly_tables, "record_of", lambda name: found)
    assert ANOMALY_TABLES["chosen without signals"]().splitlines()[2:] == [
        "| all five signals | 7 | autoencoder | 0.300 ± 0.020 |  |  |",
        "| the other four, for each in turn | 7, 9 | autoencoder, trees | 0.280 ± 0.020 | -0.020 ± 0.010 |"
        " is beaten by |",
        "| synthetic anomalies | 9 | trees | 0.250 ± 0.020 | -0.050 ± 0.010 | equals |",
    ]
