"""Score events with a bundle's network inside an analysis: a function on awkward arrays, for a coffea processor.

The network runs in onnxruntime, or as C++ emulator where that is asked for; either is made here from the bundle's
design, so that nothing of the bundle is executed. What the network is given is computed by the *installed* task that
the manifest names, not by anything in the bundle.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign import plugins
from codesign.errors import InputError
from codesign.handoff.agreement import require_agreement
from codesign.handoff.apply.engine import EmulatorEngine, Engine, OnnxEngine, built_emulator
from codesign.handoff.check import checked_manifest, read_manifest
from codesign.handoff.manifest import Manifest
from codesign.handoff.received import Received, read_design
from codesign.tasks.base import Inputs

if TYPE_CHECKING:
    import awkward as ak

__all__ = ("Scorer", "branch_name")


class Scorer:
    """A bundle's network as a function of events.

    ``Scorer("jets-17")(events)`` takes a chunk of events with NanoAOD's names, from
    :func:`codesign.physics.events.read_events` or coffea's NanoEvents, and returns an awkward array of the same length:
    one record per event, or one list of records per event where the network judges objects. Each record has the
    network's outputs by name (float32), their integers (``<output>_code``, int32), for objects ``object``, the place in
    their collection, and where the firmware compares an output with a threshold ``trigger``, its bit at the threshold
    that was fixed on the validation split.

    ``emulator`` builds the design's C++ and runs it instead of the ONNX: the same integers. InputError where the bundle
    is damaged (``checked`` leaves the check of its hashes out), its manifest says other than its design, or its task is
    not installed or knows no events.
    """

    def __init__(self, bundle: Path | str, threads: int = 1, checked: bool = True, emulator: bool = False) -> None:
        folder = Path(bundle)
        self.manifest: Manifest = checked_manifest(folder) if checked else read_manifest(folder)
        require_agreement(Received(folder, self.manifest, read_design(folder)))
        self.features = tuple(s.name for s in self.manifest.inputs)
        self.outputs = tuple(branch_name(s.name) for s in self.manifest.outputs)
        self._engine: Engine = (
            EmulatorEngine(built_emulator(folder), self.manifest)
            if emulator
            else OnnxEngine(folder, self.manifest, threads)
        )

    @property
    def task(self) -> Any:
        """The installed task that computes the network's inputs from events."""
        name = self.manifest.task
        if name not in plugins.names("tasks"):
            raise InputError(f"the bundle's task '{name}' is not installed here: pip install the package it comes from")
        task = plugins.load("tasks", name)
        if not hasattr(task, "inputs"):
            raise InputError(
                f"the task '{name}' does not compute its inputs from events: give a table with the columns "
                f"{', '.join(self.features[:3])}, ..."
            )
        return task

    def __call__(self, events: ak.Array) -> ak.Array:
        """Score a chunk of events."""
        inputs: Inputs = self.task.inputs(events)
        return self.of_inputs(inputs, len(events))

    def rows(self, features: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Outputs and their integers for rows of features (rows, n) in physical units, each (rows,).

        InputError for a feature that is not finite, which has no integer.
        """
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise InputError(f"features of shape {features.shape}: the network takes (rows, {len(self.features)})")
        if not np.isfinite(features).all():
            row, column = np.argwhere(~np.isfinite(features))[0]
            raise InputError(f"feature '{self.features[column]}' of row {row} is not finite")
        scores, codes = self._engine.run(features)
        columns: dict[str, NDArray[Any]] = {}
        for suffix, table in (("", scores), ("_code", codes)):
            by_output = np.ascontiguousarray(table.T)  # Arrow takes nothing strided
            columns |= {f"{name}{suffix}": by_output[i] for i, name in enumerate(self.outputs)}
        trigger = self.manifest.trigger
        if trigger is not None and trigger.threshold_code is not None:
            columns["trigger"] = columns[f"{branch_name(trigger.output)}_code"] >= trigger.threshold_code
        return columns

    def of_inputs(self, inputs: Inputs, events: int) -> ak.Array:
        """Score prepared inputs, and give each of ``events`` events its own."""
        import awkward as ak

        columns: dict[str, Any] = self.rows(inputs.features)
        if (inputs.object < 0).all() and np.array_equal(inputs.event, np.arange(events)):
            return ak.zip(columns)
        counts = np.bincount(inputs.event, minlength=events)
        if len(counts) != events or (np.diff(inputs.event) < 0).any():
            raise InputError(f"the task '{self.manifest.task}' gives rows out of the events' order")
        return ak.unflatten(ak.zip({"object": inputs.object.astype(np.int32)} | columns), counts)


def branch_name(label: str) -> str:
    """A label as a branch can be called: letters, digits and underscores, not beginning with a digit."""
    name = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_") or "output"
    return f"_{name}" if name[0].isdigit() else name
