"""Keras files without a reader: alkaid's own trace is taken where it is Keras' own function, and refused where not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from alkaid.trace import FVArray, HWConfig, trace
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.json import member_json
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.alkaid import keras_verilog
from codesign.flows.alkaid.alkaid_files import load_program, save_program
from codesign.flows.alkaid.keras_verilog import trace_keras
from codesign.importing.declared import DeclaredInputs
from codesign.importing.imports import import_model
from codesign.importing.keras.keras_environment import KERAS

TARGET = load_target("vu13p-240")
MATRIX = np.array([[1.0, -0.5, 0.25], [0.0, 2.0, -1.0]])
VALUES = np.random.default_rng(0).integers(-8, 8, (300, 2)) / 2


def answering(wrong=0):
    """In the place of the process that holds Keras: a traced circuit, and what Keras would give, some of it other."""

    def asked(file, work, seconds, module, job):
        signal = FVArray.from_kif(*(np.full((1, 2), v) for v in (1, 2, 1)), HWConfig(1, -1, -1))
        save_program(trace(signal, np.maximum(signal @ MATRIX, 0), optimize=False), work / "program.json.gz")
        truth = np.maximum(VALUES @ MATRIX, 0)
        truth[:wrong, 0] += 0.5
        np.save(work / "values.npy", VALUES)
        np.save(work / "outputs.npy", truth)
        return {"versions": {"Keras": "3"}, "keras_version": "3", "kinds": [[1, 2, 1], [1, 2, 1]]}

    return asked


def test_verilog_with_its_record_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_verilog, "ask_keras", answering())
    (tmp_path / "net.keras").write_bytes(b"a model")
    found = trace_keras(tmp_path / "net.keras", None, TARGET, tmp_path / "out")
    assert (found.tried, found.equal, found.latency_cycles > 0) == (300, 300, True)
    assert found.inputs == ("x0 to x1: fixed<4,3>",)
    assert member_json(tmp_path / "out", "verilog_only.json") == found.model_dump(mode="json")
    assert list((tmp_path / "out" / "firmware" / "src").rglob("codesign_core.v"))
    circuit = load_program(tmp_path / "out" / "firmware" / "program.json.gz")
    assert np.array_equal(circuit.predict(VALUES, n_threads=1), np.maximum(VALUES @ MATRIX, 0))
    with pytest.raises(InputError, match=r"holds Verilog only.*no ONNX"):
        RunFolder.open(tmp_path / "out")
    with pytest.raises(InputError, match="is not empty"):
        trace_keras(tmp_path / "net.keras", None, TARGET, tmp_path / "out")


def test_the_command_says_what_is_lacking(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_verilog, "ask_keras", answering())
    (tmp_path / "net.keras").write_bytes(b"a model")
    given = ["import", str(tmp_path / "net.keras"), "--verilog-only", "-o", str(tmp_path / "out")]
    said = CliRunner().invoke(app, given).stdout
    assert "300 of 300 rows equal to Keras" in said
    assert "not to be had: ONNX, the C++ emulator" in said


def test_a_trace_that_keras_does_not_give_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_verilog, "ask_keras", answering(wrong=7))
    (tmp_path / "net.keras").write_bytes(b"a model")
    with pytest.raises(UnsupportedError, match="293 of 300 rows, unoptimised: it is not taken"):
        trace_keras(tmp_path / "net.keras", None, TARGET, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_layers_without_a_reader_through_keras_itself(tmp_path):
    if not KERAS.is_set_up():
        pytest.skip(f"Keras is not set up: {KERAS.how_to_get}")
    script = Path(__file__).with_name("make_unread_networks.py")
    subprocess.run([sys.executable, "-P", script, tmp_path], env={**os.environ, **KERAS.variables()}, check=True)
    declared = DeclaredInputs(type="fixed<6,3>")
    for name in ("recurrent", "upsampled", "flattened"):
        found = trace_keras(tmp_path / f"{name}.keras", declared, TARGET, tmp_path / name)
        assert found.equal == found.tried > 1000
    (agreement,) = import_model(tmp_path / "recurrent.keras", inputs="fixed<6,3>").report.agreement
    assert agreement.equal == agreement.tried > 1000
    with pytest.raises(UnsupportedError, match="Lambda"):
        trace_keras(tmp_path / "code.keras", declared, TARGET, tmp_path / "code")
