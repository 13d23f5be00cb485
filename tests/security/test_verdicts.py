"""A verdict from somebody else: only what was simulated here, of firmware made here, is handed on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder
from codesign.flows import reopening as door
from codesign.handoff import write_bundle
from codesign.handoff.bundle import _open
from tests.security.shared_run import contents


def _claims(shared):
    pass  # theirs, as it was


def _from_another_trial(shared):
    shared.trial.write("verify.json", {"exact": True, "events": 5000, "latency_cycles": 1})


def _other_events(shared):
    with np.load(shared.trial.path / "golden.npz") as stored:
        np.savez(shared.trial.path / "golden.npz", inputs=stored["inputs"][:5], outputs=stored["outputs"][:5])


def _other_firmware(shared):
    path = shared.trial.firmware / "src" / "codesign_core.v"
    path.write_text(path.read_text() + "\n")


def _a_seal_of_another_folder(shared):
    shutil.copy(shared.trial.firmware / ".seal.json", shared.trial.path / ".verify.seal.json")


@pytest.mark.parametrize(
    "forge", [_claims, _from_another_trial, _other_events, _other_firmware, _a_seal_of_another_folder]
)
def test_a_verdict_that_is_not_of_ones_own_simulation_is_not_handed_on(forge, shared, become, tmp_path):
    assert _open(shared.run.path, shared.trial.number).verified.exact
    if forge is _claims:
        become("bob")
    forge(shared)
    with pytest.raises(InputError, match="not handed on") as caught:
        write_bundle(shared.run.path, shared.trial.number, tmp_path / "bundle")
    assert re.search(r"verify .* \d+ --again|verify it again", str(caught.value))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("whose", ["theirs", "changed", "own"])
def test_only_ones_own_bitstream_is_handed_on(whose, shared, become, tmp_path):
    work = shared.trial.path / "bitstream-ulx3s-85f"
    work.mkdir()
    (work / "codesign_board.bit").write_bytes(b"bits")
    if whose != "theirs":
        door.seal_bitstream(work, shared.design)
    if whose == "changed":
        (work / "codesign_board.bit").write_bytes(b"other bits")
    if whose == "own":
        assert _open(shared.run.path, shared.trial.number).verified.exact
    else:
        with pytest.raises(InputError, match=r"codesign bitstream .* --target ulx3s-85f"):
            write_bundle(shared.run.path, shared.trial.number, tmp_path / "bundle")


@pytest.mark.slow
def test_a_strangers_run_is_verified_anew_and_then_handed_on(become, tmp_path, marker):
    """Search, then another user with changed Verilog, verdict and figures: only what was made and found here counts."""
    from codesign.core.records import Figures
    from codesign.pipeline.trial_proof import prove_trial
    from codesign.search.engine import run_study
    from tests.small_study import small_study

    front = run_study(small_study(), tmp_path / "run")
    run, number = RunFolder.open(tmp_path / "run"), front.points[0].trial
    trial = run.trial(number)
    honest, honest_figures = contents(trial.firmware), trial.read("figures.json", Figures)
    become("bob")
    top = trial.firmware / "src" / "codesign_top.v"
    top.write_text(top.read_text().replace("endmodule", f'initial $system("touch {marker}");\nendmodule'))
    trial.write(
        "figures.json",
        Figures(figures=[f.model_copy(update={"value": 1.0, "expected": None}) for f in honest_figures.figures]),
    )
    with pytest.raises(InputError, match="is not what its design compiles to"):
        prove_trial(run, number)
    with pytest.raises(InputError, match="not handed on"):
        write_bundle(run.path, number, tmp_path / "bundle")
    verdict = prove_trial(run, number, again=True)
    assert verdict.exact
    found = {(f.quantity, f.fidelity): f.value for f in trial.read("figures.json", Figures).figures}
    true = {(f.quantity, f.fidelity): f.value for f in honest_figures.figures if f.fidelity != "analytic"}
    assert {k: found[k] for k in true} == true
    write_bundle(run.path, number, tmp_path / "bundle")
    assert contents(tmp_path / "bundle" / "firmware") == {
        p: c for p, c in honest.items() if not Path(p).name.startswith(".")
    }
