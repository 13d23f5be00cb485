"""Small networks of QKeras, read once and recorded with QKeras' own outputs: our side, without TensorFlow.

A slow test makes them anew, where QKeras is set up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from codesign.core.errors import InputError, ToolError, UnsupportedError
from codesign.core.reading.npz import npz_arrays
from codesign.importing.declared import DeclaredInputs
from codesign.importing.importers import importer_of
from codesign.importing.keras.keras_process import KerasFacts
from codesign.importing.qkeras.interaction_layer import pairs_of
from codesign.importing.qkeras.qkeras_environment import QKERAS
from codesign.importing.qkeras.qkeras_file import design_of_qkeras, imported_qkeras
from codesign.importing.source_agreement import compare
from tests.benchmarks.imports_keras import DATA
from tests.graph.everywhere import alkaid_codes, circuit_codes, exact_codes, session_codes
from tests.importing.qkeras.record import TYPES

HERE = Path(__file__).resolve().parent
NETWORKS = ("folded", "functions", "images", "jets", "line", "signs")


@cache
def recorded(name):
    """Its graph, its facts, its codes and QKeras' outputs."""
    arrays = npz_arrays(HERE / "recorded" / f"{name}.npz")
    facts = KerasFacts.model_validate_json(arrays["facts"].tobytes())
    return arrays["graph"].tobytes(), facts, arrays["codes"].astype(np.int64), arrays["outputs"]


def taken(name, graph=None):
    kept, facts, _, _ = recorded(name)
    return design_of_qkeras(graph or kept, facts, name, {"QKeras 0.9.0": lambda x: x}, DeclaredInputs(type=TYPES))


def gaps(name, graph=None):
    """By how many codes the design is beside QKeras on each row, at most."""
    _, _, codes, outputs = recorded(name)
    design = taken(name, graph).made
    return np.abs(outputs / design.outputs.lsbs - exact_codes(design, codes)).max(axis=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_is_qkeras_own(name):
    assert not gaps(name).any()
    assert len(np.unique(recorded(name)[3], axis=0)) > 15  # it does something


@pytest.mark.parametrize("name", ["jets", "signs"])
def test_other_domains_agree(name):
    design, codes = taken(name).made, recorded(name)[2]
    truth = exact_codes(design, codes)
    assert np.array_equal(session_codes(design, codes), truth)
    assert np.array_equal(circuit_codes(design, codes[::20]), truth[::20])
    assert np.array_equal(alkaid_codes(design, codes), truth)


def test_what_is_said_of_it():
    imported = taken("images")
    report = imported.report
    kinds = [layer.kind for layer in report.layers]
    assert kinds.count("QConv2D") == kinds.count("BatchNormalization") == 1
    assert report.source.kind == "QKeras model"
    assert report.source.producer.startswith("Keras 2.")
    assert [c.what for c in report.changes].count("cut") == 1  # the softmax of its last layer


@pytest.mark.parametrize(("right", "wrong"), [(b"ROUND", b"FLOOR"), (5.0, 4.0)])
def test_a_planted_fault_is_seen(right, wrong):
    model = onnx.load_from_string(recorded("images")[0])
    node = next(n for n in model.graph.node if n.op_type == "Quant" and n.input[0] != "in0")
    if isinstance(right, bytes):
        next(a for a in node.attribute if a.s == right).s = wrong
    else:
        bits = next(t for t in model.graph.initializer if t.name == node.input[3])
        assert numpy_helper.to_array(bits) == right
        bits.CopyFrom(numpy_helper.from_array(np.array(wrong, np.float32), bits.name))
    assert gaps("images", model.SerializeToString()).any()


def test_pairs_are_receivers_and_senders():
    receivers, senders = (pairs_of(3, r, True)[0] for r in (True, False))
    assert receivers.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]
    assert senders.argmax(1).tolist() == [1, 2, 0, 2, 0, 1]
    assert np.array_equal(pairs_of(6, True, False)[0], receivers.T)
    with pytest.raises(UnsupportedError, match="7 edges"):
        pairs_of(7, True, False)


def test_keras_2_goes_to_qkeras_and_without_it_one_line_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    file = HERE / "jets.h5"
    assert importer_of(file).name == "qkeras"
    with pytest.raises(ToolError, match="codesign doctor --install qkeras"):
        imported_qkeras(file)


def needs_qkeras():
    if not QKERAS.is_set_up():
        pytest.skip(f"QKeras is not set up: {QKERAS.how_to_get}")


@pytest.mark.slow
def test_made_anew_they_are_the_same(tmp_path):
    needs_qkeras()
    environment = {**os.environ, **QKERAS.variables()}
    for script, folders in (("make_networks.py", ("nets",)), ("record.py", ("nets", "recorded"))):
        (tmp_path / folders[-1]).mkdir()
        command = [sys.executable, "-P", HERE / script, *(tmp_path / f for f in folders)]
        subprocess.run(command, env=environment, check=True, timeout=1800)
    for name in NETWORKS:
        new, kept = (npz_arrays(p / "recorded" / f"{name}.npz") for p in (tmp_path, HERE))
        for key in ("graph", "codes", "outputs"):
            assert np.array_equal(new[key], kept[key]), (name, key)


@pytest.mark.slow
def test_a_file_is_taken_and_asked_for_its_types():
    needs_qkeras()
    with pytest.raises(InputError, match="does not say its type"):
        imported_qkeras(HERE / "jets.h5")
    found = compare(imported_qkeras(HERE / "jets.h5", DeclaredInputs(type=TYPES)), drawn=200)
    (agreement,) = found.imported.report.agreement
    assert agreement.equal == agreement.tried > 200
    assert agreement.runner.startswith("QKeras 0.9.0")


@pytest.mark.slow
def test_the_public_interaction_network_is_exact():
    needs_qkeras()
    file = DATA / "qkeras_interaction_8.h5"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    found = compare(imported_qkeras(file, DeclaredInputs(type="fixed<8,4>")), drawn=300)
    (agreement,) = found.imported.report.agreement
    assert agreement.equal == agreement.tried > 300
