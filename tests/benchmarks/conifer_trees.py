"""The same trees by conifer: its VHDL and its C++ back end, run by an interpreter that has it.

conifer (https://github.com/thesps/conifer) is given the trees with their rounded leaves, so that all ways are to be one
function, in the narrowest ``ap_fixed`` that holds inputs, thresholds, leaves and sums: its VHDL has one type for all.
Its own functions write both projects; the VHDL runs in GHDL under conifer's test bench, and what GHDL makes Verilog of
is synthesised by Yosys as all other ways are, with the bits tied to 0 that an input does not have. Its latency is what
its own report says. For its C++ types it needs the headers of ``ap_fixed`` (hls4ml brings them) and of nlohmann's JSON
(``CPATH``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.targets import load_target
from codesign.families.trees.tree_model import TreeModel
from codesign.tools import yosys

__all__ = ("conifer_way",)

_SCRIPT = """
import json, sys, time
import numpy as np
from conifer.model import make_model
import conifer
from conifer.backends.vhdl import set_simulator
set_simulator("ghdl")
given = json.load(open("given.json"))
x = np.load("x.npy")
found = {"version": conifer.__version__}
for backend in given["backends"]:
    config = {"Backend": backend, "OutputDir": backend, "ProjectName": "trees", "Precision": given["precision"],
              "XilinxPart": "xcvu13p-flga2577-2-e"}
    model = make_model(json.loads(json.dumps(given["ensemble"])), config)
    began = time.perf_counter()
    model.compile()
    found[backend + "_seconds"] = round(time.perf_counter() - began, 1)
    np.save(backend + ".npy", np.asarray(model.decision_function(x)).reshape(len(x), -1))
json.dump(found, open("found.json", "w"))
"""
_TOP = "conifer_top"


def conifer_way(
    model: TreeModel, design: Design, codes: NDArray[np.int64], truth: NDArray[np.int64], python: str, target: str,
    folder: Path, seconds: float, *, cpp: bool,
) -> dict[str, Any]:  # fmt: skip
    """What conifer makes of the trees of ``model``, whose leaves are rounded; ``codes`` (events, inputs), ``truth``
    (events, 1). ``cpp``: by both back ends, else by the VHDL alone."""
    backends = ["vhdl", "cpp"] if cpp else ["vhdl"]
    inputs = design.inputs
    fraction = max(inputs.types[0].fraction_bits, design.outputs.types[0].fraction_bits)
    largest = sum(float(np.abs(t.values[t.leaves]).max()) for t in model.trees) + float(np.abs(model.base).max())
    integer = max(inputs.types[0].width - inputs.types[0].fraction_bits, ceil(log2(largest)) + 1)
    width = integer + fraction
    given = {"precision": f"ap_fixed<{width},{integer}>", "ensemble": _ensemble(model, design), "backends": backends}
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "script.py").write_text(_SCRIPT)
    np.save(folder / "x.npy", inputs.values(codes))
    _run([python, "script.py"], folder, seconds, python)
    found = json.loads((folder / "found.json").read_text())
    differ = {
        name: int((design.outputs.codes(np.load(folder / f"{name}.npy")) != truth).any(axis=1).sum())
        for name in backends
    }
    trees, depth = len(model.trees), given["ensemble"]["max_depth"]
    began = time.process_time()
    counted = _synthesise(folder, width, fraction - inputs.types[0].fraction_bits, design, target, seconds)
    return {
        "compiled": {"latency_cycles": 1.0 + depth + ceil(log2(trees)), "initiation_interval": 1.0},
        "yosys": counted,
        "events": len(codes),
        "events_that_differ": differ["vhdl"],
        **({"events_that_differ_cpp": differ["cpp"]} if cpp else {}),
        "precision": given["precision"],
        "compile_seconds": found["vhdl_seconds"],
        "synthesis_seconds": round(time.process_time() - began, 1),
        "version": found["version"],
    }


def _ensemble(model: TreeModel, design: Design) -> dict[str, Any]:
    """Trees in conifer's own form: ``x <= threshold`` on to the left; thresholds and leaves on their grids."""
    lsb, trees = design.inputs.types[0].lsb, []
    for tree in model.trees:
        codes = model.first_codes(tree, design.input_quantisation)
        leaves = tree.leaves
        trees.append([{
            "feature": np.where(leaves, -2, tree.features).tolist(),
            "threshold": np.where(leaves, -2.0, (codes - 1) * lsb).tolist(),
            "value": np.where(leaves, tree.values, 0.0).tolist(),
            "children_left": tree.below.tolist(),
            "children_right": tree.reached.tolist(),
            "weight": [[int(f == i) for i in range(design.inputs.size)] for f in tree.features],
        }])  # fmt: skip
    depth = max(_depth(t[0]["children_left"], t[0]["children_right"]) for t in trees)
    return {
        "max_depth": depth, "n_trees": len(trees), "n_features": design.inputs.size, "n_classes": 2, "trees": trees,
        "init_predict": [float(model.base[0])], "norm": 1, "library": "sklearn", "splitting_convention": "<=",
    }  # fmt: skip


