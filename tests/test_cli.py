"""The command line as its users meet it: the real command, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli import app, listed
from codesign.core.errors import InputError
from codesign.core.targets import load_target
from tests.processes import PATIENCE

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "tests" / "search" / "plugin"
STUDY = {
    "name": "toy",
    "task": "toy",
    "sample": {"events": 200},
    "family": "toy",
    "space": {"width": {"low": 1, "high": 40}, "sparsity": 0.1},
    "flow": "toy",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
}


def codesign(*arguments, cwd):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{PLUGIN}"}
    command = [sys.executable, "-m", "codesign.cli", *map(str, arguments)]
    more = {"cwd": cwd, "env": environment, "timeout": PATIENCE}
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def fails(done, code=1):
    """One line on standard error, none on standard output, and no stack trace."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def study(tmp_path, **changes):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(STUDY | changes))
    return path


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom codesign.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'optuna', 'numpy', 'pandas', 'pydantic', 'brevitas'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"serach": {}}, "unknown key 'serach' (did you mean 'search'?)"),
        ({"target": "vu13p-36"}, "did you mean 'vu13p-360'?"),
        ({"task": "toi"}, "unknown name 'toi' among the tasks (did you mean 'toy'?)"),
        ({"constraints": [{"name": "latency_ns", "max": 2}]}, "impossible: 'latency_ns' at most 2"),
        (
            {"constraints": [{"name": "lut", "min": 2, "max": 1}]},
            "impossible constraint: 'lut' at least 2 and at most 1",
        ),
        ({"constraints": [{"name": "luts", "max": 10}]}, "unknown name 'luts' (did you mean 'lut'?)"),
        ({"space": {"width": {"low": 4, "high": 1}, "sparsity": 0}}, "'width': low (4) is above high (1)"),
        (
            {"objectives": [{"name": "acuracy", "direction": "maximise"}]},
            "unknown name 'acuracy' (did you mean 'accuracy'?)",
        ),
    ],
)
def test_a_mistake_in_a_study_is_one_line_that_says_what_to_do(changes, expected, tmp_path):
    assert expected in fails(codesign("run", study(tmp_path, **changes), cwd=tmp_path))
    assert not (tmp_path / "runs").exists(), "nothing is begun before all is checked"


def test_a_run_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    line = fails(codesign("run", study(tmp_path), "--run", tmp_path / "file" / "run", cwd=tmp_path))
    assert "cannot write to" in line
    assert "--run" in line


@pytest.mark.parametrize("command", [["report", "nowhere"], ["verify", "nowhere", "1"], ["synth", "nowhere", "1"]])
def test_what_is_no_run_is_named(command, tmp_path):
    assert "nowhere is not a run folder" in fails(codesign(*command, cwd=tmp_path))


@pytest.mark.parametrize(
    "command",
    [["rum"], ["run"], ["run", "x", "--workers", "0"], ["verify", "run", "minus"], ["run", "x", "--trails", "3"]],
)
def test_wrong_usage_ends_with_2_and_one_line(command, tmp_path):
    ended = CliRunner().invoke(app, command)
    (line,) = ended.stderr.splitlines()
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert line.startswith("error: ")
    assert line.endswith(f"; see 'codesign {command[0]} --help'" if command[0] != "rum" else "; see 'codesign --help'")


def test_a_number_out_of_its_bounds_is_given_back(tmp_path):
    (line,) = CliRunner().invoke(app, ["data", "make", "jets-13tev", "--events", "-5", "-o", "x"]).stderr.splitlines()
    assert "'--events': expected greater than or equal to 1, given: -5; see 'codesign data make --help'" in line
    (line,) = CliRunner().invoke(app, ["run", "jet-tagger", "--trials", "many"]).stderr.splitlines()
    assert "'--trials': expected a whole number, given: many;" in line


