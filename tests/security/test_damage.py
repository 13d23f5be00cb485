"""Damaged run folders and bundles: whatever is wrong in whatever file, a command ends in one line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.security.damage import Damage, ended, spoilt

#: what each file of a run folder is read by; ``T`` stands for the trial's number
RUN_READERS: dict[str, tuple[str, ...]] = {
    "study.yaml": ("report", "verify", "synth", "flows", "handoff", "dashboard", "run"),
    "sample.json": ("report", "verify", "handoff", "run"),
    "target.json": ("report", "handoff", "run"),
    "baseline.json": ("report", "handoff", "compare"),
    "front.json": ("report", "flows", "compare"),
    "flows.json": ("flows",),
    "search.json": ("report", "dashboard", "run"),
    "study.journal": ("dashboard", "run"),
    "parts/train.npz": ("verify",),
    "parts/validation.npz": ("verify", "handoff"),
    "parts/test.npz": ("verify", "again", "handoff"),
    "parts/baselines-test.npz": ("judged",),
    "trials/T/config.json": ("report", "again", "other target", "handoff"),
    "trials/T/status.json": ("report", "verify", "handoff"),
    "trials/T/metrics.json": ("report", "verify", "handoff"),
    "trials/T/test.json": ("report", "handoff"),
    "trials/T/figures.json": ("report", "verify", "handoff", "synth"),
    "trials/T/verify.json": ("report", "verify", "again", "handoff"),
    "trials/T/plots.json": ("report",),
    "trials/T/inputs.json": ("report",),
    "trials/T/explained.json": ("report",),
    "trials/T/layers.json": ("report",),
    "trials/T/design.json": ("report", "verify", "synth", "flows", "handoff"),
    "trials/T/model.onnx": ("report", "verify", "flows", "handoff"),
    "trials/T/weights.safetensors": ("again", "handoff"),
    "trials/T/golden.npz": ("flows", "handoff"),
    "trials/T/firmware/firmware.json": ("verify", "synth", "handoff"),
    "trials/T/firmware/program.json.gz": ("verify", "flows", "handoff"),
    "trials/T/firmware/src/codesign_top.v": ("synth", "handoff"),
}


def arguments(command: str, run: Path, number: int, scratch: Path) -> list[str]:
    out = scratch / "out"
    return {
        "report": ["report", f"{run}", "-o", f"{out}.html"],
        "compare": ["report", f"{run}", f"{scratch}/whole", "-o", f"{out}.html"],
        "verify": ["verify", f"{run}", f"{number}"],
        "again": ["verify", f"{run}", f"{number}", "--again"],
        "judged": ["verify", f"{run}", f"{number}"],
        "synth": ["synth", f"{run}", f"{number}"],
        "other target": ["synth", f"{run}", f"{number}", "--target", "vu9p-200"],
        "flows": ["flows", f"{run}", f"{number}", "--again"],
        "handoff": ["handoff", f"{run}", f"{number}", "-o", f"{out}-bundle"],
        "dashboard": ["dashboard", f"{run}"],
    }[command]


def faults(base: Path, damage: Damage, commands: list[list[str]], scratch: Path) -> Iterator[str]:
    """What is wrong with how commands end on a damaged copy of ``base``, in ``scratch``."""
    for command in commands:
        with spoilt(base, damage, scratch):
            try:
                said = ended(command)
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                ours = next((f for f in reversed(frames) if "/codesign/" in f.filename), frames[-1])
                place = f"{ours.filename.rpartition('/codesign/')[2]}:{ours.lineno}"
                yield f"{damage}: {command[0]}: {type(error).__name__}: {error!s:.100} ({place})"
                continue
            if len(said) > 2000:
                yield f"{damage}: {command[0]}: says {len(said)} characters"
