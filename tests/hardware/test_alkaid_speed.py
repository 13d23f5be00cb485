"""Tracing that is sped up gives the circuits of alkaid's own, and leaves alkaid as it was."""

import gc
import gzip
from contextlib import nullcontext, suppress

import pytest
from alkaid.trace import fixed_variable
from alkaid.trace.fixed_variable import FVariable
from alkaid.types import CombLogic

from codesign.errors import UnsupportedError
from codesign.hardware import alkaid, alkaid_speed
from codesign.hardware.alkaid_files import save_program
from codesign.targets import load_target
from codesign.testing.cases import CASES, FAMILIES, family_design

EDGES = [case for case in CASES if case.exact and case.core]


def files(design, folder):
    """Path and content of all that a compilation writes; a program is read."""
    firmware = alkaid.Alkaid().compile(design, load_target("vu13p-360"), folder)
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
    found = {p.relative_to(folder): p.read_bytes() for p in paths if p.suffix != ".gz"}
    return found, CombLogic.load(folder / "program.json.gz"), firmware.notes


def compare(design, tmp_path, monkeypatch):
    quick = files(design, tmp_path / "quick")
    with monkeypatch.context() as patch:
        patch.setattr(alkaid, "_quickened", nullcontext)
        assert files(design, tmp_path / "own") == quick


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_becomes_the_same_firmware(family, tmp_path, monkeypatch):
    config, outputs = FAMILIES[family]
    compare(family_design(family, config, outputs), tmp_path, monkeypatch)


@pytest.mark.parametrize("case", EDGES, ids=str)
def test_an_edge_of_what_may_be_asked_becomes_the_same_firmware(case, tmp_path, monkeypatch):
    try:
        compare(case.make(), tmp_path, monkeypatch)
    except UnsupportedError:
        pytest.skip("not of this flow")


def test_alkaid_is_as_before_afterwards():
    before = [vars(owner)[name] for owner, name, _ in alkaid_speed._QUICK]
    with suppress(KeyError), alkaid_speed.quickened():
        assert not gc.isenabled()
        assert fixed_variable.UUID(int=7, version=4) != fixed_variable.UUID(int=7, version=4)
        raise KeyError
    assert gc.isenabled()
    assert [vars(owner)[name] for owner, name, _ in alkaid_speed._QUICK] == before


def test_another_alkaid_is_left_alone(monkeypatch):
    monkeypatch.setattr(alkaid, "version", lambda name: "0.8.3")
    own = FVariable._with
    with alkaid._quickened():
        assert FVariable._with is own
        assert gc.isenabled()


def test_a_program_is_the_text_that_alkaid_writes(tmp_path):
    config, outputs = FAMILIES["mlp"]
    alkaid.Alkaid().compile(family_design("mlp", config, outputs), load_target("vu13p-360"), tmp_path / "f")
    circuit = CombLogic.load(tmp_path / "f" / "program.json.gz")
    circuit.save(tmp_path / "theirs.json")
    save_program(circuit, tmp_path / "ours.json.gz")
    save_program(circuit, tmp_path / "again.json.gz")
    assert (tmp_path / "ours.json.gz").read_bytes() == (tmp_path / "again.json.gz").read_bytes()
    text = gzip.decompress((tmp_path / "ours.json.gz").read_bytes())
    assert text == (tmp_path / "theirs.json").read_bytes()
