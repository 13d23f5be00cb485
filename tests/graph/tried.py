"""Random graphs through every domain, and by compositions in place of what a domain does in a form of its own."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.probes import probe_codes
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.graph.domain import Domain
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals
from codesign.graph.reader import read_graph
from codesign.handoff.emulator import circuit
from codesign.handoff.emulator.circuit import Integers
from codesign.handoff.emulator.source import kernel
from tests.graph import everywhere
from tests.graph.emulators import Emulators
from tests.graph.everywhere import QUIET, alkaid_codes, circuit_codes, design_for, equal_everywhere
from tests.graph.random_graphs import REASONS, RandomGraph

#: methods that have a composition of primitives
COMPOSED = [
    name
    for name, method in vars(Domain).items()
    if inspect.isfunction(method) and not name.startswith("_") and name not in Domain.__abstractmethods__
]


@dataclass
class Tried:
    """What became of random graphs, by seed: equal everywhere, refused for a known reason, or at fault."""

    equal: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)


#: what is no form of a domain's own but what its primitives are made of: alkaid's product is of squares
_KEPT: dict[type, tuple[str, ...]] = {Signals: ("square",)}
#: a threshold of any size is put onto the grid of what it is compared with, which the domain alone knows
_ALWAYS_KEPT = ("reaches",)


@cache
def composed(domain: type) -> type:
    """A domain without forms of its own: everything but primitives and structure is composed."""
    names = [name for name in COMPOSED if name not in (*_KEPT.get(domain, ()), *_ALWAYS_KEPT)]
    return type(f"Composed{domain.__name__}", (domain,), {name: vars(Domain)[name] for name in names})


def known(error: UnsupportedError) -> str:
    """The reason on the list that an error gives; AssertionError where there is none."""
    reasons = [r for r in REASONS if r in str(error)]
    assert reasons, f"refused for a reason that is not on the list: {error}"
    return reasons[0]


def tried(seeds: Iterable[int], optimise: str = "-O0") -> Tried:
    """Try random graphs in every domain; their C++ emulators are built in one run of g++, with that flag."""
    found, traced = Tried(), {}
    for seed in seeds:
        try:
            outcome = _in_python(seed)
        except Exception as error:  # every kind of it is what this looks for
            found.faults[seed] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
            continue
        if isinstance(outcome, str):
            found.refused[seed] = outcome
        elif (refused := _refused_by_the_emulator(outcome[0])) is not None:
            found.refused[seed] = refused
        else:
            traced[seed] = outcome
    with tempfile.TemporaryDirectory(prefix="codesign-emulators-") as work:
        emulators = Emulators([design for design, *_ in traced.values()], Path(work), optimise)
        for place, (seed, (_, codes, truth, refused)) in enumerate(traced.items()):
            if not np.array_equal(emulators.codes(place, codes), truth):
                found.faults[seed] = "C++ emulator"
            elif refused:
                found.refused[seed] = refused
            else:
                found.equal.add(seed)
    return found


def _refused_by_the_emulator(design: Design) -> str | None:
    try:
        kernel(circuit.Circuit.of(design))
    except UnsupportedError as error:
        return known(error)
    return None


def _in_python(seed: int) -> str | tuple[Design, np.ndarray, np.ndarray, str]:
    """A design, codes, what they give, and why alkaid refuses it (or ""); or why it is no design."""
    grown = RandomGraph(seed)
    content = grown.content()
    try:
        design = design_for(content, grown.kinds)
    except UnsupportedError as error:
        return known(error)
    codes = probe_codes(design.inputs, events=40, seed=seed)
    rng = np.random.default_rng(seed)
    codes = codes[rng.choice(len(codes), min(120, len(codes)), replace=False)]
    truth = equal_everywhere(design, codes, hardware=False, circuit=24)
    if grown.standard:
        assert np.array_equal(_own_values(grown, design, codes), design.outputs.values(truth)), "onnxruntime"
    _composed(design, codes, truth)
    refused = ""
    for signals in (Signals, composed(Signals)):
        try:
            with patch.object(everywhere, "Signals", signals):
                hardware = alkaid_codes(design, codes)
        except UnsupportedError as error:
            refused = refused or known(error)
        else:
            assert np.array_equal(hardware, truth), f"alkaid, {signals.__name__}"
    return design, codes, truth, refused


def _own_values(grown: RandomGraph, design: Design, codes: np.ndarray) -> np.ndarray:
    """The graph as it is, run by onnxruntime."""
    values = design.inputs.values(codes).astype(np.float32)
    feed, start = {}, 0
    for name, shape in grown.inputs:
        size = int(np.prod(shape))
        feed[name] = values[:, start : start + size].reshape(len(values), *shape)
        start += size
    session = onnxruntime.InferenceSession(grown.content(), QUIET, providers=["CPUExecutionProvider"])
    return np.concatenate([np.reshape(o, (len(values), -1)) for o in session.run(None, feed)], axis=1)


def _composed(design: Design, codes: np.ndarray, truth: np.ndarray) -> None:
    """Compositions give the same numbers, and bounds that hold them and are no narrower than a domain's own."""
    graph = read_graph(design.onnx)
    values = graph.run(design.inputs.values(codes), composed(Exact)())
    assert np.array_equal(design.outputs.codes(values), truth), "compositions over exact numbers"
    with patch.object(circuit, "Integers", composed(Integers)):
        try:
            assert np.array_equal(circuit_codes(design, codes[:12]), truth[:12]), "compositions over integers"
        except UnsupportedError as error:
            known(error)
    own = graph.run(Interval.of_port(design.inputs), Intervals())
    try:
        wide = graph.run(Interval.of_port(design.inputs), composed(Intervals)())
    except UnsupportedError as error:
        known(error)
        return
    assert (wide.low <= own.low).all(), "intervals wider than by compositions"
    assert (wide.high >= own.high).all(), "intervals wider than by compositions"
