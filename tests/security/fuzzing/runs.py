"""Run folders and stores: of one's own and damaged, damaged with a seal that holds, and a stranger's."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core import plugins, store
from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.core.trust.seal import SEAL
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.flows.reopening import seal_firmware, seal_verdict
from codesign.flows.settings import flow_settings
from codesign.pipeline import kept
from codesign.rtl.firmware import Firmware
from codesign.study.definition import Study
from codesign.training import lesson
from tests.security.fuzzing.subject import Door, Subject, command
from tests.security.fuzzing.watch import until_a_tool
from tests.security.strangers import run_in

__all__ = ("SUBJECTS", "TARGET", "own_run", "trial_in")

TARGET = "vu13p-360"
#: of a sample whose test split is as large as the smallest proof
_EVENTS = 6000
_READ = (".json", ".onnx", ".npz", ".gz", ".safetensors")
_SOURCES = (".v", ".sv", ".vh", ".tcl", ".xdc", ".cc", ".hh", ".hpp", ".cpp", ".h", ".mem", ".dat")


def trial_in(root: Path) -> TrialFolder:
    """The trial of a run that has firmware and is proven."""
    return RunFolder(root).trial(run_number())


def run_number() -> int:
    """Its number."""
    from tests.security import strangers

    return strangers.number()


# ---------------------------------------------------------------------------------------------------------- run folders
def _sealed(folder: TrialFolder, design: Design) -> Firmware:
    """Seal a trial's firmware and verdict as this user's, whatever lies there."""
    flow = plugins.load(Flow, "alkaid")
    firmware = Firmware(design, load_target(TARGET), folder.firmware, None)
    seal_firmware(flow, firmware, flow_settings(flow, folder.read_json("config.json") or {}))
    seal_verdict(folder, firmware)
    return firmware


def own_run(folder: Path) -> Path:
    """A run of this user's, with its sample and a small proof."""
    from safetensors.torch import save_file

    from codesign.data.sample import Sample
    from codesign.pipeline.parts import PARTS, record, splits_of, write_part
    from tests.make_run import CLASSES, FEATURES, STUDY

    path, _ = run_in(folder)
    run, study = RunFolder(path), Study.model_validate(STUDY | {"verification": {"rtl_events": 1000}})
    (path / "study.yaml").write_text(study.to_yaml())
    rng, units = np.random.default_rng(1), ("GeV",) * len(FEATURES)
    x = rng.uniform(-2, 9, (_EVENTS, len(FEATURES))).astype("f4")
    sample = Sample(x, np.arange(_EVENTS) % len(CLASSES), FEATURES, units, CLASSES, (), {"origin": "made up"})
    splits = splits_of(study)
    run.write("sample.json", record(sample, splits))
    for name in PARTS:
        write_part(run, sample, splits, name)
    trial = trial_in(path)
    design = Design.load(trial.path)
    family = plugins.load(Family, study.family)
    config = family.config.model_validate(trial.read_json("config.json"))
    network = family.build(config, lesson.Subject.of_design(design))
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, trial.path / "weights.safetensors")
    _sealed(trial, design)
    return path


def _strangers(folder: Path) -> Path:
    """The same from somebody who has another key, or from before there were seals."""
    path = own_run(folder)
    trial = trial_in(path)
    for seal in (trial.firmware / SEAL, trial.path / ".verify.seal.json"):
        seal.write_text(json.dumps({"key": "0" * 16, "seal": "0" * 64}))
    return path


