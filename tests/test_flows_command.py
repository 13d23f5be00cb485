"""One design through every flow: what is equal, what is not, and what is missing, each said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_run import make_run

from codesign.cli import app
from codesign.core import plugins
from codesign.core.availability import Availability
from codesign.core.errors import InputError, ToolError
from codesign.core.records import FlowResult, Flows, Front
from codesign.core.runfolder import RunFolder
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.pipeline.flow_comparison import compare_flows, flow_rows


class Wrong(Alkaid):
    """A flow whose model is off by one in one event."""

    name = "wrong"

    def predict(self, firmware: Any, codes: Any) -> Any:
        found = super().predict(firmware, codes).copy()
        found[3, 0] += 1
        return found


class Absent(Alkaid):
    name = "absent"

    def available(self) -> Availability:
        return Availability(False, "its tool is not here: pip install it")


class Broken(Alkaid):
    name = "broken"

    def compile(self, *_: Any, **__: Any) -> Any:
        raise ToolError("the tool\nstopped with exit code 9")


FLOWS = {"alkaid": Alkaid(), "wrong": Wrong(), "absent": Absent(), "broken": Broken()}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    load = plugins.load
    monkeypatch.setattr(plugins, "names", lambda kind: list(FLOWS))
    monkeypatch.setattr(plugins, "load", lambda kind, name: FLOWS[name] if kind is Flow else load(kind, name))
    return make_run(tmp_path / "run" / "made-up", trials=6, front=2)


def trial_with_design(run: RunFolder) -> int:
    front = run.read("front.json", Front)
    assert front is not None
    return front.points[0].trial


def by_flow(flows: Flows, trial: int) -> dict[str, FlowResult]:
    return {r.flow: r for r in flows.results if r.trial == trial}


def test_every_trial_of_the_front_goes_through_every_flow(run: RunFolder) -> None:
    front = run.read("front.json", Front)
    assert front is not None
    flows = compare_flows(run, quick=True)
    assert [(r.trial, r.flow) for r in flows.results] == [(p.trial, f) for p in front.points for f in FLOWS]
    found = by_flow(flows, front.points[0].trial)
    assert found["alkaid"].equal is True
    assert found["alkaid"].events > 2000
    assert {f.quantity for f in found["alkaid"].figures} >= {"lut", "latency_cycles"}
    assert found["wrong"].equal is False
    assert found["absent"].failed == {"compiling": "its tool is not here: pip install it"}
    assert found["broken"].failed == {"compiling": "the tool stopped with exit code 9"}
    assert found["broken"].equal is None
    assert found["broken"].figures == []
    record = run.read("flows.json", Flows)
    assert record is not None
    assert sorted(record.results, key=lambda r: (r.trial, r.flow)) == sorted(
        flows.results, key=lambda r: (r.trial, r.flow)
    )


def test_what_was_measured_is_kept_and_what_failed_is_tried_again(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [p.trial for p in run.read("front.json", Front).points][:2]  # type: ignore[union-attr]
    before = compare_flows(run, [first], quick=True)
    stages: list[str] = []
    compare_flows(run, [second], quick=True)
    again = compare_flows(run, [first], True, stages.append)
    assert stages == [f"trial {first}: {name}" for name in ("absent", "broken")]  # the others lacked nothing
    assert by_flow(again, first)["alkaid"] == by_flow(before, first)["alkaid"]
    record = run.read("flows.json", Flows)
    assert record is not None
    assert {r.trial for r in record.results} == {first, second}
    compare_flows(run, [first], True, stages.append, again=True)
    assert len(stages) == 2 + len(FLOWS)


def test_another_target_has_a_record_of_its_own(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "names", lambda kind: ["alkaid"])
    trial = trial_with_design(run)
    flows = compare_flows(run, [trial], quick=True, target_name="ulx3s-85f")
    assert flows.target == "ulx3s-85f"
    (lut,) = [f for f in flows.results[0].figures if f.quantity == "lut"]
    assert lut.expected is not None
    assert lut.expected.tool == "nextpnr-ecp5"
    assert run.read("flows-ulx3s-85f.json", Flows) == flows
    assert run.read("flows.json", Flows) is None


def test_the_table_has_a_row_for_each_and_says_what_is_absent(run: RunFolder) -> None:
    rows = flow_rows(compare_flows(run, [trial_with_design(run)], quick=True))
    words = {row["flow"]: (row["exact"], row["lut (compiled)"] is None, row["not measured"]) for row in rows}
    assert words["alkaid"][0].endswith(" events")
    assert not words["alkaid"][1]
    assert words["wrong"][0] == "NOT EXACT"
    assert words["broken"] == ("not compared", True, "compiling: the tool stopped with exit code 9")


def test_rtl_is_simulated_and_a_synthesis_that_fails_costs_its_figures_only(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codesign.tools import yosys

    def no(*_: Any) -> Any:
        raise ToolError("yosys: no space left on device")

    monkeypatch.setattr(yosys, "synthesise", no)
    monkeypatch.setattr(plugins, "names", lambda kind: ["alkaid"])
    (result,) = compare_flows(run, [trial_with_design(run)]).results
    assert result.failed == {"synthesis": "yosys: no space left on device"}
    assert result.verified is not None
    assert result.verified.exact
    assert result.verified.events == 1000
    assert result.verified.compared == ["qonnx"]
    assert {f.quantity for f in result.figures if f.fidelity == "simulated"} >= {
        "latency_cycles",
        "initiation_interval",
    }
    assert next(f.value for f in result.figures if f.quantity == "latency_cycles") == result.verified.latency_cycles


def test_the_command_prints_the_table_and_fails_where_a_flow_is_not_exact(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = str(trial_with_design(run))
    with pytest.raises(Exception, match=r"not exact: trial .* with wrong"):
        app(["flows", str(run.path), trial, "--quick"], standalone_mode=False)
    assert "its tool is not here" in capsys.readouterr().out
    monkeypatch.setattr(plugins, "names", lambda kind: ["alkaid"])
    app(["flows", str(run.path), trial, "--quick", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["results"][0]["equal"] is True


def test_a_run_without_a_front_asks_for_trials(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", trials=4, finished=False)
    with pytest.raises(InputError, match="no front yet: name the trials"):
        compare_flows(run)


def test_golden_events_are_compared_too(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run.trial(trial_with_design(run))
    monkeypatch.setattr(plugins, "names", lambda kind: ["alkaid"])
    (folder.path / "golden.npz").unlink()
    (without,) = compare_flows(run, [folder.number], quick=True).results
    from codesign.core.design import Design

    size = Design.load(folder.path).inputs.size
    np.savez(folder.path / "golden.npz", inputs=np.zeros((7, size), dtype=np.int64), outputs=np.zeros((7, 5)))
    (with_golden,) = compare_flows(run, [folder.number], quick=True, again=True).results
    assert with_golden.events == without.events + 7
