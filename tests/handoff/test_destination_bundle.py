"""A bundle for a destination: its folder follows from the design, is checked, and simulated where it is asked for."""

from __future__ import annotations

import shutil

import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError
from codesign.handoff import read_manifest, write_bundle
from codesign.handoff.examination import Asked, prove_bundle
from codesign.handoff.statement import Finding
from tests.security.strangers import forge


def outcomes(bundle, rtl=False):
    return {s.name: s for s in prove_bundle(bundle, Asked(rtl=rtl)).statements}


def test_what_a_destination_takes_is_made_again_and_compared(tmp_path, run, trial):
    bundle = tmp_path / "bundle"
    done = CliRunner().invoke(app, ["handoff", str(run.path), str(trial), "-o", str(bundle), "--for", "emp"])
    assert done.exit_code == 0, done.output
    assert read_manifest(bundle).destination == "emp"
    found = outcomes(bundle)
    assert not [s for s in found.values() if s.outcome is Finding.WRONG]
    assert found["emp/"].outcome is Finding.CHECKED
    assert "emp/network" in {c.files for c in read_manifest(bundle).components}
    text = (bundle / "emp/emp_payload.vhd").read_text()
    forge(bundle, "emp/emp_payload.vhd", text.replace("rst_loc(0)", "'0'").encode())
    assert outcomes(bundle)["emp/"].outcome is Finding.WRONG


def test_a_place_that_the_design_does_not_fit_gives_no_bundle(tmp_path, run, trial):
    with pytest.raises(InputError, match=r"^ugt: the design has \d+ outputs and no trigger"):
        write_bundle(run.path, trial, tmp_path / "bundle", destination="ugt")
    assert not (tmp_path / "bundle").exists()
    given = ["handoff", str(run.path), str(trial), "-o", str(tmp_path / "b"), "--for"]
    alone = CliRunner().invoke(app, [*given, "cmssw"])
    assert "--for cmssw and --profile NAME stand together" in str(alone.exception)
    other = CliRunner().invoke(app, [*given, "emp", "--profile", "topo"])
    assert "--for cmssw and --profile NAME stand together" in str(other.exception)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ghdl") is None, reason="ghdl is missing: apt install ghdl")
@pytest.mark.parametrize("place", ["emp", "ctp7"])
def test_it_is_simulated_at_its_receiver(tmp_path, run, trial, place):
    bundle = write_bundle(run.path, trial, tmp_path / "bundle", destination=place)
    said = outcomes(bundle, rtl=True)[f"{place}/, run"]
    assert said.outcome is Finding.CHECKED, said.detail
    assert said.events
