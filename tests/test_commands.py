"""Every command: help with an example, JSON for scripts, nothing but its result in a pipe.

What takes minutes is replaced here by what it returns; its own tests are elsewhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_run import make_run

from codesign.cli import app
from codesign.cli import jets as jets_cli
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import BesideOther, Comparisons, PairedDifference, Verified
from codesign.data import files as data_cli
from codesign.data.sample import Sample
from codesign.data.writers import write_sample
from codesign.physics.detector import rate_sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS
from codesign.pipeline import board, trial, trial_comparison, trial_proof
from codesign.pipeline.board import OnBoard
from codesign.tasks.jets import corrections
from tests.handoff.conftest import build
from tests.importing.small import mlp, saved


def all_commands():
    found, waiting = {}, [((), typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", {})
        waiting += [((*name, n), c) for n, c in inner.items()]
        if not inner:
            found[" ".join(name)] = command
    return found


COMMANDS = all_commands()
GAP = PairedDifference(value=0.01, error=0.004, better=0.99, replicas=400)
COMPARED = Comparisons(
    split="test", events=9, compared=[BesideOther(one="trial 1", other="trial 2", metrics={"accuracy": GAP})]
)
RATES = rate_sample.RateFacts(events=20, harder=0, hard_share=0.002, pile_up=46, pile_up_spread=9, seeds=(1,))
#: tried where what they need is at hand: a search, several flows, a server
ELSEWHERE = {
    "run": "test_cli.py",
    "flows": "test_flows_command.py",
    "dashboard": "search/test_dashboard.py",
}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example_and_json(name):
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: codesign {name}" in result.stdout
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert COMMANDS[name].help
    assert all(p.help for p in COMMANDS[name].params if p.param_type_name == "option"), "an option without a word"


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    run = make_run(folder / "made-up", trials=12, front=3)
    number = build(run)
    rng = np.random.default_rng(1)
    features = rng.normal(100, 10, (60, len(FEATURE_NAMES))).astype(np.float32)
    classes = ("g", "q", "w", "z", "t")
    write_sample(
        Sample(features, rng.integers(0, 5, 60), FEATURE_NAMES, FEATURE_UNITS, classes), folder / "jets.parquet"
    )
    return folder, str(run.path), str(number)


def arguments(name, folder, run, number):
    return {
        "report": [run, "-o", f"{folder}/report.html"],
        "front": [run],
        "compare": [run, number, number],
        "verify": [run, number],
        "bitstream": [run, number, "--target", "ulx3s-85f"],
        "data make": ["jets-13tev", "--events", "20"],
        "data zero-bias": ["--events", "20", "-o", f"{folder}/zero_bias"],
        "data correct": [f"{folder}/nano.root", "-o", f"{folder}/corrections.json"],
        "data response": [f"{folder}/nano.root"],
        "synth": [run, number],
        "handoff": [run, number, "-o", f"{folder}/bundle-{len(list(folder.glob('bundle-*')))}"],
        "import": [_model(folder), "-o", f"{folder}/imported-{len(list(folder.glob('imported-*')))}"],
        "check": [f"{folder}/bundle"],
        "apply": [f"{folder}/bundle", f"{folder}/features.parquet", "-o", f"{folder}/scores"],
        "stream": [f"{folder}/bundle", "--simulate", "--rate", "1MHz", "--for", "20ms", "--rate-budget", "300kHz",
                   "-o", f"{folder}/stream-{len(list(folder.glob('stream-*')))}"],
        "data show": [f"{folder}/jets.parquet"],
        "init": [f"{folder}/jets.parquet", "-o", f"{folder}/study-{len(list(folder.glob('study-*')))}.yaml"],
        "new": ["family", "my-network", "-o", f"{folder}/package-{len(list(folder.glob('package-*')))}"],
        "targets": [],
        "studies": [],
        "examples": [str(Path(__file__).resolve().parents[1] / "examples")],
        "doctor": [],
        "schema": ["front.json"],
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ELSEWHERE.keys()))
def test_in_a_pipe_there_is_the_result_and_nothing_else(name, at_hand, monkeypatch, capfd):
    folder, run, number = at_hand
    monkeypatch.setattr(trial_proof, "prove_trial", lambda *_: Verified(exact=True, events=9, tool="t", version="1"))
    monkeypatch.setattr(board, "bitstream_of_trial", lambda *_: OnBoard(folder / "jets.bit"))
    monkeypatch.setattr(data_cli, "make_data", lambda *_: folder / "jets.parquet")
    monkeypatch.setattr(rate_sample, "make_rate_sample", lambda *_: RATES)
    monkeypatch.setattr(jets_cli, "jet_response", lambda *_: [{"tier": "L1", "jets": 3, "response": 0.9}])
    monkeypatch.setattr(corrections, "fit_corrections", lambda *_: {"file": "corrections.json", "after": 1.0})
    monkeypatch.setattr(trial_comparison, "compare_trials", lambda *_: COMPARED)
    found = [Figure.of("lut", 9, Fidelity.SYNTHESISED, "t", "1")]
    monkeypatch.setattr(trial, "synthesise_trial", lambda *_: found)
    if name in ("check", "apply", "stream") and not (folder / "bundle").exists():
        app(["handoff", run, number, "-o", f"{folder}/bundle"], standalone_mode=False)
        _features(folder)
    capfd.readouterr()
    app([*name.split(), *arguments(name, folder, run, number)], standalone_mode=False)
    said = capfd.readouterr()
    assert said.out.strip()
    assert "\x1b" not in said.out + said.err, "no colours and no moving lines in a pipe"
    app([*name.split(), *arguments(name, folder, run, number), "--json"], standalone_mode=False)
    said = capfd.readouterr()
    assert json.loads(said.out)
    assert said.err == "" or name in ("apply", "stream")


def _model(folder):
    path = folder / "model.onnx"
    if not path.exists():
        saved(mlp(), path)
    return str(path)


def _features(folder):
    import pandas as pd
    from make_run import FEATURES

    pd.DataFrame(np.ones((5, len(FEATURES))), columns=list(FEATURES)).to_parquet(folder / "features.parquet")


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_others_are_tried_elsewhere(name):
    assert ELSEWHERE.keys() <= COMMANDS.keys()
    text = (Path(__file__).parent / ELSEWHERE[name]).read_text(encoding="utf-8")
    assert f'"{name}"' in text
    assert "--json" in text
