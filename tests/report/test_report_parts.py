"""The report's parts: words, layers, plots, the front so far."""

from __future__ import annotations

import numpy as np
import pytest
from make_run import HOSTILE, design, plots

from codesign.errors import InputError
from codesign.records import Metric, Plot, Series
from codesign.report import front_picture, words
from codesign.report.collect import collect
from codesign.report.layers import count_weights, draw, layers
from codesign.report.plots import describe, physics_figure
from codesign.study import Constraint

CONFIG = {"widths": [16, 8], "weight_bits": [4, 3, 4], "activation_bits": [4, 5], "input_bits": 8, "sparsity": 0.4}


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (0.64413, 0.00361, "0.6441 ± 0.0036"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (123.456, 12.3, "123 ± 12"),
        (0.1, 0.0999, "0.100 ± 0.100"),
        (1e-5, 3e-6, "0.0000100 ± 0.0000030"),
    ],
)
def test_a_metric_is_written_to_its_error(value, error, written):
    assert words.measured(Metric(value=value, error=error)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (1234, "1,234"), (2.7778, "2.778"), (12345.67, "12,345.7"), (1e-7, "1e-07"), (-3.0, "-3")],
)
def test_numbers(value, written):
    assert words.number(value) == written


def test_a_small_share_is_not_zero():
    assert words.share(1e-6) == "< 0.01 %"
    assert words.share(0.0123) == "1.23 %"


def test_constraints_and_configurations_in_words():
    assert words.bound(Constraint(name="lut", max=6000)) == "LUT at most 6,000"
    assert words.bound(Constraint(name="accuracy", min=0.6, max=0.7)) == "accuracy at least 0.6 and at most 0.7"
    assert words.config(CONFIG) == (
        "widths 16-8, weight bits 4-3-4, activation bits 4-5, input bits 8, sparsity 0.4"
    )  # fmt: skip
    assert words.config({"a": [], "b": None, "c": {"d": True}}) == "a none, b none, c {d yes}"


def test_provenance_keeps_every_key():
    lines = words.sample({"events": 5, "provenance": {"card": {"cuts": {"pt": 1}, "list": [1, 2]}}, "other": "x"})
    assert lines == [("events", "5"), ("card: cuts", "pt 1"), ("card: list", "1, 2"), ("other", "x")]


def test_weights_are_counted_in_the_graph():
    made = design(CONFIG)
    counted = count_weights(made.onnx, made.inputs)
    assert [(n, m) for n, m, _ in counted] == [(16, 16), (16, 8), (8, 5)]
    assert all(0 < k < n * m for n, m, k in counted)
    found = layers(CONFIG, 16, 5, counted)
    assert [x.weight_bits for x in found] == [4, 3, 4]
    assert [x.activation_bits for x in found] == [4, 5, None]
    assert [x.nonzero for x in found] == [k for _, _, k in counted]


def test_bits_of_another_architecture_are_not_guessed():
    found = layers(CONFIG, 16, 5, [(16, 99, 3), (99, 5, 4)])
    assert [(x.inputs, x.outputs, x.weight_bits) for x in found] == [(16, 99, None), (99, 5, None)]
    assert layers({"channels": [3]}, 16, 5, []) == []
    assert layers(CONFIG, None, None, []) == []


def test_layers_that_are_no_chain_are_not_drawn():
    assert draw(layers({}, 16, 5, [(3, 8, 1), (256, 5, 1)]), "", "") is None
    drawing = draw(layers(CONFIG, 16, 5, []), "8 bit", "9 bit")
    assert len(drawing.bars) == 4
    assert len(drawing.links) == 3
    assert drawing.words.startswith("16 inputs, then layer 1 with 16 outputs, 4-bit weights, 4-bit activations, then")


def test_the_front_so_far_is_what_nothing_dominates(own):
    (own.path / "front.json").unlink()
    run = collect(own.path)
    assert run.provisional
    kept = {p.trial.number for p in run.points}
    complete = [t for t in run.trials if t.state == "complete"]
    costs = {t.number: [-t.value(a) if a.maximise else t.value(a) for a in run.objectives] for t in complete}
    for number, mine in costs.items():
        beaten = any(np.all(np.array(c) <= mine) and c != mine for c in costs.values())
        assert beaten == (number not in kept)


def test_bands_lines_and_the_baseline():
    plot = plots(np.random.default_rng(0)).plots[0]
    data = physics_figure(plot)["data"]
    assert len(data) == 11  # five lines with a band each, and the baseline
    assert [t["line"]["dash"] for t in data if "name" in t] == ["solid"] * 5 + ["dash"]
    assert HOSTILE not in str(data)
    band, line = data[0], data[1]
    assert band["x"] == line["x"] + line["x"][::-1]
    assert HOSTILE in describe(plot)


def test_a_band_that_reaches_zero_on_a_logarithmic_axis_stays_finite():
    series = Series(label="x", x=[0, 1], y=[0.1, 0.2], low=[0.0, -1.0], high=[1, 1])
    band = physics_figure(Plot(name="p", title="", x_label="", y_label="", log_y=True, series=[series]))["data"][0]
    assert min(band["y"]) == pytest.approx(0.01)


def test_a_long_line_is_thinned_and_keeps_its_ends():
    x = list(range(10_001))
    plot = Plot(name="p", title="", x_label="", y_label="", series=[Series(label="x", x=x, y=x)])
    (line,) = physics_figure(plot)["data"]
    assert len(line["x"]) == 400
    assert (line["x"][0], line["x"][-1]) == (0, 10_000)


def test_a_matrix_has_row_zero_on_top():
    figure = physics_figure(plots(np.random.default_rng(0)).plots[1])
    assert figure["layout"]["yaxis"]["autorange"] == "reversed"
    assert figure["layout"]["xaxis"]["ticktext"] == ["g", "q", "W", "Z", "t"]


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_picture_of_the_front(finished, tmp_path, suffix):
    pytest.importorskip("mplhep", reason="mplhep is not installed")
    first = front_picture(finished.path, tmp_path / f"a{suffix}").read_bytes()
    assert len(first) > 5000
    assert first == front_picture(finished.path, tmp_path / f"b{suffix}").read_bytes()


def test_no_picture_without_a_front(own, tmp_path):
    with pytest.raises(InputError, match=r"give a name that ends in .svg, .png or .pdf"):
        front_picture(own.path, tmp_path / "front.gif")
    (own.path / "front.json").unlink()
    with pytest.raises(InputError, match="no front with metrics on the test split yet"):
        front_picture(own.path, tmp_path / "front.svg")
