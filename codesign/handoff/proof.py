"""Prove a bundle on another machine: its golden vectors through its ONNX, its emulator and its RTL.

Through ONNX, nothing of the bundle runs but what onnxruntime interprets. The emulator and the RTL are built from the
bundle's sources and run, so both are done only where the user asks for it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.handoff.check import checked_manifest
from codesign.handoff.inference import Session
from codesign.handoff.manifest import Manifest
from codesign.handoff.scales import Scales
from codesign.reading.npz import member_arrays

if TYPE_CHECKING:
    from codesign.handoff.emulator import Emulator

__all__ = ("golden_vectors", "prove_bundle")

Codes = NDArray[np.int64]

#: bytes that the golden vectors of any bundle may take in memory
_MOST_GOLDEN = 1 << 30


def golden_vectors(folder: Path, manifest: Manifest) -> tuple[Codes, Codes]:
    """Input codes (events, n) and output codes (events, m) of a bundle; InputError where they are not its own."""
    path = folder / "golden.npz"
    try:
        stored = member_arrays(folder, "golden.npz", ("inputs", "outputs"), _MOST_GOLDEN)
        inputs, outputs = stored["inputs"].astype(np.int64), stored["outputs"].astype(np.int64)
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot read the golden vectors ({error})") from None
    events = len(inputs)
    if not events or inputs.shape != (events, len(manifest.inputs)) or outputs.shape != (events, len(manifest.outputs)):
        raise InputError(f"{path}: golden vectors of shape {inputs.shape} and {outputs.shape} are not this design's")
    return inputs, outputs


def prove_bundle(folder: Path, emulator: bool = False, rtl: bool = False, drawn: int = 0) -> dict[str, int]:
    """Check a bundle and run its golden vectors; returns how many events each model gave with equal integers.

    ``emulator`` builds and loads the C++ of the bundle, ``rtl`` its Verilog and test bench: code from the bundle then
    runs on this machine. ``drawn`` events, spread evenly over the range of every input and a tenth beyond it, are
    compared between ONNX and emulator, from physical features on. InputError names what is damaged, or the first event
    that differs.
    """
    if drawn and not emulator:
        raise InputError("events are drawn to compare the emulator with the ONNX: ask for the emulator as well")
    folder = Path(folder)
    manifest = checked_manifest(folder)
    inputs, outputs = golden_vectors(folder, manifest)
    proven: dict[str, int] = {}

    def compare(name: str, found: NDArray[np.integer]) -> None:
        if not np.array_equal(found, outputs):
            wrong = (np.asarray(found) != outputs).any(axis=1)
            event = int(wrong.argmax())
            raise InputError(
                f"{name} differs from golden.npz on {int(wrong.sum())} of {len(outputs)} events, first on event "
                f"{event}: {found[event].tolist()} instead of {outputs[event].tolist()}"
            )
        proven[name] = len(outputs)

    compare("onnx", Session(folder / "onnx" / "codes.onnx").run(inputs.astype(np.int32))["output_codes"])
    _same_quantisation(folder, manifest, inputs, outputs)
    proven["onnx from features"] = len(outputs)
    if emulator:
        from codesign.handoff.apply.engine import built_emulator

        built = built_emulator(folder)
        compare("emulator", built.predict(inputs.astype(np.int32)))
        if drawn:
            proven["emulator beside onnx, drawn"] = _beside(built, folder, manifest, drawn)
    if rtl:
        proven["rtl"] = _simulated(folder, manifest, len(outputs))
    return proven


def _same_quantisation(folder: Path, manifest: Manifest, inputs: Codes, outputs: Codes) -> None:
    """The middle of each input code, in physical units, must come out as the golden integers as well."""
    scales = Scales.of(manifest)
    features = scales.features(inputs)
    # float32 may round a feature over the edge of its code where steps are as small as its own resolution
    usable = (scales.codes(features) == inputs).all(axis=1)
    found = Session(folder / "onnx" / "features.onnx").run(features[usable])["output_codes"]
    if not np.array_equal(found, outputs[usable]):
        raise InputError("onnx/features.onnx does not give the integers of golden.npz for the same inputs")


def _beside(built: Emulator, folder: Path, manifest: Manifest, events: int) -> int:
    """Events drawn beyond what the inputs can take, for which ONNX and emulator agree from features on."""
    from codesign.handoff.apply.engine import EmulatorEngine, OnnxEngine, compare

    scales = Scales.of(manifest)
    beyond = (scales.high - scales.low + 1) / 10
    size = (events, len(manifest.inputs))
    features = scales.features(np.random.default_rng(events).uniform(scales.low - beyond, scales.high + beyond, size))
    return compare(OnnxEngine(folder, manifest), EmulatorEngine(built, manifest), features, ("onnx", "the emulator"))


def _simulated(folder: Path, manifest: Manifest, events: int) -> int:
    """Run the bundle's own test bench in Verilator; the number of events that passed."""
    from codesign.verify.testbench import run_testbench

    workshop = Path(tempfile.mkdtemp(prefix="codesign-rtl-"))
    try:
        shutil.copytree(folder / "testbench", workshop / "testbench")
        said = run_testbench(workshop / "testbench", [folder / s for s in manifest.sources])
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    if f"PASS: {events} events" not in said:
        verdict = next((line for line in said.splitlines() if line.startswith("FAIL")), "no verdict was printed")
        raise InputError(f"the RTL does not give the golden vectors: {verdict}")
    return events
