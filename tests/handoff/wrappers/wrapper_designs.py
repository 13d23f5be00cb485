"""Small designs for the tests of wrappers, compiled once a session."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.core.layout import Layout
from codesign.core.targets import load_target
from codesign.core.validation import validate
from codesign.data.preparation.prefix import Preparation
from codesign.data.preparation.raw_codes import InputsSection
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.rtl.firmware import Firmware
from codesign.tasks.anomalies.level1_inputs import FEATURES, UNITS
from tests.graph.graphs import GraphBuilder

needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="ghdl is missing: apt install ghdl")
PREPARE = {"*_pt": "x", "*_eta": {"of": "x", "less": 3}, "*_phi": {"of": "x", "less": 3}}


@dataclass(frozen=True)
class Compiled:
    """Firmware, input codes, and the output codes that alkaid's interpreter gives."""

    firmware: Firmware
    inputs: np.ndarray
    outputs: np.ndarray

    @property
    def design(self):
        return self.firmware.design


def typed(content, q, outputs):
    """A design with the tightest types of its outputs."""
    found = read_graph(content).run(Interval.of_port(q.port), Intervals())
    types = tuple(tightest_type(*map(float, v)) for v in zip(found.low[0], found.high[0], found.step[0], strict=True))
    return Design(content, q, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(outputs))))


def level1_codes(prepared, events):
    """Raw codes as events have them, and some at their extremes."""
    rng = np.random.default_rng(3)
    low, high = prepared.quantisation.port.bounds
    angles = np.array([not name.endswith("_pt") for name in FEATURES])
    half = np.array([288 if n.startswith("muon") else 72 for n in FEATURES])
    raw = np.where(angles, rng.integers(-half, half, (events, len(low))), rng.gamma(2, 30, (events, len(low))))
    wild = rng.integers(np.maximum(low, -half), np.minimum(high, np.where(angles, half - 1, high)) + 1, (20, len(low)))
    raw = np.concatenate([np.clip(raw.astype(np.int64), low, high), wild])
    raw[:, [i for i, name in enumerate(FEATURES) if name == "met_eta"]] = 0
    return raw


def level1_design():
    """Raw codes of the global trigger, prepared in the firmware, to one score; and raw codes."""
    section = validate(InputsSection, {"raw": "l1-scales", "prepare": PREPARE}, "inputs")
    prepared = Preparation.of(section, (Layout.of_features(FEATURES, UNITS),))
    raw = level1_codes(prepared, 400)
    q = prepared.input_quantisation(prepared.prepared(raw), 6)
    rng = np.random.default_rng(1)
    b = GraphBuilder(q.port.size)
    dense = rng.integers(-3, 4, (q.port.size, 6)) * (rng.random((q.port.size, 6)) < 0.3)
    hidden = b.quant(b.layer("x", dense * 0.5, rng.integers(0, 9, 6) * 4), 0.5, 7, 0, 0, "HALF_UP")
    content = b.finish(b.quant(b.layer(hidden, rng.integers(-1, 4, (6, 1)) * 0.125), 0.25, 8, 0), 1)
    return prepared.before(typed(content, q, 1)), raw


def compiled(design, codes, folder, settings=None):
    flow = Alkaid()
    firmware = flow.compile(design, load_target("vu13p-360"), folder, settings or AlkaidSettings())
    return Compiled(firmware, codes, flow.predict(firmware, codes))
