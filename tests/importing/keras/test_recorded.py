"""Small networks of HGQ2, converted once and recorded with Keras' own outputs: our side of the import, without Keras.

A slow test makes them anew, where Keras is set up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.reading.npz import npz_arrays
from codesign.importing.declared import DeclaredInputs
from codesign.importing.keras.keras_environment import KERAS
from codesign.importing.keras.keras_file import design_of_keras, imported_keras, inferred_types
from codesign.importing.keras.keras_process import KerasFacts
from tests.benchmarks.imports_keras import wider
from tests.graph.everywhere import alkaid_codes, circuit_codes, exact_codes, session_codes

HERE = Path(__file__).resolve().parent
NETWORKS = ("attention", "dense", "images", "line", "linformer", "recurrent", "sets", "tables")


@cache
def recorded(name):
    """Its graph, its facts and its arrays."""
    arrays = npz_arrays(HERE / "recorded" / f"{name}.npz")
    graph, facts = arrays.pop("graph").tobytes(), arrays.pop("facts").tobytes()
    return graph, KerasFacts.model_validate_json(facts), arrays


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_are_equal_everywhere(name):
    graph, facts, arrays = recorded(name)
    design, _ = design_of_keras(graph, facts)
    codes, truth = arrays["own_codes"].astype(np.int64), design.outputs.codes(arrays["own_outputs"])
    assert np.array_equal(exact_codes(design, codes), truth)
    assert np.array_equal(session_codes(design, codes), truth)
    assert np.array_equal(circuit_codes(design, codes[::8]), truth[::8])
    assert np.array_equal(alkaid_codes(design, codes), truth)
    assert len(np.unique(truth, axis=0)) > 15  # it does something


@pytest.mark.parametrize("name", NETWORKS)
def test_inputs_beyond_the_own_types_wrap_as_keras_wraps_them(name):
    graph, facts, arrays = recorded(name)
    own, _ = design_of_keras(graph, facts)
    design, changes = design_of_keras(graph, facts, wider(own))
    assert not changes
    codes = arrays["wide_codes"].astype(np.int64)
    assert np.array_equal(exact_codes(design, codes), design.outputs.codes(arrays["wide_outputs"]))


@pytest.mark.parametrize(("right", "wrong"), [("WRAP", "SAT"), ("RND", "FLOOR")])
def test_a_planted_fault_is_seen(right, wrong):
    import onnx

    graph, facts, arrays = recorded("dense")
    model = onnx.load_from_string(graph)
    node = next(n for n in model.graph.node if n.op_type == "FixedPoint" and n.input[0] != "in0")
    given = next(a for a in node.attribute if a.s == right.encode())
    given.s = wrong.encode()
    design, _ = design_of_keras(model.SerializeToString(), facts)
    values = design.outputs.values(exact_codes(design, arrays["own_codes"].astype(np.int64)))
    assert not np.array_equal(values, arrays["own_outputs"])


def test_types_are_asked_for_where_no_quantiser_gives_them():
    _, facts, _ = recorded("dense")
    bare = facts.model_copy(update={"read_bare": (0, 2)})
    with pytest.raises(InputError, match=r"2 of 6 inputs enter a layer without a quantiser.*declare"):
        inferred_types(bare)
    wide = facts.model_copy(update={"read_as": (((1, 24, 5),), *facts.read_as[1:])})
    with pytest.raises(InputError, match=r"1 of 6 inputs with more than 24 bits.*fixed<30,25>.*unused: declare"):
        inferred_types(wide)


def test_declared_types_and_names():
    graph, facts, _ = recorded("dense")
    declared = DeclaredInputs(type="fixed<8,4>", fields=tuple("abcdef"), outputs=("p", "q", "r"))
    design, _ = design_of_keras(graph, facts, declared)
    assert design.inputs.labels == tuple("abcdef")
    assert {str(t) for t in design.inputs.types} == {"fixed<8,4>"}
    assert design.outputs.labels == ("p", "q", "r")
    with pytest.raises(InputError, match="2 fields"):
        design_of_keras(graph, facts, DeclaredInputs(type="fixed<8,4>", fields=("a", "b")))


def test_two_types_of_one_input_are_joined():
    _, facts, _ = recorded("dense")
    twice = facts.model_copy(update={"read_as": (((0, 3, 1), (1, 1, 4)), *facts.read_as[1:])})
    assert str(inferred_types(twice)[0]) == "fixed<8,4>"
    unread = facts.model_copy(update={"read_as": ((), *facts.read_as[1:])})
    assert inferred_types(unread)[0].width == 0


def test_without_keras_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    (tmp_path / "m.keras").write_bytes(b"")
    with pytest.raises(ToolError, match="codesign doctor --install keras"):
        imported_keras(tmp_path / "m.keras")


@pytest.mark.slow
def test_made_anew_they_are_the_same(tmp_path):
    if not KERAS.is_set_up():
        pytest.skip(f"Keras is not set up: {KERAS.how_to_get}")
    environment = {**os.environ, **KERAS.variables()}
    for script, folders in (("make_networks.py", ("nets",)), ("record.py", ("nets", "recorded"))):
        (tmp_path / folders[-1]).mkdir()
        command = [sys.executable, "-P", HERE / script, *(tmp_path / f for f in folders)]
        subprocess.run(command, env=environment, check=True, timeout=1800)
    for name in set(NETWORKS) - {"recurrent"}:  # made by tests/flows/make_unread_networks.py
        new, kept = (npz_arrays(p / "recorded" / f"{name}.npz") for p in (tmp_path, HERE))
        assert new.keys() == kept.keys()
        for key in kept.keys() - {"facts"}:
            assert np.array_equal(new[key], kept[key]), (name, key)
