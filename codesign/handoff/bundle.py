"""Write a bundle: what offline analysis, fast simulation and the firmware's builders need of one design."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import __version__
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.places import require_folder_name, require_parent
from codesign.core.reading.limits import PACKED_BYTES
from codesign.core.reading.npz import member_arrays
from codesign.core.reading.plain import copy_member, member_names
from codesign.core.records import Baselines, Figures, Metrics, SampleFacts, TrialStatus, Verified
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.targets import Target, load_target
from codesign.data.sample import Part
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.flows.reopening import bitstream_files, firmware_in, is_own_bitstream, refuse_links, verdict_of
from codesign.flows.settings import flow_settings
from codesign.handoff.archive import pack
from codesign.handoff.check import checksum
from codesign.handoff.cmssw import Profile, write_cmssw
from codesign.handoff.emulator import emulator_name, write_emulator
from codesign.handoff.fastsim import write_fast_simulation
from codesign.handoff.interface import components_of, input_blocks, input_signals, output_signals, tools_of, trigger_of
from codesign.handoff.manifest import FORMAT_VERSION, BundleFile, Manifest, TargetFacts
from codesign.handoff.pieces import write_around_firmware, write_inference
from codesign.handoff.readme import readme
from codesign.handoff.reference_distribution import REFERENCE, distribution_of
from codesign.handoff.signature import sign
from codesign.handoff.wrappers.destination import Golden, write_destination
from codesign.pipeline.parts import load_part, part_path, seeing
from codesign.rtl.firmware import Firmware
from codesign.study.imported_run import REPORT, ImportedRun, Origin, made_of, origin_of
from codesign.study.opened_problem import open_problem

__all__ = ("write_bundle",)

#: beside the files of the model, which its family names
_COPIED = ("model.onnx", "design.json", "golden.npz")
#: what a build left behind: a bundle holds sources, and who gets it builds them
_BINARY = (".so", ".o", ".a")


def write_bundle(
    run: Path,
    trial: int,
    output: Path,
    licence: str = "Apache-2.0",
    key: Path | None = None,
    cmssw: Profile | None = None,
    destination: str | None = None,
) -> Path:
    """Write the bundle of a verified trial into a new folder ``output``, or into one file if it ends in ``.zip``.

    The same trial gives the same bytes. InputError where the trial was not verified, failed its verification, or no
    longer is what was verified. ``licence`` is the SPDX expression of the design itself, the user's to choose.
    ``key`` is an SSH key to sign with (:mod:`codesign.handoff.signature`). With a profile for ``cmssw`` the bundle has
    a library of its types as well (:mod:`codesign.handoff.cmssw`), and with a ``destination`` the entities and pattern
    files of that (:mod:`codesign.handoff.wrappers`); InputError where the design does not fit it.
    """
    output = Path(output)
    if output.exists():
        raise InputError(f"{output} already exists: remove it or give another name")
    require_parent(output)
    if output.suffix.lower() != ".zip":
        require_folder_name(output, "NAME.zip, or a folder")
    trial_ = _open(Path(run), trial)
    workshop = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        made = workshop / "bundle"
        _fill(made, trial_, licence, cmssw, destination)
        if key is not None:
            sign(made, key)
        if output.suffix.lower() == ".zip":
            packed = workshop / "bundle.zip"
            pack(made, packed, output.stem)
            made = packed
        os.replace(made, output)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return output


@dataclass(frozen=True)
class _Trial:
    """A trial that may be handed on."""

    run: RunFolder
    folder: TrialFolder
    study: Origin
    status: TrialStatus
    verified: Verified
    design: Design
    firmware: Firmware
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]


def _open(path: Path, number: int) -> _Trial:
    run = RunFolder.open(path)
    origin = origin_of(run)
    folder = run.trial(number)
    if not folder.path.is_dir():
        raise InputError(f"{path} has no trial {number}; it has {len(run.trials())}, see 'codesign report {path}'")
    study = made_of(origin, folder)
    status, verified = folder.read("status.json", TrialStatus), folder.read("verify.json", Verified)
    if status is None or not (folder.path / "design.json").is_file():
        why = f" ({status.state.value}: {status.reason})" if status and status.reason else ""
        raise InputError(f"trial {number} has no design to hand on{why}")
    if verified is None or not (folder.path / "golden.npz").is_file():
        raise InputError(f"trial {number} is not verified yet: run 'codesign verify {path} {number}' first")
    if not verified.exact or not verified.events:
        why = verified.first_difference or ("no difference recorded" if verified.events else "no event was compared")
        raise InputError(f"trial {number} failed its verification and is not handed on: {why}")
    missing = [name for name in _copy(study) if not (folder.path / name).is_file()]
    if missing:
        raise InputError(f"trial {number} lacks {', '.join(missing)}: run 'codesign verify {path} {number}' again")
    design = Design.load(folder.path)
    if status.design not in (None, design.hash):
        raise InputError(f"trial {number}: model.onnx or design.json was changed since the trial ran; not handed on")
    refuse_links(folder.path)
    flow = plugins.load(Flow, study.flow.name)
    target = run.read("target.json", Target) or load_target(study.target)
    settings = flow_settings(flow, folder.read_json("config.json") or {})
    firmware = firmware_in(folder.firmware, flow, design, target, settings)
    claimed_only = InputError(
        f"trial {number}: its verdict is not of a simulation that you ran, or firmware or events were changed since; "
        f"not handed on: run 'codesign verify {path} {number} --again' first"
    )
    if firmware is None:
        raise claimed_only
    inputs, outputs = _golden(folder.path / "golden.npz", design)
    # cheap, and it catches firmware or vectors that were exchanged after the verification
    if not np.array_equal(flow.predict(firmware, inputs), outputs):
        raise InputError(f"trial {number}: the firmware does not reproduce golden.npz: verify it again; not handed on")
    claimed = firmware.rtl.latency_cycles if firmware.rtl is not None else None
    if claimed is not None and verified.latency_cycles != claimed:
        raise InputError(
            f"trial {number}: the simulation measured {verified.latency_cycles} cycles of latency, the firmware says "
            f"{claimed}: verify it again; not handed on"
        )
    if verdict_of(folder, firmware) is None:
        raise claimed_only
    for made in sorted(folder.path.glob("bitstream-*")):
        if any(made.glob("*.bit*")) and not is_own_bitstream(made, design):
            again = f"codesign bitstream {path} {number} --target {made.name.removeprefix('bitstream-')}"
            raise InputError(
                f"trial {number}: you did not make the bitstream in {made}, or it was changed since; not handed on: "
                f"make it again ('{again}') or remove it"
            )
    return _Trial(run, folder, study, status, verified, design, firmware, inputs, outputs)


def _copy(made: Origin) -> tuple[str, ...]:
    """What a bundle takes from the trial's folder as it is: of a model that was imported, the report of that."""
    return (*_COPIED, *((REPORT,) if isinstance(made, ImportedRun) else _parameters(made)))


