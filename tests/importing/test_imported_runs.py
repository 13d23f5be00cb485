"""A run of imported models: no study, and every command works on it or says what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Metrics, TrialStatus, Verified
from codesign.core.runfolder import RunFolder
from codesign.importing.import_report import ImportReport
from codesign.pipeline import imported_proof
from codesign.pipeline.imported import import_run
from codesign.pipeline.imported_proof import SOURCE, source_rows
from codesign.pipeline.trial import design_of, trial_of
from codesign.report import plots
from codesign.report.collect import collect
from codesign.study.imported_run import REPORT, ImportedRun, origin_of, study_of
from tests.graph.item_networks import network
from tests.importing.small import mlp, model, quant, saved


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two models, and one that is refused, with labelled events."""
    folder = tmp_path_factory.mktemp("imported")
    first, second = saved(mlp(), folder / "first.onnx"), saved(mlp(scale=0.5), folder / "second.onnx")
    third = saved(model([onnx.helper.make_node("Hardmax", ["x"], ["y"], "odd")], {}, domains=()), folder / "third.onnx")
    rng = np.random.default_rng(1)
    np.savez(folder / "events.npz", x=rng.normal(size=(90, 4)), y=rng.integers(0, 3, 90))
    front = import_run([first, second, third], folder / "run", events=folder / "events.npz")
    assert [o.name for o in front.objectives] == ["accuracy", "lut"]
    return RunFolder.open(folder / "run")


def test_there_is_a_trial_for_each_model_and_no_study(run: RunFolder) -> None:
    made = origin_of(run)
    assert isinstance(made, ImportedRun)
    assert [m.name for m in made.models] == ["first.onnx", "second.onnx", "third.onnx"]
    assert made.events is not None
    assert (made.events.events, made.events.classes) == (90, ("0", "1", "2"))
    for number in (0, 1):
        report = run.trial(number).read(REPORT, ImportReport)
        assert report is not None
        assert report.checked_on == "checked on 90 events and on random and extreme codes"
        judged = run.trial(number).read("test.json", Metrics)
        assert judged is not None
        assert judged.events == 90
    refused = run.trial(2).read("status.json", TrialStatus)
    assert refused is not None
    assert refused.state == "failed"
    assert "odd" in (refused.reason or "")
    with pytest.raises(InputError, match="it has no study, no search and no sample"):
        study_of(run)
    assert isinstance(trial_of(run, 0)[0], ImportedRun)
    with pytest.raises(InputError, match="trials that have one: 0, 1"):
        trial_of(run, 2)


def test_what_the_source_gave_is_stored_and_guarded(run: RunFolder, tmp_path: Path) -> None:
    folder = run.trial(0)
    design = design_of(folder)
    inputs, outputs, equal = source_rows(folder, design, 200)
    assert equal
    assert (inputs.shape, outputs.shape) == ((200, 4), (200, 3))
    stored = dict(np.load(folder.path / SOURCE))
    assert (inputs[:90] == stored["inputs"][:90]).all()  # given events come first
    broken = RunFolder(tmp_path).trial(0)
    broken.path.mkdir(parents=True)
    np.savez(broken.path / SOURCE, **(stored | {"inputs": stored["inputs"] + 1000}))
    with pytest.raises(InputError, match="import the model again"):
        source_rows(broken, design, 200)
    np.savez(broken.path / SOURCE, inputs=stored["inputs"])
    with pytest.raises(InputError, match="import the model again"):
        source_rows(broken, design, 200)


def test_commands_say_what_an_import_lacks_and_the_report_shows_it(run: RunFolder, tmp_path: Path) -> None:
    cli = CliRunner()
    told = cli.invoke(app, ["dashboard", str(run.path)])
    assert isinstance(told.exception, InputError)
    told = cli.invoke(app, ["run", "jet-tagger", "--run", str(run.path), "--trials", "1", "--workers", "1"])
    assert "holds imported models, not a search" in str(told.exception)
    told = cli.invoke(app, ["handoff", str(run.path), "0", "-o", str(tmp_path / "b.zip")])
    assert "not verified yet" in str(told.exception)
    told = cli.invoke(app, ["report", str(run.path), "-o", str(tmp_path / "page.html")])
    assert told.exit_code == 0, told.exception
    page = (tmp_path / "page.html").read_text()
    for word in ("imported models", "first.onnx", "second.onnx", "rows equal"):
        assert word in page
    for word in ("epochs of training", "The search", "validation split"):
        assert word not in page.split("<script")[0]
    # both models are in the picture, each with the accuracy that it was judged with
    tables = plots.front_data(collect(run.path))["tables"]
    (which,) = [i for i, c in enumerate(tables["all"]["columns"]) if c["name"] == "accuracy"]
    judged = {n: run.trial(n).read("test.json", Metrics) for n in (0, 1)}
    for row in tables["all"]["rows"][:2]:
        found = judged[row[0]]
        assert found is not None
        assert row[-1][which] == pytest.approx(
            [found.metrics["accuracy"].value, found.metrics["accuracy"].error], rel=1e-5
        )
        assert row[3] == f"file {['first', 'second'][row[0]]}.onnx"
    assert list(tables) == ["all"]