def _files(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    trial = trial_in(root).path
    records = [p for place in (root, root / "trials" / "0003", root / "parts") for p in place.iterdir()]
    return [*(p for p in records if p.is_file()), *(p for p in trial.rglob("*") if p.suffix in suffixes)]


def _of_firmware(root: Path) -> list[Path]:
    """What a seal stands before: firmware, verdict and its events; alone, as a seal is of no other design."""
    trial = trial_in(root)
    firmware = [p for p in trial.firmware.rglob("*") if p.is_file() and p.name != SEAL]
    read = [p for p in firmware if p.suffix in _READ]
    return [*firmware, *read * 3, trial.path / "verify.json", trial.path / "golden.npz", trial.path / "figures.json"]


def _place_sealed(root: Path, path: Path, content: bytes) -> None:
    trial = trial_in(root)
    design = Design.load(trial.path)
    path.write_bytes(content)
    _sealed(trial, design)


def _report(root: Path) -> None:
    command("report", root)


def _handoff(root: Path) -> None:
    command("handoff", root, run_number(), "-o", root.parent / "out")


def _tooled(name: str, *options: str) -> Door:
    """A command on a trial, up to its first tool. What its network says is what its graph says: it was not trained."""

    def door(root: Path) -> None:
        from codesign.training import export

        export.brevitas_codes = lambda network, design, codes: export.qonnx_codes(design, codes)
        until_a_tool(lambda: command(name, root, run_number(), *options))

    door.__name__ = "_".join((name, *(o.strip("-") for o in options)))
    return door


def _simulated(root: Path) -> None:
    """The end of a proof alone: the firmware's RTL against its model, on the events of the last one."""
    from codesign.pipeline.trial import firmware_for, golden_codes
    from codesign.training.export import qonnx_codes

    def door() -> None:
        run = RunFolder.open(root)
        folder, firmware = firmware_for(run, run_number(), None)
        codes = golden_codes(folder, firmware.design)
        if codes is None:
            raise CodesignError("no golden events")
        flow = plugins.load(Flow, "alkaid")
        references = {"qonnx": qonnx_codes(firmware.design, codes), flow.model: flow.predict(firmware, codes)}
        flow.verify(firmware, codes, references, folder.path / "simulation")

    until_a_tool(door)


_verify, _again, _gates = _tooled("verify"), _tooled("verify", "--again"), _tooled("verify", "--gates")
_synth, _elsewhere = _tooled("synth"), _tooled("synth", "--target", "ulx3s-85f")
_flows = _tooled("flows", "--quick")


# --------------------------------------------------------------------------------------------------------------- stores
def _store(folder: Path) -> Path:
    """A store with the firmware, weights and figures of a trial."""
    run = trial_in(own_run(folder))
    entries = store.Store(str(folder / "store"))
    every = [p for p in run.firmware.rglob("*") if p.is_file() and p.name != SEAL]
    entries.put("firmware", "f" * 64, {p.relative_to(run.firmware).as_posix(): p.read_bytes() for p in every})
    figures = (run.read_json("figures.json") or {})["figures"]
    entries.put("synthesis", "a" * 64, {"figures.json": json.dumps(figures).encode()})
    files = {name: (run.path / name).read_bytes() for name in ("model.onnx", "design.json", "weights.safetensors")}
    entries.put("weights", "b" * 64, files)
    return folder / "store"


def _place_entry(root: Path, path: Path, content: bytes) -> None:
    """An entry with a seal that holds: of its files, where there are any, else of the very bytes."""
    kind, key = path.relative_to(root).parts[0], path.stem
    files = store.unpack(content)
    if files is not None:
        path.write_bytes(store.seal_entry(kind, key, files))
        return
    body = content[:-64]
    path.write_bytes(body + store.mac("store", {"kind": kind, "key": key}, store._whole(body)).encode())


def _taken(root: Path) -> None:
    """What a search takes of a store: firmware, opened and run; figures; a trained network. Refused is made again."""
    store.use(str(root))
    trial = trial_in(root.parent / "run")
    design = Design.load(trial.path)
    flow, target = plugins.load(Flow, "alkaid"), load_target(TARGET)
    store.digest = lambda content: ("f" if "flow" in content else "a") * 64  # type: ignore[assignment]  # a process of its own
    refused: list[CodesignError] = []

    def again(*_: object, **__: object) -> Any:
        raise CodesignError("made again")

    type(flow).compile = again  # type: ignore[method-assign]

    def attempt(what: Callable[[], object]) -> None:
        try:
            what()
        except CodesignError as error:
            refused.append(error)

    def firmware() -> None:
        low, high = design.inputs.bounds
        taken, _ = kept.compiled(flow, design, target, root.parent / "firmware", None, low[None])
        flow.predict(taken, np.stack([low, high]))
        flow.layers(taken)

    def figures() -> None:
        kept.synthesised(flow.load(design, target, trial.firmware), 1.0, again, "synthesis")

    def network() -> None:
        made = RunFolder(root.parent / "taken").trial(0)
        if kept.kept_model("b" * 64, made, plugins.load(Family, "mlp"), lambda: Design.load(made.path)) is None:
            again()

    for part in (firmware, figures, network):
        attempt(part)
    if refused:
        raise refused[0]


def _entries(root: Path) -> list[Path]:
    """Firmware twice: there is most to read in it."""
    every = sorted(root.rglob("*.zip"))
    return [*every, *(p for p in every if p.relative_to(root).parts[0] == "firmware")]


_RUN_DOORS = (_report, _handoff, _verify, _again, _synth, _simulated, _gates, _flows, _elsewhere)

SUBJECTS: dict[str, Subject] = {
    "store": Subject(_store, (_taken,), _entries),
    "store, sealed anew": Subject(_store, (_taken,), _entries, _place_entry, own=True),
    "run folder": Subject(own_run, _RUN_DOORS, partial(_files, suffixes=(*_READ, *_SOURCES))),
    "run folder, sealed anew": Subject(
        own_run, (_report, _handoff, _verify, _synth, _simulated, _gates), _of_firmware, _place_sealed, own=True
    ),
    "stranger's run folder": Subject(
        _strangers, _RUN_DOORS, partial(_files, suffixes=(*_READ, *_SOURCES)), refused=(_handoff,)
    ),
}