def _parameters(made: Origin) -> tuple[str, ...]:
    """The files that hold what was trained here: of a model that was imported, none."""
    return () if isinstance(made, ImportedRun) else tuple(plugins.load(Family, made.family).files)


def _meanings(trial: _Trial) -> dict[str, str]:
    """What the outputs mean, as the run began with them; of runs of old nothing is known."""
    facts = trial.run.read("sample.json", SampleFacts)
    known = {block.name for block in output_signals(trial.design)}
    return {} if facts is None else {name: text for name, text in facts.meanings.items() if name in known}


def _view(trial: _Trial) -> dict[str, Any]:
    """What the trial's model sees, where the families of its study see different blocks."""
    made = origin_of(trial.run)
    several = not isinstance(made, ImportedRun) and made.families
    return {"view": list(trial.study.view)} if several and not isinstance(trial.study, ImportedRun) else {}


def _threshold_code(trial: _Trial) -> int | None:
    """Of the output that is compared, as the validation split fixed it."""
    validation = trial.folder.read("metrics.json", Metrics)
    found = trigger_of(trial.design, validation.points.get("threshold") if validation else None)
    return None if found is None else found.threshold_code


def _golden(path: Path, design: Design) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        stored = member_arrays(path.parent, path.name, ("inputs", "outputs"), PACKED_BYTES)
        inputs, outputs = stored["inputs"], stored["outputs"]
    except (InputError, KeyError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{path}: cannot read the golden vectors ({why}): verify the trial again") from None
    expected = (len(inputs), design.inputs.size), (len(inputs), design.outputs.size)
    if (inputs.shape, outputs.shape) != expected or not len(inputs):
        raise InputError(f"{path}: golden vectors of shape {inputs.shape} and {outputs.shape} are not this design's")
    return inputs.astype(np.int64), outputs.astype(np.int64)


def _fill(bundle: Path, trial: _Trial, licence: str, cmssw: Profile | None, destination: str | None) -> None:
    """Write every file of the bundle, the manifest last."""
    bundle.mkdir()
    if cmssw is not None:
        write_cmssw(trial.design, cmssw, trial.inputs, trial.outputs, bundle / "cmssw")
    if destination is not None:
        golden = Golden(trial.inputs, trial.outputs, _threshold_code(trial))
        write_destination(destination, trial.firmware, golden, bundle / destination)
    for name in _copy(trial.study):
        copy_member(trial.folder.path, name, bundle / name)
    if isinstance(trial.study, ImportedRun) and (trial.folder.path / "source").is_dir():
        _copy_tree(trial.folder.path / "source", bundle / "source")
    _copy_tree(trial.firmware.folder, bundle / "firmware")
    write_around_firmware(trial.firmware, trial.inputs, trial.outputs, bundle)
    for folder in sorted(trial.folder.path.glob("bitstream-*")):
        _copy_made(folder, bundle / "bitstream" / folder.name.removeprefix("bitstream-"))
    write_emulator(trial.design, emulator_name(trial.study.name), bundle / "emulator")
    write_inference(trial.design, trial.study.name, bundle)
    _write_facts_of_sample(trial, bundle)
    manifest = _manifest(trial, licence, cmssw, destination)
    (bundle / "README.md").write_text(readme(manifest, (bundle / "fastsim").is_dir()), encoding="utf-8")
    files = []
    for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
        path.chmod(0o644)
        name = path.relative_to(bundle).as_posix()
        files.append(BundleFile(path=name, size=path.stat().st_size, sha256=checksum(path)))
    whole = manifest.model_copy(update={"files": sorted(files, key=lambda f: f.path)})
    text = json.dumps(whole.model_dump(mode="json"), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    (bundle / "manifest.json").write_text(text, encoding="utf-8")


def _write_facts_of_sample(trial: _Trial, bundle: Path) -> None:
    """The distribution that a stream is compared with, and tables for generator-level work where the task can give any:
    as far as the run still has its splits."""
    if isinstance(trial.study, ImportedRun) or not part_path(trial.run, "validation").is_file():
        return
    problem = open_problem(trial.study)
    flow = plugins.load(Flow, trial.study.flow.name)
    searched, view = trial.folder.read("metrics.json", Metrics), trial.study.view

    def score(name: str) -> tuple[Part, NDArray[np.float64]]:
        part = seeing(load_part(trial.run, name), view)
        codes = trial.design.input_quantisation.codes(part.x)
        return part, trial.design.outputs.values(flow.predict(trial.firmware, codes))

    validation = score("validation")
    part, scores = validation
    usual = problem.undisturbed(part)
    if usual.any():
        codes = np.column_stack([trial.design.input_quantisation.codes(part.x), trial.design.outputs.codes(scores)])
        names = (*trial.design.inputs.labels, *trial.design.outputs.labels)
        weights = None if part.weights is None else part.weights[usual]
        origin = f"{int(usual.sum()):,} events of the validation split of {trial.study.name}"
        known = distribution_of(names, codes[usual], origin, weights)
        write_atomically(bundle / REFERENCE, (known.model_dump_json(indent=1) + "\n").encode())
    if problem.tabulates and part_path(trial.run, "test").is_file():
        points = searched.points if searched else {}
        write_fast_simulation(problem, points, validation, score("test"), bundle / "fastsim")


def _copy_made(source: Path, destination: Path) -> None:
    """Copy a bitstream and its timing report; nothing where the bitstream was not finished."""
    for path in bitstream_files(source) if any(source.glob("*.bit*")) else ():
        destination.mkdir(parents=True, exist_ok=True)
        copy_member(source.parent, f"{source.name}/{path.name}", destination / path.name)


def _copy_tree(source: Path, destination: Path) -> None:
    """Copy what a flow wrote; a link could lead out of the folder, so there may be none."""
    for name in member_names(source):
        relative = Path(name)
        if any(part.startswith(".") for part in relative.parts) or relative.suffix in _BINARY:
            continue
        (destination / relative).parent.mkdir(parents=True, exist_ok=True)
        copy_member(source, name, destination / relative)


def _manifest(trial: _Trial, licence: str, cmssw: Profile | None, destination: str | None) -> Manifest:
    study, folder, firmware, target = trial.study, trial.folder, trial.firmware, trial.firmware.target
    test, validation = folder.read("test.json", Metrics), folder.read("metrics.json", Metrics)
    figures = folder.read("figures.json", Figures)
    imported = isinstance(study, ImportedRun)
    if figures is None or (not imported and (test is None or validation is None)):
        raise InputError(f"trial {folder.number} has no test metrics or figures: run 'codesign verify' on it first")
    points = validation.points if validation else {}
    baseline = trial.run.read("baseline.json", Baselines) or Baselines()
    trial.run.read("sample.json", SampleFacts)  # a damaged one is refused; the manifest has it as it stands
    return Manifest(
        format_version=FORMAT_VERSION,
        study=study.name,
        description=study.description,
        task=study.task,
        family=study.family,
        flow=study.flow.name,
        target=TargetFacts(name=target.name, part=target.part, clock_mhz=target.clock_mhz, whole=target),
        trial=folder.number,
        design=trial.design.hash,
        config=folder.read_json("config.json") or {},
        seed=trial.status.seed,
        top=firmware.rtl.top if firmware.rtl else None,
        protocol=firmware.rtl.protocol if firmware.rtl else None,
        sources=[f"firmware/{p.as_posix()}" for p in (firmware.rtl.sources if firmware.rtl else ())],
        latency_cycles=trial.verified.latency_cycles if firmware.rtl else None,
        inputs=input_signals(trial.design),
        blocks=input_blocks(trial.design),
        outputs=output_signals(trial.design),
        meanings=_meanings(trial),
        metrics=test.metrics if test else {},
        working_points=points,
        trigger=trigger_of(trial.design, points.get("threshold")),
        validation=validation.metrics if validation else {},
        baseline=baseline.metrics,
        figures=figures.figures,
        verified=trial.verified,
        sample=(trial.run.read_json("sample.json") or {}) | _view(trial),
        notes=[*dict.fromkeys([*trial.status.notes, *firmware.notes])],
        codesign=__version__,
        tools=tools_of(study.flow.name, cmssw is not None, firmware.extra),
        parameters=list(_parameters(study)),
        licence=licence,
        components=components_of(study.flow.name, firmware.folder, cmssw is not None, destination),
        cmssw=cmssw,
        destination=destination,
        files=[],
    )