def test_improve_is_exact_and_says_what_it_saved(tmp_path: Path) -> None:
    path = saved(mlp(), tmp_path / "m.onnx")  # of whose first layer a channel is always 0
    done = CliRunner().invoke(app, ["import", str(path), "--improve", "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, done.exception
    assert "improved, " in done.output
    assert "look-up tables; equal on" in done.output
    assert "not improved, folding: the design has no items" in done.output
    report = RunFolder.open(tmp_path / "run").trial(0).read(REPORT, ImportReport)
    assert report is not None
    for step in report.improvements:
        assert step.done
        assert step.luts is not None
        assert step.luts[1] <= step.luts[0]
    (agreement,) = report.agreement  # of the source beside the graph as it is now
    assert agreement.equal == agreement.tried


def test_outputs_of_different_factors_are_judged_in_the_units_of_the_source(tmp_path: Path) -> None:
    """The second output is the larger one of the source wherever the first is 1, and the smaller integer."""
    nodes = [quant("x", "q", "in"), onnx.helper.make_node("Mul", ["q", "row"], ["y"], "m")]
    constants = {"zero": 0.0, "four": 4.0, "in": 0.25, "row": [[0.3, 0.7, 0.11, 0.05]]}
    path = saved(model(nodes, constants), tmp_path / "m.onnx")
    x = np.tile([1.0, 0.75, -1.0, -1.0], (40, 1))
    np.savez(tmp_path / "events.npz", x=x, y=np.tile([1, 1, 1, 2], 10))
    import_run([path], tmp_path / "run", events=tmp_path / "events.npz")
    judged = RunFolder.open(tmp_path / "run").trial(0).read("test.json", Metrics)
    assert judged is not None
    assert judged.metrics["accuracy"].value == 0.75


@pytest.mark.slow
def test_items_are_folded_to_the_free_interval_where_that_saves(tmp_path: Path) -> None:
    made = network("deep set, sum", 12, 3)
    (tmp_path / "set.onnx").write_bytes(made.onnx)
    kind = str(made.inputs.types[0])
    front = import_run([tmp_path / "set.onnx"], tmp_path / "run", inputs=kind, improve=True)
    assert front.points[0].config == {"flow.interval": 9}
    report = RunFolder.open(tmp_path / "run").trial(0).read(REPORT, ImportReport)
    assert report is not None
    folded = report.improvements[-1]
    assert folded.step == "folded"
    assert folded.luts is not None
    assert folded.luts[1] < folded.luts[0] / 2
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "run"), "0"])
    assert done.exit_code == 0, done.exception
    verified = RunFolder.open(tmp_path / "run").trial(0).read("verify.json", Verified)
    assert verified is not None
    assert (verified.exact, verified.proven) == (True, "RTL")


def test_the_command_prints_and_refuses(tmp_path: Path) -> None:
    cli, path = CliRunner(), saved(mlp(), tmp_path / "m.onnx")
    done = cli.invoke(app, ["import", str(path), "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, done.exception
    for word in ("checked on random and extreme codes only", "effective bit operations", "x0 to x3: fixed<4,2>"):
        assert word in done.output
    again = cli.invoke(app, ["import", str(path), "-o", str(tmp_path / "run")])
    assert isinstance(again.exception, InputError)
    told = cli.invoke(app, ["import", str(saved(mlp(own_input=False), path)), "-o", str(tmp_path / "other")])
    assert isinstance(told.exception, CodesignError)
    assert "--inputs" in str(told.exception)
    assert not (tmp_path / "other").exists()


def test_an_import_is_proven_handed_on_and_checked(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In RTL, without synthesis, whose figures are those of any run."""
    monkeypatch.setattr(imported_proof, "synthesisers", lambda flow, firmware, placed: {})
    cli, bundle = CliRunner(), str(tmp_path / "bundle")
    for words in (["verify", str(run.path), "1"], ["handoff", str(run.path), "1", "-o", bundle], ["check", bundle]):
        told = cli.invoke(app, words)
        assert told.exit_code == 0, (words, told.output, told.exception)
    assert ", 0 wrong" in told.output
    verified = run.trial(1).read("verify.json", Verified)
    assert verified is not None
    assert (verified.exact, verified.proven) == (True, "RTL")
    assert verified.compared[:2] == ["exact arithmetic", "interpreter"]
    assert verified.compared[2].startswith("qonnx")
    (tmp_path / "bundle" / "imported.json").write_text("{}")
    assert cli.invoke(app, ["check", bundle]).exit_code != 0


@pytest.mark.slow
def test_an_import_is_verified_handed_on_checked_and_applied(run: RunFolder, tmp_path: Path) -> None:
    import pandas

    cli = CliRunner()

    def done(*words: str) -> str:
        told = cli.invoke(app, list(words))
        assert told.exit_code == 0, (words, told.output, told.exception)
        return told.output

    assert "exact on" in done("verify", str(run.path), "0")
    verified = json.loads((run.trial(0).path / "verify.json").read_text())
    assert any(name.startswith("qonnx") for name in verified["compared"])
    assert "alkaid" in done("flows", str(run.path), "0", "--quick")
    done("handoff", str(run.path), "0", "-o", str(tmp_path / "b.zip"))
    assert "0 wrong" in done("check", str(tmp_path / "b.zip"), "--emulator")
    table = pandas.DataFrame(np.random.default_rng(0).normal(size=(20, 4)), columns=["x0", "x1", "x2", "x3"])
    table.to_parquet(tmp_path / "events.parquet")
    done("apply", str(tmp_path / "b.zip"), str(tmp_path / "events.parquet"), "-o", str(tmp_path / "scores.parquet"))
    assert len(pandas.read_parquet(tmp_path / "scores.parquet")) == 20
