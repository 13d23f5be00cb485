"""``python -m tests.benchmarks.imports FOLDER``: a row for each model file of a folder, none of them edited.

Each is imported, and its design is compared with the source's own execution, alkaid's interpreter, standard ONNX in
onnxruntime, the C++ emulator and the simulated RTL: rows equal of rows tried. Where a file does not say the type of its
inputs, ``--types`` does (a YAML mapping from the file's name to what ``codesign import --inputs`` takes). Writes
``reports/reference/imports.json`` after every file; a file that is in it with the same content is not measured again,
unless ``--again`` names it, or names none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign import __version__
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, find
from codesign.core.reading.yaml import read_yaml
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.handoff.emulator import write_emulator
from codesign.handoff.emulator.library import build_emulator, load_emulator
from codesign.handoff.inference import Session, codes_model
from codesign.importing.imports import compared_import
from codesign.rtl.firmware import Firmware

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "reports" / "reference" / "imports.json"
#: of the public files, which do not say the types of their inputs: sixteen standardised jet features; pixels of 8 bits
#: from 0 to 1; inputs that are -1 or 1; eight particles of three standardised features
TYPES: dict[str, Any] = {
    "qkeras_jettagging.onnx": "fixed<16,6>",
    "TFC_1W2A.onnx": "ufixed<8,0>",
    "unsw_nb15-mlp-w2a2.onnx": "fixed<2,2>",
    "qkeras_interaction_8.h5": "fixed<8,4>",
}
TARGET = "vu13p-360"

Codes = NDArray[np.int64]


def row_of(
    path: Path, types: Any, rows: int, rtl_rows: int, work: Path, so_far: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """What becomes of one file; ``so_far`` is told after each part."""
    start = time.perf_counter()
    row: dict[str, Any] = {"file": path.name, "sha256": _digest(path), "inputs": types}
    try:
        found = compared_import(path, types)
    except CodesignError as error:
        why = " ".join(str(error).split())
        return row | {"outcome": "refused", "why": why, "seconds": _since(start)}
    report, design = found.imported.report, found.imported.design()
    row |= {
        "outcome": "taken",
        "kind": report.source.kind,
        "types": {"inputs": list(report.inputs), "outputs": list(report.outputs)},
        "changes": [c.model_dump(mode="json") for c in report.changes],
        "operations": report.operations,
        "nonzero_weights": report.nonzero_weights,
        "ebops": report.ebops,
        "source": [a.model_dump(mode="json") for a in report.agreement],
        "seconds": {"import": _since(start)},
    }
    few = np.unique(np.linspace(0, len(found.codes) - 1, rows).astype(int))
    codes, truth = found.codes[few], found.outputs[few]
    with _part(row, "standard ONNX", so_far):
        session = Session(codes_model(design))
        row["standard ONNX"] = _equal(session.run(codes.astype(np.int32))["output_codes"], truth)
    firmware: Firmware | None = None
    with _part(row, "alkaid", so_far):
        flow = plugins.load(Flow, "alkaid")
        firmware = flow.compile(design, load_target(TARGET), work / "firmware", probe=codes)
        row["alkaid"] = _equal(flow.predict(firmware, codes), truth) | {"notes": list(firmware.notes)}
        figures = flow.figures(firmware)
        for quantity in ("lut", "latency_cycles"):
            figure = find(figures, quantity, Fidelity.COMPILED)
            row[quantity] = None if figure is None else figure.value
    with _part(row, "emulator", so_far):
        row["emulator"] = _emulated(design, codes, truth, work / "emulator")
    with _part(row, "RTL", so_far):
        if firmware is None:
            raise CodesignError("there is no firmware")
        row["RTL"] = _simulated(firmware, codes[:rtl_rows], truth[:rtl_rows], work / "simulation")
    return row


def _emulated(design: Design, codes: Codes, truth: Codes, work: Path) -> dict[str, Any]:
    emulator = load_emulator(build_emulator(write_emulator(design, "imported", work)))
    return _equal(emulator.predict(codes.astype(np.int32)), truth)


def _simulated(firmware: Firmware, codes: Codes, truth: Codes, work: Path) -> dict[str, Any]:
    from codesign.verify.rtl import verify

    verdict = verify(firmware, codes, {"graph": truth}, work)
    equal = verdict.events if verdict.exact else 0
    return {"tried": verdict.events, "equal": equal, "latency_cycles": verdict.latency_cycles, "tool": verdict.version}


def _equal(found: NDArray[Any], truth: Codes) -> dict[str, Any]:
    return {"tried": len(truth), "equal": int((np.asarray(found) == truth).all(axis=1).sum())}


@contextmanager
def _part(row: dict[str, Any], name: str, so_far: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    except CodesignError as error:
        row[name] = {"failed": " ".join(str(error).split())[:300]}
    row["seconds"][name] = _since(start)
    so_far(row)


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 1)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_of(
    folder: Path,
    types: dict[str, Any],
    rows: int,
    rtl_rows: int,
    known: list[dict[str, Any]],
    save: Callable[[Any], None],
) -> dict[str, Any]:
    """A row for each file of a folder, in the order of their names; those of other files stay as they are."""

    def write(rows: list[dict[str, Any]]) -> None:
        here = {r["file"] for r in rows}
        every = sorted([*rows, *(r for r in known if r["file"] not in here)], key=lambda r: str(r["file"]))
        save({"codesign": __version__, "target": TARGET, "rows": every})

    before = {(r["file"], r["sha256"]): r for r in known if "unfinished" not in r}
    found: list[dict[str, Any]] = []
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() not in (".md", ".yaml", ".txt"))
    for path in files:
        row = before.get((path.name, _digest(path)))
        if row is None:
            with tempfile.TemporaryDirectory(prefix="codesign-imports-") as work:
                so_far = partial(_save_unfinished, write, found)
                row = row_of(path, types.get(path.name), rows, rtl_rows, Path(work), so_far)
        found.append(row)
        print(_line(row), flush=True)
        write(found)
    return {"codesign": __version__, "target": TARGET, "rows": found}


def _save_unfinished(write: Callable[[Any], None], found: list[dict[str, Any]], row: dict[str, Any]) -> None:
    write([*found, row | {"unfinished": True}])


def _line(row: dict[str, Any]) -> str:
    if row["outcome"] != "taken":
        return f"{row['file']}: refused: {row['why'][:150]}"
    parts = [f"{a['runner']} {a['equal']}/{a['tried']}" for a in row["source"]]
    for name in ("alkaid", "standard ONNX", "emulator", "RTL"):
        said = row.get(name, {})
        parts.append(f"{name} {said['equal']}/{said['tried']}" if "equal" in said else f"{name}: {said.get('failed')}")
    return f"{row['file']}: taken; {', '.join(parts)}; LUT {row.get('lut')}, latency {row.get('latency_cycles')}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--types", type=Path, help="YAML: file name -> types of its inputs")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rtl-rows", type=int, default=200)
    parser.add_argument("--again", nargs="*", metavar="FILE", help="files to measure again; all, if none is named")
    parser.add_argument("-o", type=Path, default=RECORD)
    given = parser.parse_args()
    types = TYPES | (read_yaml(given.types) if given.types else {})
    known = json.loads(given.o.read_text())["rows"] if given.o.is_file() and given.again != [] else []
    for name in given.again or ():
        if not (given.folder / name).is_file():
            parser.error(f"--again {name}: there is no such file in {given.folder}")
    known = [{**r, "unfinished": True} if r["file"] in (given.again or ()) else r for r in known]

    def save(record: Any) -> None:
        # a refusal names the file by its path, which is nobody else's
        given.o.write_text(json.dumps(record, indent=1).replace(f"{given.folder}/", "") + "\n")

    record_of(given.folder, types, given.rows, given.rtl_rows, known, save)


if __name__ == "__main__":
    main()
