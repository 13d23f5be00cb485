"""How `make bench-peers` compares two fronts, what it counts as a candidate, and what its record must hold."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from codesign.core.errors import ToolError
from codesign.training.lesson import Subject
from tests.benchmarks.peers.fronts import Side, chosen, compare, hypervolume, lut_ratio, spread

RECORD = Path(__file__).resolve().parents[1] / "reports" / "reference" / "peers.json"


def test_ratio_of_a_front_with_itself_and_with_one_twice_as_dear():
    lut, accuracy = np.array([100.0, 300.0, 1000.0]), np.array([0.6, 0.65, 0.7])
    assert lut_ratio((lut, accuracy), (lut, accuracy)) == pytest.approx(1)
    assert lut_ratio((2 * lut, accuracy), (lut, accuracy)) == pytest.approx(2)
    assert np.isnan(lut_ratio((lut, accuracy), (lut, accuracy + 0.2)))  # no accuracy that both reach
    # a point that a cheaper one equals on test changes nothing
    more = np.array([100.0, 200.0, 300.0, 1000.0]), np.array([0.6, 0.59, 0.65, 0.7])
    assert lut_ratio(more, (lut, accuracy)) == pytest.approx(1)


def test_hypervolume_is_the_area_under_the_staircase():
    lut, accuracy = np.array([100.0, 1000.0]), np.array([0.6, 0.7])
    expected = 0.4 * np.log(10) + 0.5 * np.log(2)
    assert hypervolume(lut, accuracy, 2000, 50, 0.2) == pytest.approx(expected)
    assert hypervolume(lut / 2, accuracy, 2000, 50, 0.2) > expected


def test_the_front_is_made_on_validation_alone():
    rng = np.random.default_rng(0)
    right = rng.random((3, 2000)) < np.array([0.6, 0.9, 0.65])[:, None]
    side = Side([300.0, 200.0, 100.0], [0.7, 0.5, 0.6], right)
    assert side.kept == [2, 0]  # the second is best on test, yet validation does not take it
    assert side.lut.tolist() == [100, 300]
    assert side.accuracy() == pytest.approx(right.mean(axis=1)[[2, 0]])


def test_comparison_says_where_we_lose():
    rng = np.random.default_rng(0)
    draw = rng.random(4000)
    ours = Side([100.0, 400.0], [0.6, 0.65], draw < np.array([[0.6], [0.65]]))
    theirs = Side([50.0, 200.0, 800.0], [0.6, 0.65, 0.7], draw < np.array([[0.6], [0.65], [0.7]]))
    found = compare(ours, theirs, 0.2)
    assert found["lut_ratio_at_equal_accuracy"] == pytest.approx(2, abs=0.01)
    assert found["lut_ratio_error"] < 0.1
    assert found["hypervolume_ratio"] < 1
    assert found["lut_at_their_accuracies"][-1]["codesign_lut"] is None  # we do not reach their best
    assert found["best_accuracy"]["codesign"] < found["best_accuracy"]["hgq2"]


def test_choice_of_checkpoints_takes_the_last_of_each_step():
    assert chosen([10, 110, 150, 190, 900], 100, 400, 2) == [3]
    assert chosen([110, 150, 210, 390], 100, 400, 2) == [1, 3]


def test_another_peer_has_figures_of_its_own_name():
    right = np.random.default_rng(0).random((2, 500)) < np.array([[0.5], [0.6]])
    side = Side([100.0, 400.0], [0.5, 0.6], right)
    found = compare(side, side, 0.2, "finnas")
    assert found["lut_at_their_accuracies"][0]["finnas_lut"] == found["lut_at_their_accuracies"][0]["codesign_lut"]
    assert found["best_accuracy"]["finnas"] == found["best_accuracy"]["codesign"]


def test_finalists_are_non_dominated_and_spread_over_the_front():
    costs, scores = [400.0, 100.0, 200.0, 210.0, 800.0], [0.7, 0.5, 0.6, 0.55, 0.65]
    assert spread(costs, scores, 8) == [1, 2, 0]  # what costs more and is worse is left out
    many = np.geomspace(100, 1e4, 50)
    found = spread(many.tolist(), np.linspace(0.4, 0.7, 50).tolist(), 4)
    assert len(found) == 4
    assert found[-1] == 49
    assert found[0] < 13


def test_a_candidate_counts_only_if_its_firmware_gives_the_networks_integers(tmp_path):
    import torch

    from codesign.core.fixedpoint import InputQuantisation
    from codesign.core.targets import load_target
    from codesign.families.mlp.config import MLPConfig
    from codesign.families.mlp.family import MLP
    from codesign.flows.alkaid.flow import Alkaid
    from tests.benchmarks.peers.finnas import gated

    x = np.random.default_rng(0).normal(size=(1500, 3)).astype(np.float32)
    quantisation = InputQuantisation.fit(x, ("a", "b", "c"), ("1",) * 3, 6)
    torch.manual_seed(0)
    network = MLP().build(
        MLPConfig(widths=(4,), weight_bits=(4, 4), activation_bits=(4,), input_bits=6), Subject.of_sizes(3, 2)
    )
    network.calibrate(torch.as_tensor(quantisation.port.values(quantisation.codes(x)), dtype=torch.float32))
    network.fold()
    validation = SimpleNamespace(x=x, y=np.zeros(len(x), dtype=np.int64))
    data = SimpleNamespace(parts={"validation": validation}, class_names=("p", "q"))
    target, flow = load_target("vu13p-360"), Alkaid()
    firmware, accuracy = gated(network.eval(), quantisation, data, flow, target, tmp_path / "right")
    outputs = firmware.design.outputs.values(flow.predict(firmware, quantisation.codes(x)))
    assert accuracy == pytest.approx((outputs.argmax(axis=1) == 0).mean())

    class Wrong(Alkaid):
        def predict(self, firmware, codes):
            found = super().predict(firmware, codes)
            found[7, 1] += 1
            return found

    with pytest.raises(ToolError, match="not exact: alkaid differs"):
        gated(network, quantisation, data, Wrong(), target, tmp_path / "wrong")


def test_the_budget_counts_children_too():
    from tests.benchmarks.peers.finnas import Clock

    def children():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    clock, before = Clock([]), children()
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    assert clock.spent >= children() - before - 0.02  # the kernel's ticks


def test_layout_as_finn_estimates_it_spans_its_types():
    from tests.benchmarks.peers.finn_luts import layers

    first, head = layers([16, 24, 5], 3, 8)
    assert first["weights"].shape == (16, 24)
    assert abs(first["weights"]).max() == 3
    assert first["thresholds"].shape == (24, 7)  # seven steps make eight codes, of three bits
    assert (np.diff(first["thresholds"]) > 0).all()
    assert head["weights"].shape == (24, 5)
    assert "thresholds" not in head
    sums = np.where(first["weights"] > 0, 127, -128) * first["weights"]
    assert first["accumulator"][1] == sums.sum(axis=0).max()


def test_the_record_compares_alike():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    runs = record["peers"]["hgq2"]["runs"]
    assert runs
    for run in runs:
        ours, theirs = run["codesign"], run["hgq2"]
        assert theirs["training_seconds"] >= 0.98 * ours["training_seconds"]
        assert ours["circuits_that_differ_from_their_network"] == 0
        assert len(theirs["points"]) >= len(ours["points"]) - 2
    for name in ("hypervolume_ratio", "lut_ratio_at_equal_accuracy"):
        values = [run["comparison"][name] for run in runs]
        assert record["summary"][f"{name}_of_seeds"] == values
        assert record["summary"][name] == pytest.approx(np.exp(np.mean(np.log(values))), abs=1e-4)
    beside = record["peers"]["finnas"]
    if beside is not None:
        assert beside["codesign"]["processor_seconds"] <= 1.05 * beside["finnas"]["processor_seconds"]
        for name in ("finnas", "codesign"):
            side = beside[name]
            rate = side["candidates"] / side["processor_seconds"] * 3600
            assert side["candidates_per_hour"] == pytest.approx(rate, rel=0.01)
