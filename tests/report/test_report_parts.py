"""The report's parts: words, layers, plots, the front so far."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from make_run import HOSTILE, design, plots

from codesign.core.errors import InputError
from codesign.core.figures import Fidelity, Figure
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.records import Metric, Plot, Series
from codesign.report import front_picture, words
from codesign.report.collect import collect
from codesign.report.explained import stories
from codesign.report.front_groups import groups_of
from codesign.report.layers import Counted, bits, count_layers, draw, layers
from codesign.report.plots import describe, physics_figure
from codesign.report.waterfall import waterfall
from codesign.study.definition import Constraint

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
    assert words.measurement(Metric(value=value, error=error)) == written


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


def test_layers_are_counted_in_the_graph():
    made = design(CONFIG)
    counted = count_layers(made.onnx, made.inputs)
    assert [(c.inputs, c.outputs) for c in counted] == [(16, 16), (16, 8), (8, 5)]
    assert all(0 < c.nonzero < c.inputs * c.outputs for c in counted)
    # inputs of 8 bits with sign, then activations of 4 and 5 bits, of which no more can be used than there are values
    assert counted[0].signal_bits == (8, 8)
    assert [c.signal_bits[1] <= most for c, most in zip(counted[1:], (4, 5), strict=True)] == [True, True]
    assert [c.weight_bits[1] <= most for c, most in zip(counted, (4, 3, 4), strict=True)] == [True] * 3
    found = layers(CONFIG, 16, 5, counted)
    assert [x.weight_bits for x in found] == [(4, 4), (3, 3), (4, 4)]
    assert [x.activation_bits for x in found] == [(4, 4), (5, 5), None]
    assert [(x.nonzero, x.ebops) for x in found] == [(c.nonzero, c.ebops) for c in counted]


def test_bit_operations_by_hand():
    weights = np.array([[0.75, 0.0, -2.0], [1.0, 0.25, 0.5]], dtype=np.float32)
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size])
        for name, size in (("x", 2), ("y", 3))
    ]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weights, "w")])
    kinds = (
        FixedPoint(signed=True, integer_bits=2, fraction_bits=2),
        FixedPoint(signed=False, integer_bits=3, fraction_bits=0),
    )
    port = Port(name="x", types=kinds, labels=("a", "b"))
    (counted,) = count_layers(onnx.helper.make_model(graph).SerializeToString(), port)
    # 0.75 is two bits (11) and the others one each; a has 5 bits, b has 3
    assert counted.ebops == (2 + 1) * 5 + (1 + 1 + 1) * 3
    assert counted.nonzero == 5
    assert counted.signal_bits == (3, 5)
    # on the grid of a quarter: 0.25 and its sign take 2 bits, -2 takes 5
    assert counted.weight_bits == (2, 5)


def test_bits_of_another_architecture_are_not_guessed():
    counted = [Counted(16, 99, 3, (2, 4), (8, 8), 9.0), Counted(99, 5, 4, (3, 3), (1, 2), 9.0)]
    found = layers(CONFIG, 16, 5, counted)
    assert [(x.inputs, x.outputs) for x in found] == [(16, 99), (99, 5)]
    assert [(bits(x.weight_bits), bits(x.activation_bits)) for x in found] == [("2–4", "1–2"), ("3", "")]
    assert layers({"channels": [3]}, 16, 5, []) == []
    assert layers(CONFIG, None, None, []) == []


def test_layers_that_are_no_chain_are_not_drawn():
    apart = [Counted(3, 8, 1, (1, 1), (1, 1), 1.0), Counted(256, 5, 1, (1, 1), (1, 1), 1.0)]
    assert draw(layers({}, 16, 5, apart), "", "") is None
    drawing = draw(layers(CONFIG, 16, 5, []), "8 bit", "9 bit")
    assert len(drawing.bars) == 4
    assert len(drawing.links) == 3
    assert drawing.words.startswith("16 inputs, then layer 1 with 16 outputs, 4-bit weights, 4-bit activations, then")


def test_a_waterfall_adds_up(finished):
    run = collect(finished.path)
    for point in run.points:
        steps = waterfall(run, point, layers(point.trial.config, 16, 5, point.layers))
        assert sum(s.cycles for s in steps) == steps[-1].until == point.verified.latency_cycles
        assert steps[-1].start + steps[-1].width == pytest.approx(100)
    assert waterfall(run, dataclasses.replace(run.points[0], costs=None), []) == []


def test_the_shares_of_an_event_add_up(finished):
    (story,) = stories(collect(finished.path).points[0])
    assert len(story.shares) + story.others == 16
    assert story.base + sum(s.share.value for s in story.shares) + story.rest == pytest.approx(story.score)
    assert all(s.start >= 0 and s.start + s.width <= 100.001 for s in story.shares)
    assert words.difference_text(-0.1234) == "−0.123"
    assert words.difference_text(1234.6) == "+1,235"
    assert words.difference_text(0.0) == "0"


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


def trials_of(*each):
    """Trials that are drawn: (family, clocks between two events)."""
    return [
        SimpleNamespace(
            number=n,
            family=family,
            figures=[]
            if clocks is None
            else [Figure.of("initiation_interval", clocks, Fidelity.COMPILED, "alkaid", "0")],
        )
        for n, (family, clocks) in enumerate(each)
    ]


def test_unrolled_and_folded_designs_have_colours_of_their_own():
    found = groups_of(SimpleNamespace(trials=trials_of(("", 9), ("", 1), ("", None), ("", 9))), ("red", "blue"))
    assert found.legend == [("unrolled, an event every clock", "red"), ("folded, one every 9 clocks", "blue")]
    assert found.colours == {0: "blue", 1: "red", 3: "blue"}  # of trial 2 nothing is known
    assert groups_of(SimpleNamespace(trials=trials_of(("", 9), ("", 9))), ("red", "blue")).colours == {}
    both = groups_of(SimpleNamespace(trials=trials_of(("mlp", 1), ("conv1d", 9))), ("red", "blue"))
    assert both.legend == [("mlp", "red"), ("conv1d", "blue")]  # families come first
