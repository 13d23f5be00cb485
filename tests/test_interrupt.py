"""Ctrl-C in every command that takes time: one line of what is kept, exit code 130; a second one ends at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesign import report
from codesign.calibration import run as calibration
from codesign.cli import app
from codesign.core.records import Front
from codesign.pipeline import flow_comparison as flows
from codesign.pipeline import trial, trial_proof
from codesign.search import engine
from tests.make_run import make_run
from tests.processes import PATIENCE, wait_until_gone


def interrupt(*arguments, **more):
    os.kill(os.getpid(), signal.SIGINT)
    raise AssertionError("not interrupted")


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "made", trials=3, front=1).path


def invoke(*words):
    before = signal.getsignal(signal.SIGINT)  # an earlier test's library may have set one
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 130, done.output
    assert signal.getsignal(signal.SIGINT) is before
    return done.stderr


@pytest.mark.parametrize(
    ("module", "name", "words", "said"),
    [
        (trial_proof, "prove_trial", ["verify", "RUN", 0], "what was measured before is kept, and the same command"),
        (trial, "synthesise_trial", ["synth", "RUN", 0], "figures that were measured are kept"),
        (flows, "compare_flows", ["flows", "RUN"], "what was compared is in RUN, and the same command goes on"),
        (report, "write_report", ["report", "RUN"], "what was finished before is kept, and the same command begins"),
    ],
)
def test_a_command_says_what_is_kept(module, name, words, said, run, monkeypatch):
    monkeypatch.setattr(module, name, interrupt)
    words = [run if word == "RUN" else word for word in words]
    assert invoke(*words).startswith(f"interrupted; {said.replace('RUN', str(run))}")


def test_a_search_says_how_to_go_on_in_every_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "run_study", interrupt)
    words = ["run", "jet-tagger", "--run", tmp_path / "run"]
    assert invoke(*words) == (
        f"interrupted; what was finished is in {tmp_path}/run, and the same command goes on from there\n"
    )
    front = Front(study="jet-tagger", objectives=[], points=[])
    monkeypatch.setattr(engine, "run_study", lambda *arguments, **more: front)
    monkeypatch.setattr(report, "write_report", interrupt)
    assert f"kept in {tmp_path}/run; 'codesign report {tmp_path}/run' writes its report" in invoke(*words)


def test_a_calibration_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(calibration, "measure", interrupt)
    monkeypatch.setattr(sys, "argv", ["calibration", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        calibration.main()
    assert ended.value.code == 130
    assert f"networks that were measured are in {tmp_path}" in capsys.readouterr().err


SCRIPT = """
import subprocess, sys, time
from codesign.core.interrupt import interruptible, keeps
with interruptible():
    keeps("all is kept")
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        print(child.pid, flush=True)
        time.sleep(600)
    finally:
        print("first", flush=True)
        time.sleep(600)  # clears up, and takes its time
"""


def test_the_second_interrupt_ends_at_once_with_all_that_was_started():
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said == "interrupted again, ended at once; all is kept\n"
    wait_until_gone(child)
