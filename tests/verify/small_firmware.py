"""Small networks compiled with alkaid's tracer, wrapped as Firmware whose ports follow the contract."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.targets import Resources, Target
from codesign.rtl.firmware import Firmware, Rtl

TARGET = Target(
    name="test",
    description="",
    part="xcvu13p-flga2577-2-e",
    family="xcup",
    clock_mhz=200,
    stage_delay=4,
    resources=Resources(lut=1_728_000, ff=3_456_000, dsp=12_288, bram=2688, source="DS890"),
)


@dataclass(frozen=True)
class Small:
    """A firmware with random events and what alkaid's interpreter makes of them."""

    firmware: Firmware
    codes: NDArray[np.int64]  # (events, n)
    outputs: NDArray[np.int64]  # (events, m)
    alkaid_latency: int


def make_design(inputs: tuple[FixedPoint, ...], outputs: tuple[FixedPoint, ...]) -> Design:
    """A design that has only its boundary."""
    names = tuple(f"x{i}" for i in range(len(inputs)))
    ones = (1.0,) * len(inputs)
    quantisation = InputQuantisation(features=names, units=("",) * len(inputs), offset=ones, step=ones, types=inputs)
    port = Port(name="scores", types=outputs, labels=tuple(f"y{i}" for i in range(len(outputs))))
    return Design(onnx=b"", input_quantisation=quantisation, outputs=port)


def make_small(
    folder: Path,
    dims: tuple[int, ...] = (6, 5, 3),
    density: float = 0.6,
    weight_bits: int = 4,
    events: int = 200,
    seed: int = 0,
    stage_delay: float = 4.0,
    dead_output: bool = False,
) -> Small:
    """A random dense network of layer widths ``dims`` with 8-bit inputs and ReLU between the layers."""
    from alkaid.codegen import RTLModel
    from alkaid.trace import FVArray, HWConfig, trace

    rng = np.random.default_rng(seed)
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=5)
    n = dims[0]
    x = FVArray.from_kif(np.ones(n, int), np.full(n, 2), np.full(n, 5), HWConfig(1, -1, -1))
    y = x
    largest = 2 ** (weight_bits - 1) - 1
    for layer, (a, b) in enumerate(pairwise(dims)):
        weights = rng.integers(-largest, largest + 1, (a, b)) * (rng.random((a, b)) < density)
        bias = rng.integers(-8, 8, b)
        if dead_output and layer == len(dims) - 2:
            weights[:, 1] = bias[1] = 0
        y = y @ (weights / 2.0 ** (weight_bits - 1)) + bias / 32
        if layer < len(dims) - 2:
            y = np.maximum(y, 0).quantize(k=0, i=2, f=3, overflow_mode="SAT", round_mode="TRN")
    logic = trace(x, y)
    model = RTLModel(logic, folder, "net", latency_cutoff=stage_delay, print_latency=False)
    model.write()

    used = [FixedPoint(signed=bool(k), integer_bits=int(i), fraction_bits=int(f)) for k, i, f in logic.inp_kifs.T]
    kinds = [FixedPoint(signed=bool(k), integer_bits=int(i), fraction_bits=int(f)) for k, i, f in logic.out_kifs.T]
    design = make_design((kind,) * n, tuple(kinds))
    _write_top(folder, design, used)
    codes = rng.integers(kind.minimum, kind.maximum + 1, (events, n))
    values = np.asarray(logic.predict(codes * kind.lsb)).reshape(events, -1)
    sources = [p.relative_to(folder) for p in sorted((folder / "src").rglob("*.v")) if "wrapper" not in p.name]
    firmware = Firmware(
        design=design,
        target=TARGET,
        folder=folder,
        rtl=Rtl((Path("top.v"), *sources), "top", int(model.latency)),
    )
    return Small(firmware, codes, design.outputs.codes(values), int(model.latency))


def _write_top(folder: Path, design: Design, used: list[FixedPoint]) -> None:
    """alkaid narrows inputs to the bits that matter: pick those from the design's ports."""
    width_in = sum(t.width for t in design.inputs.types)
    width_used = sum(t.width for t in used)
    width_out = sum(t.width for t in design.outputs.types)
    lines = []
    here = there = 0
    for full, narrow in zip(design.inputs.types, used, strict=True):
        if narrow.width:
            low = here + full.fraction_bits - narrow.fraction_bits
            assert here <= low
            assert low + narrow.width <= here + full.width
            lines.append(f"  assign used[{there} +: {narrow.width}] = model_inp[{low} +: {narrow.width}];")
        here += full.width
        there += narrow.width
    text = [
        f"module top (input clk, input [{width_in - 1}:0] model_inp, output [{width_out - 1}:0] model_out);",
        f"  wire [{width_used - 1}:0] used;",
        *lines,
        "  net inner (.clk(clk), .model_inp(used), .model_out(model_out));",
        "endmodule",
    ]
    (folder / "top.v").write_text("\n".join(text) + "\n")


def plant_fault(firmware: Firmware, folder: Path) -> Firmware:
    """A copy of the firmware in ``folder`` in which one adder of the first stage subtracts instead, or the reverse."""
    shutil.copytree(firmware.folder, folder)
    for path in sorted((folder / "src").glob("logic*.v")):
        text, count = re.subn(
            r"(shift_adder #\(.*?,)([01])(\) op)", lambda m: m[1] + str(1 - int(m[2])) + m[3], path.read_text(), count=1
        )
        if count:
            path.write_text(text)
            return replace(firmware, folder=folder)
    raise AssertionError("no adder to spoil")


def with_top(firmware: Firmware, folder: Path, body: str, latency: int) -> Firmware:
    """The firmware as module ``inner_top`` inside another top module with the given body."""
    shutil.copytree(firmware.folder, folder)
    inner = (folder / "top.v").read_text().replace("module top", "module inner_top")
    width_in = sum(t.width for t in firmware.design.inputs.types)
    width_out = sum(t.width for t in firmware.design.outputs.types)
    head = f"module top (input clk, input [{width_in - 1}:0] model_inp, output [{width_out - 1}:0] model_out);"
    (folder / "top.v").write_text(f"{inner}\n{head}\n{body}\nendmodule\n")
    return replace(firmware, folder=folder, rtl=replace(firmware.rtl, latency_cycles=latency))
