"""What others published for constituents, and what their public checkpoints take here: an anchor, on other jets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from codesign.core.errors import CodesignError
from codesign.core.targets import Target
from codesign.flows.alkaid.flow import Alkaid
from tests.benchmarks.sets.theirs import imported
from tests.trees import ROOT

__all__ = ("PUBLISHED", "anchors")

_DATA = Path(os.environ.get("CODESIGN_DATA") or ROOT.parent / "shared" / "data") / "models"
#: JEDI-linear of arXiv:2508.15468 on the published 150-particle jets (Zenodo 3602260), VU13P after routing, no DSP,
#: interval 1: items, fields, accuracy, LUT, FF, ns; and its permutation invariant variant: accuracy, LUT, ns
PUBLISHED: tuple[dict[str, Any], ...] = tuple(
    {
        "items": items, "fields": 3, "source": "arXiv:2508.15468", "accuracy": own[0], "lut": own[1], "ff": own[2],
        "latency_ns": own[3], "invariant": {"accuracy": alike[0], "lut": alike[1], "latency_ns": alike[2]},
    }
    for items, own, alike in (
        (16, (0.720, 43809, 22438, 54), (0.736, 136440, 75)),
        (32, (0.780, 45299, 25668, 63), (0.790, 135939, 80)),
        (64, (0.809, 70704, 38305, 61), (0.818, 163904, 78)),
    )
)  # fmt: skip
_FILES = ("hgq_jets_32x16_64425.keras",)


def anchors(work: Path, target: Target, timeout: float) -> list[dict[str, Any]]:
    """The published figures, and of each checkpoint that is here its figures by the same tools as all else."""
    found = [dict(row) for row in PUBLISHED]
    for name in _FILES:
        file, kept = _DATA / name, work / "published" / f"{name}.json"
        if not kept.is_file():
            if not file.is_file():
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(_measured(file, target, timeout, kept.parent / name)), encoding="utf-8")
        found.append({"file": name} | json.loads(kept.read_text(encoding="utf-8")))
    return found


def _measured(file: Path, target: Target, timeout: float, place: Path) -> dict[str, Any]:
    flow = Alkaid()
    firmware = flow.compile(imported(file), target, place)
    row: dict[str, Any] = {"cost": round(float(firmware.extra["lut"])), "latency_cycles": firmware.latency_cycles}
    try:
        figures = {f.quantity: f.value for f in flow.synthesise(firmware, place / "yosys", timeout)}
    except CodesignError as error:
        return row | {"refused": str(error)[:300]}
    return row | {k: figures[k] for k in ("lut", "ff", "dsp") if k in figures}
