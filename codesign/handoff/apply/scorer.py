"""Score events with a bundle's network inside an analysis: a function on awkward arrays, for a coffea processor.

The network runs in onnxruntime, or as C++ emulator where that is asked for; either is made here from the bundle's
design, so that nothing of the bundle is executed. What the network is given is computed by the *installed* task that
the manifest names, not by anything in the bundle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.layout import Layout, fit_items
from codesign.core.records import SampleFacts
from codesign.core.validation import validate
from codesign.handoff.agreement import require_agreement
from codesign.handoff.apply.executors import EmulatorEngine, Engine, OnnxEngine, built_emulator
from codesign.handoff.apply.lazy import is_lazy, read_traced, score_lazily
from codesign.handoff.apply.names import INTEGER, OBJECT, PREFIX, TRIGGER, branch_names
from codesign.handoff.archive import open_bundle
from codesign.handoff.check import checked_manifest, read_manifest
from codesign.handoff.manifest import Manifest
from codesign.handoff.received import ReceivedBundle, read_design
from codesign.physics.events import BadEvent
from codesign.study.imported_run import IMPORTED
from codesign.tasks.base import Inputs, Task

if TYPE_CHECKING:
    import awkward as ak

__all__ = ("NoInputs", "Scorer")


class NoInputs(InputError):
    """The bundle's task does not compute the network's inputs from events."""


class Scorer:
    """A bundle's network as a function of events.

    ``Scorer("jets-17")(events)`` takes a chunk of events with NanoAOD's names, from
    :func:`codesign.physics.events.read_events` or coffea's NanoEvents, and returns an awkward array of the same length:
    one record per event, or one list of records per event where the network judges objects. Each record has the
    network's outputs by name (float32; :func:`codesign.handoff.apply.names.branch_names`), their integers
    (``<output>_code``, int32), for objects ``object``, the place in their collection, and where the firmware compares
    an output with a threshold ``trigger``, its bit at the threshold that was fixed on the validation split.

    The bundle, a folder or a ``.zip``, is read once, here. What is pickled or sent to a worker (coffea's executors,
    Dask) is the design, not the bundle's place: a worker needs no file of it, and makes the engine anew. Of a
    collection of ``dask_awkward`` it gives one, lazily, partition by partition.

    ``emulator`` builds the design's C++ and runs it instead of the ONNX: the same integers. InputError where there is
    no bundle, or it is damaged (``checked=False`` leaves the check of its hashes out), or its manifest says other than
    its design; when it is first called, where its task is not installed or knows no events.
    """

    def __init__(self, bundle: Path | str, threads: int = 1, checked: bool = True, emulator: bool = False) -> None:
        with open_bundle(Path(bundle)) as folder:
            self.manifest: Manifest = checked_manifest(folder) if checked else read_manifest(folder)
            self._design = read_design(folder)
            require_agreement(ReceivedBundle(folder, self.manifest, self._design))
        self._threads, self._emulator = threads, emulator
        self.features = tuple(s.name for s in self.manifest.inputs)
        units = tuple(s.unit for s in self.manifest.inputs)
        self.blocks = tuple(self.manifest.blocks) or (Layout.of_features(self.features, units),)
        self.outputs = branch_names([s.name for s in self.manifest.outputs])
        vars(self)["_engine"] = self._make()  # a design without an engine is refused here, not in the first chunk

    @cached_property
    def _engine(self) -> Engine:
        """What computes: made in each process, as neither a session nor a library can be sent to another."""
        return self._make()

    def _make(self) -> Engine:
        if self._emulator:
            return EmulatorEngine(built_emulator(self._design), self.manifest)
        return OnnxEngine(self._design, self.manifest, self._threads)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_engine"}

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """What tells this scorer from others in Dask's graphs."""
        return type(self).__qualname__, self.manifest.model_dump_json(), self._threads, self._emulator

    @property
    def task(self) -> Task:
        """The installed task that computes the network's inputs from events."""
        name = self.manifest.task
        if name == IMPORTED:
            raise NoInputs(
                "an imported model has no task that computes its inputs from events: give a table with the columns "
                f"{', '.join(self.features[:3])}, ..."
            )
        if name not in plugins.names(Task):
            raise InputError(f"the bundle's task '{name}' is not installed here: pip install the package it comes from")
        task = plugins.load(Task, name)
        if not task.collections:
            raise NoInputs(
                f"the task '{name}' does not compute its inputs from events: give a table with the columns "
                f"{', '.join(self.features[:3])}, ..."
            )
        return task

    @property
    def meanings(self) -> dict[str, str]:
        """What the values of the columns of scores mean, in words, where the task says it."""
        named = zip((s.name for s in self.manifest.outputs), self.outputs, strict=True)
        told = self.manifest.meanings
        return {f"{PREFIX}_{branch}": told[name] for name, branch in named if name in told}

    @property
    def fill(self) -> dict[str, float]:
        """By the name of a feature, what stands for a value of it that a table lacks, as in the network's training."""
        told = self.manifest.sample
        return validate(SampleFacts, told, "manifest.json, sample").fill if "fill" in told else {}

    def arrange(self, block: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """A block (rows, *shape) of items (rows, k, fields), as the installed task makes that of its sample."""
        if self.manifest.task not in plugins.names(Task):
            return fit_items(block, items)
        return plugins.load(Task, self.manifest.task).arrange(block, items)

    def __call__(self, events: ak.Array, name: Callable[[int], str] = "event {}".format) -> ak.Array:
        """Score a chunk of events; ``name`` says in an error which event of the chunk it is."""
        import awkward as ak

        if is_lazy(events):
            return score_lazily(self, events)
        if ak.backend(events) == "typetracer":  # what Dask calls to see which columns are read, and what is given
            return ak.to_backend(self.none_of(read_traced(events, self.task.collections)), "typetracer")
        if not len(events):
            return self.none_of(events)
        try:
            inputs: Inputs = self.task.inputs(events)
        except BadEvent as error:
            raise InputError(f"{name(error.place)}: {error}") from None
        return self.of_inputs(inputs, len(events), name)

    def none_of(self, events: ak.Array) -> ak.Array:
        """Scores of no event, in the structure that those of ``events`` have."""
        import awkward as ak

        # whether its network judges events or objects shows at an event, if it has no objects
        packed = events if ak.backend(events) == "typetracer" else ak.to_packed(events)
        return self(ak.Array(packed.layout.form.length_one_array(highlevel=False)))[:0]

    def rows(
        self, features: NDArray[np.float32], where: Callable[[int], str] = "row {}".format
    ) -> dict[str, NDArray[Any]]:
        """Outputs and their integers for rows of features (rows, n) in physical units, each (rows,).

        InputError for a feature that is not finite, which has no integer; ``where`` says which row it is.
        """
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise InputError(f"features of shape {features.shape}: the network takes (rows, {len(self.features)})")
        if not np.isfinite(features).all():
            row, column = np.argwhere(~np.isfinite(features))[0]
            raise InputError(f"feature '{self.features[column]}' of {where(int(row))} is not finite")
        scores, codes = self._engine.run(features) if len(features) else self._nothing()
        columns: dict[str, NDArray[Any]] = {}
        for suffix, table in (("", scores), (INTEGER, codes)):
            by_output = np.ascontiguousarray(table.T)  # Arrow takes nothing strided
            columns |= {f"{name}{suffix}": by_output[i] for i, name in enumerate(self.outputs)}
        trigger = self.manifest.trigger
        if trigger is not None and trigger.threshold_code is not None:
            place = [s.name for s in self.manifest.outputs].index(trigger.output)
            columns[TRIGGER] = columns[f"{self.outputs[place]}{INTEGER}"] >= trigger.threshold_code
        return columns

    def _nothing(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        shape = (0, len(self.outputs))
        return np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.int32)

    def of_inputs(self, inputs: Inputs, events: int, name: Callable[[int], str] = "event {}".format) -> ak.Array:
        """Score prepared inputs, and give each of ``events`` events its own."""
        import awkward as ak

        def where(row: int) -> str:
            place = int(inputs.object[row])
            return name(int(inputs.event[row])) + (f", object {place}" if place >= 0 else "")

        columns: dict[str, Any] = self.rows(inputs.flat(self.blocks), where)
        if (inputs.object < 0).all() and np.array_equal(inputs.event, np.arange(events)):
            return ak.zip(columns)
        counts = np.bincount(inputs.event, minlength=events)
        if len(counts) != events or (np.diff(inputs.event) < 0).any():
            raise InputError(f"the task '{self.manifest.task}' gives rows out of the events' order")
        return ak.unflatten(ak.zip({OBJECT: inputs.object.astype(np.int32)} | columns), counts)
