"""Small designs that fit the profiles of CMSSW's emulators, and what compiles and runs a condition's imitation."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import yaml

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port, QuantisedBlock
from codesign.core.probes import probe_codes
from codesign.graph.exact import Exact
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.handoff.cmssw import load_profile, write_cmssw
from codesign.handoff.cmssw.profile import shipped_profiles
from codesign.tasks.anomalies.level1_inputs import FEATURES, UNITS, quantisation_of
from tests.graph.graphs import GraphBuilder

HERE = Path(__file__).resolve().parent / "conditions"
#: what a profile's library is made for here: number of outputs, and the type of each
OUTPUTS = {"axol1tl-v4": 1, "axol1tl-v5": 1, "topo": 1, "cicada": 1, "sc4-tagger": 9, "puppi-tau": 2, "candidates": 1}
CANDIDATES = {
    "name": "candidates",
    "follows": [{"repository": "nobody/nothing", "commit": "0" * 40, "file": "candidates.h"}],
    "package": "Candidates",
    "model": "CandidatesModel",
    "version": "v1",
    "emulator": "CandidatesEmulator",
    "namespace": "candidates_{version}",
    "input": {
        "struct": "l1x::Candidate",
        "groups": [
            {
                "count": 4,
                "fields": [
                    {"name": "pt", "type": "ap_ufixed<14, 12>"},
                    {"name": "eta", "type": "ap_fixed<10, 4>", "factor": 0.3},
                    {"name": "phi", "type": "ap_int<9>", "wrap": 144},
                ],
            }
        ],
    },
    "result": [{"type": "ap_fixed<24,16>", "outputs": [0]}],
}


def profile_of(name, folder, **changes):
    if name in shipped_profiles() and not changes:
        return load_profile(name)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(CANDIDATES | changes))
    return load_profile(str(path))


def level1(events):
    """Objects in the trigger's own integers, as they may come: (events, 57)."""
    rng = np.random.default_rng(3)
    turns = np.array([288 if "muon" in name else 72 for name in FEATURES])
    angles = np.floor(rng.uniform(-1, 1, (events, len(FEATURES))) * turns)
    energies = np.floor(rng.gamma(2, 20, angles.shape)) * 2
    return np.where([name.endswith("_pt") for name in FEATURES], energies, angles)


def quantisation(name):
    """Inputs as a study of that place has them."""
    if name.startswith("axol1tl"):
        return quantisation_of(level1(4000), FEATURES, UNITS, 6)
    if name == "candidates":
        block = QuantisedBlock(
            name="candidates",
            shape=(4, 3),
            fields=("pt", "eta", "phi"),
            absent="code",
            types=tuple(FixedPoint(signed=True, integer_bits=5, fraction_bits=0) for _ in range(3)),
            offset=(40.0, 0.0, 0.0),
            step=(1.5, 0.07, 3.0),
        )
        return InputQuantisation(blocks=(block,))
    size = load_profile(name).input.size
    kind = FixedPoint(signed=name != "cicada", integer_bits=4, fraction_bits=0)
    offset, step = (0.0, 1.0) if name in ("topo", "cicada") else (0.25, 0.125)
    return InputQuantisation(
        features=tuple(f"x{i}" for i in range(size)),
        units=("1",) * size,
        offset=(offset,) * size,
        step=(step,) * size,
        types=(kind,) * size,
    )


def design_for(name):
    """A network of few random weights, whose outputs are what the place can hold."""
    rng = np.random.default_rng(sum(name.encode()))
    q = quantisation(name)
    b = GraphBuilder(q.port.size)
    dense = rng.integers(-3, 4, (q.port.size, 6)) * (rng.random((q.port.size, 6)) < 0.3)
    hidden = b.quant(b.layer("x", dense * 0.5, rng.integers(0, 9, 6) * 4), 0.5, 7, 0, 0, "HALF_UP")
    out = b.layer(hidden, rng.integers(-2, 4, (6, OUTPUTS[name])) * 0.125)
    content = b.finish(b.quant(out, 0.25, 7, 0), OUTPUTS[name])
    found = read_graph(content).run(Interval.of_port(q.port), Intervals())
    types = tuple(map(lambda *v: tightest_type(*map(float, v)), found.low[0], found.high[0], found.step[0]))
    return Design(content, q, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(len(types)))))


def golden(design, events=60):
    low, high = design.inputs.bounds
    rng = np.random.default_rng(7)
    parts = [rng.integers(low, high + 1, (events, design.inputs.size)), probe_codes(design.inputs)[: events // 2]]
    if design.inputs.size == len(FEATURES):
        parts.append(design.input_quantisation.codes(level1(events)))
    codes = np.concatenate(parts)
    return codes, design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))


def run(command, cwd, **keywords):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **keywords)


def made(name, folder, profile=None):
    """Profile, design, golden codes in and out, and the folder of the sources."""
    profile = profile or profile_of(name, folder)
    design = design_for(name)
    codes, outputs = golden(design)
    write_cmssw(design, profile, codes, outputs, folder / "cmssw")
    return profile, design, codes, outputs


def condition(name, folder, library, flags=(), local=()):
    """The output of a condition's imitation, on the events of ``values.txt``."""
    includes = [f"-I{folder / 'cmssw/include/hls4ml'}", "-isystem", str(folder / "cmssw/include/ap_types")]
    quiet = ["-Wno-uninitialized", "-Wno-maybe-uninitialized"]
    host = folder / f"host-{name}"
    command = [
        "g++",
        "-std=c++17",
        "-Wall",
        *quiet,
        *flags,
        *includes,
        str(HERE / f"{name}.cpp"),
        "-o",
        str(host),
        "-ldl",
    ]
    built = run(command, folder)
    assert built.returncode == 0, built.stderr
    return run([host, library, "values.txt", *local], folder, env={"LD_LIBRARY_PATH": str(folder / "cmssw")})


def write_values(folder, profile, raws):
    """Raw integers as the values that a condition assigns."""
    steps = np.array([2.0**-number.fraction_bits for _, number in profile.input.elements])
    lines = [" ".join(repr(float(v)) for v in row) for row in raws * steps]
    (folder / "values.txt").write_text("\n".join([str(len(lines)), *lines]) + "\n")
