"""``codesign verify``: one trial of a finished run, proven again, whether it was searched or imported."""

from __future__ import annotations

from pathlib import Path

from codesign.core import plugins
from codesign.core.errors import InputError, ToolError
from codesign.core.records import State, TrialStatus, Verified
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.data.sample import Sample
from codesign.flows.base import Flow
from codesign.flows.reopening import reopen_firmware
from codesign.pipeline.imported_proof import prove_imported
from codesign.pipeline.parts import load_sample, seeing, splits_of
from codesign.pipeline.proof import prove, simulate
from codesign.pipeline.stages import note
from codesign.pipeline.trial import design_of, trial_of
from codesign.study.definition import Study
from codesign.study.imported_run import ImportedRun
from codesign.tools.verilator import WaveFormat, require_fst

__all__ = ("prove_trial", "verify")


def prove_trial(
    run: RunFolder, number: int, again: bool = False, waves: WaveFormat | None = None, output: Path | None = None
) -> Verified:
    """Prove one trial of a finished run (``codesign verify``); ``again`` or ``waves`` simulates it once more.

    ``again`` also makes its firmware anew, in its place. With ``output`` it is simulated once more into that folder,
    and nothing is written in the run's. ToolError where it could not be simulated, or waveforms cannot be kept in that
    form here: then the last verdict stays.
    """
    study, folder = trial_of(run, number)
    if waves == "fst":
        require_fst()
    if isinstance(study, ImportedRun):
        return prove_imported(study, folder, again, waves, None if output is None else _own_folder(output))
    sample = load_sample(run)
    if output is not None:
        return _simulated_into(TrialFolder(_own_folder(output)), study, folder, sample, waves)
    status = folder.read("status.json", TrialStatus)
    seed = status.seed if status else study.seed
    simulated = prove(study, folder, sample, seed, lambda _: None, waves, again)
    if not simulated and (again or waves is not None):
        return _simulated_into(folder, study, folder, sample, waves)
    verdict = folder.read("verify.json", Verified)
    if verdict is None:
        reasons = (
            folder.read("status.json", TrialStatus) or TrialStatus(trial=number, state=State.FAILED, seed=0)
        ).notes
        raise ToolError(f"trial {number} could not be simulated: {reasons[-1] if reasons else 'see its log.txt'}")
    return verdict


def verify(run: Path | str, trial: int = 0) -> Verified:
    """Simulate the RTL of a run folder's trial and compare every integer; the verdict, as ``codesign verify`` gives it.

    A verdict that is there is given again. InputError where there is no such run or trial, ToolError where it could not
    be simulated.
    """
    return prove_trial(RunFolder(Path(run).resolve()), trial)


def _own_folder(output: Path) -> Path:
    """Make the folder of a simulation; InputError where it holds anything that is none of an earlier one."""
    output.mkdir(exist_ok=True)
    others = sorted(
        {p.name for p in output.iterdir()}
        - {"verify.json", "golden.npz", "figures.json", "simulation", ".verify.seal.json"}
    )
    if others:
        raise InputError(f"-o {output} holds other things, such as {others[0]}: give a new or an empty folder")
    return output


def _simulated_into(
    output: TrialFolder, study: Study, folder: TrialFolder, sample: Sample, waves: WaveFormat | None
) -> Verified:
    """Simulate a trial, and write ``verify.json``, ``golden.npz``, ``figures.json``, ``simulation/`` into ``output``.

    Of a simulation that fails, only its folder is written.
    """
    part = seeing(sample, study.view).part("test", splits_of(study))
    design = design_of(folder)
    flow = plugins.load(Flow, study.flow.name)
    firmware = reopen_firmware(folder, flow, design, load_target(study.target))
    codes = design.input_quantisation.codes(part.x[: study.verification.rtl_events])
    simulate(study, folder, design, flow, firmware, codes, waves, output)
    note(output, "simulation", None)
    verdict = output.read("verify.json", Verified)
    assert verdict is not None, "it was just written"
    return verdict
