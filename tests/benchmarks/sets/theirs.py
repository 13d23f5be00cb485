"""HGQ2's side: its networks trained in its own environment, compiled by alkaid there, or imported and folded here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from alkaid.types import CombLogic
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.process import run_tool
from codesign.core.targets import Target
from codesign.importing.keras.keras_file import design_of_keras
from codesign.importing.keras.keras_process import convert_keras
from codesign.rtl.firmware import Firmware, Rtl
from tests.benchmarks.peers import environment
from tests.benchmarks.sets.jets import Jets

__all__ = ("HGQ2", "classes_of", "imported", "trained", "unrolled")

#: how it is trained: the widths of its published networks; rate, batch and prices were tried on validation jets
HGQ2: dict[str, Any] = {
    "width": 16, "tail": 3, "batch": 512, "learning_rate": 0.02, "restarts": 0, "beta": [5e-7, 1e-4],
}  # fmt: skip
#: effective bit operations, in equal steps of whose logarithm networks are chosen
EBOPS = (4000.0, 80000.0)
_SCRIPT = Path(environment.__file__).with_name("hgq2_sets.py")


def trained(
    jets: Jets, shared: bool, seconds: float, seed: int, limit: int, target: Target, folder: Path
) -> dict[str, Any]:
    """What a training in ``seconds`` of processor time gave, or what ``folder`` has of it."""
    result = folder / "result.json"
    if not result.is_file():
        train = str(jets.write(folder.parent))
        job = HGQ2 | {"train": train, "folder": str(folder), "seed": seed, "shared": shared}
        job |= {"seconds": seconds, "ebops": EBOPS, "limit": limit}
        job |= {"stage_delay": target.stage_delay, "clock_ns": target.clock_ns, "part": target.part}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        arguments = [environment.interpreter(), _SCRIPT, folder / "job.json"]
        run_tool(arguments, folder, 20 * seconds + 2400, environment.ONE_THREAD, folder / "log", name="HGQ2")
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def unrolled(point: dict[str, Any], target: Target, folder: Path) -> Firmware:
    """What alkaid made of a network in HGQ2's environment."""
    rtl = Rtl(tuple(Path(s) for s in point["sources"]), "peer_top", point["latency_cycles"])
    nothing: Any = None  # no design of ours: synthesis reads the sources alone
    design: Design = nothing
    return Firmware(design=design, target=target, folder=folder / str(point["number"]), rtl=rtl)


def classes_of(place: Path, x: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The class that alkaid's interpreter of a network gives each of the jets ``x`` (jets, items, fields)."""
    circuit, types = CombLogic.load(place / "program.json"), np.load(place / "types.npz")
    k, i, f = (types[name].astype(np.float64) for name in "kif")
    live = k + i + f > 0
    low, top = np.where(live, -k * 2.0**i, 0), np.where(live, 2.0**i - 2.0**-f, 0)
    found = []
    for part in np.array_split(x.astype(np.float64), max(1, len(x) // 5000)):
        rounded = np.clip(np.floor(part * 2**f + 0.5) / 2**f, low, top)  # in front of the firmware
        found.append(circuit.predict(np.ascontiguousarray(rounded.reshape(len(part), -1)), n_threads=1).argmax(axis=1))
    return np.concatenate(found).astype(np.uint8)


def imported(file: Path) -> Design:
    """Our design of a Keras file, as ``codesign import`` makes it."""
    graph, facts = convert_keras(file)
    return design_of_keras(graph, facts, None, file.name)[0]