def _depth(left: list[int], right: list[int], node: int = 0) -> int:
    return 0 if left[node] < 0 else 1 + max(_depth(left, right, left[node]), _depth(left, right, right[node]))


def _run(command: list[str], folder: Path, seconds: float, python: str | None = None) -> str:
    environment = dict(os.environ) | {"PYTHONPATH": ""}
    if python is not None:
        spec = find_spec("hls4ml")
        assert spec is not None
        assert spec.origin is not None
        headers = Path(spec.origin).parent / "templates" / "vivado" / "ap_types"
        path = os.pathsep.join([str(Path(python).parent), environment["PATH"]])
        environment |= {"XILINX_AP_INCLUDE": str(headers), "PATH": path}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


def _synthesise(folder: Path, width: int, tied: int, design: Design, target: str, seconds: float) -> dict[str, float]:
    """Look-up tables, flip-flops and carries of conifer's VHDL by Yosys, with narrow inputs."""
    vhdl = folder / "vhdl"
    names = ["Constants", "Split", "Types", "Tree", "AddReduce", "Arrays0", "BDT", "BDTTop"]
    for name in names:
        _run(["ghdl", "-a", "--std=08", "--work=work", f"firmware/{name}.vhd"], vhdl, seconds)
    # GHDL's Verilog has assertions of memories at its end and names with dots; Yosys reads it as it is
    text = _run(["ghdl", "--synth", "--std=08", "--work=work", "--out=verilog", "BDTTop"], vhdl, seconds)
    count, narrow = design.inputs.size, design.inputs.types[0].width
    ports = re.search(r"module BDTTop\s*\((.*?)\);", text, re.S)
    assert ports is not None, text[-500:]
    places = [
        f"{{{{{width - tied - narrow}{{x[{narrow * i + narrow - 1}]}}}}, x[{narrow * i} +: {narrow}]"
        + (f", {tied}'b0" if tied else "")
        + "}"
        for i in range(count)
    ]  # element 0 of an array "0 to n" is the leftmost
    wrapper = (
        f"module {_TOP}(input clk, input [{count * narrow - 1}:0] x, output [{width - 1}:0] y);\n"
        f"  BDTTop core(.clk(clk), .X({{{', '.join(places)}}}), .X_vld(1'b1), .y(y), .y_vld());\nendmodule\n"
    )
    source = folder / "conifer.v"
    source.write_text(text + wrapper)
    result = folder / "yosys.json"
    command = ["--family", load_target(target).family, "--top", _TOP, "--result", str(result), str(source)]
    package = str(Path(yosys.__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codesign.tools.yosys", *command], cwd=folder, capture_output=True, text=True,
        timeout=seconds, env=dict(os.environ) | {"PYTHONPATH": package},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"yosys: {done.stdout[-800:]}{done.stderr[-800:]}")
    return yosys.count(json.loads(result.read_text())["cells"], load_target(target).family)