def test_help_is_printed_where_no_command_is_given(tmp_path):
    ended = CliRunner().invoke(app, [])
    assert (ended.exit_code, ended.stderr) == (2, "")
    assert "Usage:" in ended.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run", "."], ". is a folder: give a file, or one of search/"),
        (["run", "empty"], "empty, line 1: expected a mapping of keys to values, found nothing"),
        (["run", "jet-tagger", "--store", "empty"], "empty cannot be made (File exists): give a folder"),
        (["init", "empty"], "empty: the file is empty"),
        (["import", "x.onnx", "--inputs", "fixd<8,3>"], "'fixd<8,3>' is no type: write fixed<W,I> or ufixed<W,I>"),
        (["import", "x.onnx", "--inputs", "fixed<0,3>"], "'fixed<0,3>' has 0 bits: an input has 1 to 24"),
    ],
)
def test_what_was_given_and_what_is_expected_are_said(command, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    refused = CliRunner().invoke(app, command).exception
    assert isinstance(refused, InputError)
    assert said in str(refused)


@pytest.mark.parametrize(
    ("sample", "said"),
    [({"file": "none.h5"}, "none.h5: no such file"), ({"card": "jets-13tv", "events": 9000}, "'jets-13tev'?")],
)
def test_a_sample_that_is_not_there_does_not_pass_the_check(sample, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = yaml.safe_load((ROOT / "search" / "jet-tagger.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(shipped | {"sample": sample}))
    ended = CliRunner().invoke(app, ["studies", "--check", "mine.yaml"])
    assert (ended.exit_code, said in ended.stdout) == (1, True)


def test_data_are_printed_as_json(tmp_path):
    rows = json.loads(CliRunner().invoke(app, ["targets", "--json"]).stdout)
    assert {"vu13p-360", "vu13p-240"} <= {row["name"] for row in rows}
    rows = json.loads(CliRunner().invoke(app, ["studies", "--json"]).stdout)
    assert "jet-tagger" in {row["name"] for row in rows}
    assert json.loads(CliRunner().invoke(app, ["schema", "front.json"]).stdout)["title"] == "front.json"


def test_a_shipped_study_is_printed_to_begin_with():
    shipped = (ROOT / "search" / "jet-tagger.yaml").read_text()
    assert CliRunner().invoke(app, ["studies", "jet-tagger", "--print"]).stdout == shipped
    assert CliRunner().invoke(app, ["studies", "--print"]).exit_code == 1
    assert json.loads(CliRunner().invoke(app, ["schema", "target"]).stdout)["title"] == "target"


def test_studies_are_checked(monkeypatch):
    monkeypatch.setattr("codesign.core.resources.available", lambda *_: ["l1-anomaly-all", "jet-tagger"])
    found = CliRunner().invoke(app, ["studies", "--check", "--json"])
    assert found.exit_code == 0
    rows = {row["name"]: row for row in json.loads(found.stdout)}
    assert {row["check"] for row in rows.values()} == {"passed"}
    assert rows["l1-anomaly-all"]["family"] == "vae, autoencoder, trees"
    monkeypatch.setattr("codesign.search.resolve.load_target", lambda _: load_target("nosuch"))
    broken = CliRunner().invoke(app, ["studies", "--check"])
    assert broken.exit_code == 1
    assert "nosuch" in broken.stdout


def test_tables_are_readable():
    lines = CliRunner().invoke(app, ["targets"]).stdout.splitlines()
    assert lines[0].split() == ["name", "part", "clock_mhz", "free_interval", "placed", "description", "reached"]
    assert any(line.startswith("vu13p-240 ") for line in lines[1:])


def test_a_whole_run_prints_its_front(tmp_path, monkeypatch, capsys):
    """In this process, so that the doubles can be handed in; the search itself is in worker processes."""
    from functools import partial

    from codesign.search import engine

    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.chdir(tmp_path)
    doubled = partial(engine.run_study, pipeline="toy")
    monkeypatch.setattr(engine, "run_study", doubled)
    arguments = ["run", str(study(tmp_path)), "--trials", "4", "--workers", "1", "--no-report"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "accuracy (test)  lut (compiled)  exact in" in result.stdout
    assert "0.5000 ± 0.0200" in result.stdout
    front = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert front["points"][0]["verified"]["exact"]


def test_a_bundle_that_is_none_is_refused(tmp_path):
    assert "is not a bundle" in fails(codesign("check", tmp_path, cwd=tmp_path))


def test_a_verdict_says_what_was_proven_and_what_not(capsys):
    from codesign.core.printing import print_verdict
    from codesign.core.records import Verified

    rtl = Verified(exact=True, events=10, latency_cycles=7, initiation_interval=1, tool="cocotb", version="2")
    print_verdict(3, rtl, [Path("dump.vcd")])
    said = capsys.readouterr().out
    assert "trial 3 is exact on 10 events: latency 7 cycles, initiation interval 1 (cocotb 2)" in said
    assert "waveforms: dump.vcd" in said
    print_verdict(3, Verified(exact=True, events=10, tool="g++", version="1", proven="C simulation"))
    said = capsys.readouterr().out
    assert "exact on 10 events in C simulation" in said
    assert "not proven: its RTL" in said
    assert "None" not in said


def test_the_list_of_commands_is_that_of_the_whole():
    said = [CliRunner().invoke(each, ["--help"]).output for each in (app, listed(app))]
    assert said[0] == said[1]
    assert "codesign run" in said[0] or "run " in said[0]
