"""Prove a bundle on another machine: everything it says is computed again from the rest, or named as not checked.

Nothing of a bundle is run. Emulator, firmware and standard ONNX are made again from its design, compared with its own
byte for byte, and what is built, simulated and interpreted is what was made here. Only where another version of
codesign wrote an ONNX, so that equal designs are not equal files, that file itself goes to onnxruntime, after its
structure was checked; code that differs is not run.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import CodesignError, InputError
from codesign.core.printing import visible
from codesign.core.reading.onnx import standard_model
from codesign.core.runfolder import write_atomically
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.handoff.agreement import interface
from codesign.handoff.apply.executors import EmulatorEngine, OnnxEngine, built_emulator, compare
from codesign.handoff.apply.scorer import Scorer
from codesign.handoff.check import SIGNATURE, check_bundle, read_manifest
from codesign.handoff.claims import claims, other_files
from codesign.handoff.cmssw import write_cmssw
from codesign.handoff.destination_check import destination_statements, destination_unmade
from codesign.handoff.emulator import emulator_name, write_emulator
from codesign.handoff.inference import Session, heads_of
from codesign.handoff.interface import input_blocks, input_signals, output_signals
from codesign.handoff.manifest import Manifest
from codesign.handoff.pieces import write_around_firmware, write_inference
from codesign.handoff.readme import readme
from codesign.handoff.received import Codes, ReceivedBundle, golden_vectors, in_one_line, read_design
from codesign.handoff.recompiled import (
    FIRMWARE,
    compiled_figures,
    firmware_facts,
    other_passes,
    recompile,
    target_statement,
)
from codesign.handoff.remade import Maker, made_again, same_files
from codesign.handoff.scales import Scales
from codesign.handoff.signature import Signer
from codesign.handoff.signature import signer as signer_of
from codesign.handoff.statement import CheckReport, Finding, Statement, checked, not_checked, wrong
from codesign.handoff.stream.event_pool import pool_of
from codesign.rtl.firmware import Firmware

__all__ = ("Asked", "prove_bundle")

#: problems of damaged files that are named
_NAMED = 10
#: events held at once, with every signal of the network
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Asked:
    """What is done beyond reading and comparing.

    Attributes
    ----------
    emulator: build the C++ emulator that is made here, and run the golden vectors through it.
    rtl: simulate the Verilog that is compiled here with the golden vectors, in Verilator.
    drawn: events, spread evenly over the range of every input and a tenth beyond it, to compare between ONNX and
        emulator, from physical features on.
    key: public keys, or allowed signers; a bundle that none of them signed is refused.
    files: files of events, or tables, whose inputs the emulator gets beside the design's own graph.
    """

    emulator: bool = False
    rtl: bool = False
    drawn: int = 0
    key: Path | None = None
    files: tuple[str, ...] = ()


def prove_bundle(folder: Path, asked: Asked = Asked()) -> CheckReport:
    """What a bundle says, and what came of each statement.

    InputError where the folder is no bundle, or is not signed as :attr:`Asked.key` wants, or a file of events is none
    that its network can be given.
    """
    if asked.files and not asked.emulator:
        raise InputError("events of files are given to the emulator: ask for it as well (--emulator)")
    if asked.drawn and not asked.emulator:
        raise InputError("events are drawn to compare the emulator with the ONNX: ask for the emulator as well")
    folder = Path(folder)
    signer = None if asked.key is None else signer_of(folder, asked.key)
    manifest = read_manifest(folder)
    if problems := check_bundle(folder):
        more = f" (and {len(problems) - _NAMED} more)" if len(problems) > _NAMED else ""
        return _stop(signer, "files", "; ".join(problems[:_NAMED]) + more)
    whole = checked("files", f"{len(manifest.files)} files, each with the size and SHA-256 of the manifest")
    try:
        received = ReceivedBundle(folder, manifest, read_design(folder))
    except InputError as error:
        return _stop(signer, "design", str(error), whole)
    with _scratch() as scratch:
        statements = [whole, *_statements(received, asked, scratch), *claims(received, signer)]
    return _report(signer, *statements, _signature(folder, signer))


def _statements(received: ReceivedBundle, asked: Asked, scratch: Path) -> Iterator[Statement]:
    """What is computed again."""
    maker = Maker.of(received.manifest)
    yield from interface(received)
    if others := other_files(received):
        yield maker.differs("other files", f"{visible(others[0])} is no file of a bundle")
    try:
        golden = golden_vectors(received.folder, received.design)
    except InputError as error:
        yield wrong("golden vectors", str(error))
        return
    yield from _golden(received, golden)
    yield from _software(received, maker, scratch, golden, asked)
    yield from _firmware(received, maker, scratch, golden, asked.rtl)


def _golden(received: ReceivedBundle, golden: tuple[Codes, Codes]) -> Iterator[Statement]:
    """As many golden vectors as were verified, and the design's own graph gives them."""
    m, (inputs, outputs) = received.manifest, golden
    if not m.verified.exact or m.verified.events != len(inputs):
        yield wrong("golden vectors", f"{len(inputs):,}, but {m.verified.events:,} events are said to be verified")
    elif m.latency_cycles != (m.verified.latency_cycles if m.top is not None else None):
        yield wrong("golden vectors", "the latency that was verified is not the manifest's")
    else:
        yield checked("golden vectors", "whole numbers, codes of the ports, as many as verified", len(inputs))
    yield _equal("model.onnx", lambda: _truth(received, inputs), outputs, "the design's own graph, computed exactly")


def _truth(received: ReceivedBundle, inputs: Codes) -> Codes:
    design, graph = received.design, read_graph(received.design.onnx)
    pieces = [inputs[start : start + _AT_ONCE] for start in range(0, len(inputs), _AT_ONCE)]
    return np.concatenate([design.outputs.codes(graph.run(design.inputs.values(p), Exact())) for p in pieces])


def _software(
    received: ReceivedBundle, maker: Maker, scratch: Path, golden: tuple[Codes, Codes], asked: Asked
) -> Iterator[Statement]:
    """ONNX, emulator and README."""
    m, design = received.manifest, received.design
    tables = any(f.startswith("fastsim/") for f in received.files)

    def write_readme() -> None:
        write_atomically(scratch / "README.md", readme(m, tables).encode())

    yield made_again(received, maker, scratch, "README.md", write_readme)
    yield made_again(received, maker, scratch, "onnx/", lambda: write_inference(design, m.study, scratch))
    yield same_files(received, maker, scratch, "triton/")
    yield from _onnx(received, maker, scratch, golden)
    name = emulator_name(m.study)
    emulator = made_again(
        received, maker, scratch, "emulator/", lambda: write_emulator(design, name, scratch / "emulator")
    )
    yield emulator
    if asked.emulator:
        yield from _emulate(received, emulator, golden, asked)
    profile = m.cmssw
    if profile is not None:
        yield made_again(
            received, maker, scratch, "cmssw/", lambda: write_cmssw(design, profile, *golden, scratch / "cmssw")
        )
    else:
        yield same_files(received, maker, scratch, "cmssw/")


def _onnx(received: ReceivedBundle, maker: Maker, scratch: Path, golden: tuple[Codes, Codes]) -> Iterator[Statement]:
    """The integers of both ONNX files, from codes and from features on."""
    inputs, outputs = golden
    yield _run(received, maker, scratch, "onnx/codes.onnx", inputs.astype(np.int32), outputs, "in onnxruntime")
    name = "onnx/features.onnx"
    features, usable = _features(_describe(received), inputs)
    count = int(usable.sum())
    if not count:
        yield not_checked(f"{name}, run", f"0 of {len(inputs):,} events usable: {_ROUNDED}")
        return
    unusable = "" if usable.all() else f"; {len(inputs) - count:,} of {len(inputs):,} events not usable: {_ROUNDED}"
    yield _run(received, maker, scratch, name, features[usable], outputs[usable], f"in onnxruntime{unusable}")


def _run(
    received: ReceivedBundle, maker: Maker, scratch: Path, file: str, given: NDArray[Any], expected: Codes, how: str
) -> Statement:
    """Run an ONNX file that was made here, where the bundle's is equal to it; else the bundle's, where another version
    made it."""
    name, came, made = f"{file}, run", received.folder / file, scratch / file
    if file not in received.files or not made.is_file():
        return not_checked(name, "there is nothing to run")
    content = made.read_bytes()
    if came.read_bytes() != content:
        if maker.same:
            return not_checked(name, "it is not the design's, and is not run")
        try:
            content = standard_model(came.read_bytes(), file)
        except InputError as error:
            return not_checked(name, f"{error}; made by {maker.words}")
        how = f"{how}, as {maker.words} wrote it"

    def run() -> NDArray[Any]:
        session = Session(content)
        pieces = [given[start : start + _AT_ONCE] for start in range(0, len(given), _AT_ONCE)]
        heads = [codes for _, codes in heads_of(received.design.outputs)]
        found = [session.run(piece) for piece in pieces]
        return np.concatenate([np.concatenate([some[name] for name in heads], axis=1) for some in found])

    return _equal(name, run, expected, how)


_ROUNDED = "float32 rounds the middle of their codes over an edge"


def _describe(received: ReceivedBundle) -> Manifest:
    """The manifest with the ports of the design, whatever it says of them itself."""
    design = received.design
    ports = {"inputs": input_signals(design), "blocks": input_blocks(design), "outputs": output_signals(design)}
    return received.manifest.model_copy(update=ports)


def _features(manifest: Manifest, inputs: Codes) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The middle of each input code in physical units, and the events for which float32 is still in that code."""
    scales = Scales.of(manifest)
    with np.errstate(all="ignore"):
        features = scales.features(inputs)
        finite = np.isfinite(features).all(axis=1)
        return features, finite & (scales.codes(np.where(np.isfinite(features), features, 0)) == inputs).all(axis=1)


def _emulate(
    received: ReceivedBundle, source: Statement, golden: tuple[Codes, Codes], asked: Asked
) -> Iterator[Statement]:
    if source.outcome is not Finding.CHECKED:
        yield not_checked("emulator/, run", "its source is not the one made here, and is not built")
        return
    inputs, outputs = golden
    try:
        built = built_emulator(received.design)
    except CodesignError as error:
        yield not_checked("emulator/, run", str(error))
        return
    yield _equal("emulator/, run", lambda: built.predict(inputs.astype(np.int32)), outputs, "built here")
    if asked.files:
        pool = pool_of(Scorer(received.folder, checked=False), asked.files)
        name, expected = f"emulator/ on {visible(pool.origin)}", _truth(received, pool.codes.astype(np.int64))
        yield _equal(name, lambda: built.predict(pool.codes), expected, "as the design's own graph")
    if drawn := asked.drawn:
        name = "emulator/ beside onnx/"
        try:
            manifest = _describe(received)
            features = _draw(manifest, drawn)
            engines = OnnxEngine(received.design, manifest), EmulatorEngine(built, manifest)
            events = compare(*engines, features, ("onnx", "the emulator"))
        except CodesignError as error:
            yield wrong(name, str(error))
        else:
            yield checked(name, "drawn features, from quantisation on", events)


def _draw(manifest: Manifest, events: int) -> NDArray[np.float32]:
    """Features spread evenly over what the inputs can take, and a tenth beyond."""
    scales = Scales.of(manifest)
    beyond = (scales.high - scales.low + 1) / 10
    size = (events, len(manifest.inputs))
    return scales.features(np.random.default_rng(events).uniform(scales.low - beyond, scales.high + beyond, size))


def _firmware(
    received: ReceivedBundle, maker: Maker, scratch: Path, golden: tuple[Codes, Codes], rtl: bool
) -> Iterator[Statement]:
    """The firmware and what stands around it; simulated only where it was compiled here."""
    inputs, outputs = golden
    yield target_statement(received)
    try:
        firmware = in_one_line(
            "the firmware cannot be compiled here", lambda: recompile(received, scratch / "firmware", inputs)
        )
    except CodesignError as error:
        why = f"{error}; nothing of it was run"
        yield from (not_checked(name, why) for name in (*FIRMWARE, *(["firmware/, run"] if rtl else [])))
        yield from destination_unmade(received, why)
        return
    same = same_files(received, maker, scratch, "firmware/")
    if same.outcome is Finding.WRONG and (left_out := other_passes(received, firmware)):
        same = not_checked("firmware/", f"{same.detail}: {left_out}; nothing of it was run")
    yield same
    if same.outcome is not Finding.CHECKED:
        yield from (not_checked(name, "the firmware is not the one compiled here") for name in FIRMWARE[1:])
        if rtl:
            yield not_checked("firmware/, run", "it is not the one compiled here, and is not simulated")
        yield from destination_unmade(received, "the firmware is not the one compiled here")
        return
    yield from firmware_facts(received, firmware, maker)
    yield compiled_figures(received, firmware, maker)
    try:
        in_one_line("cannot be made here", lambda: write_around_firmware(firmware, inputs, outputs, scratch))
    except CodesignError as error:
        yield from (not_checked(name, str(error)) for name in ("axi/", "testbench/", "vivado/"))
    else:
        yield from (same_files(received, maker, scratch, name) for name in ("axi/", "testbench/", "vivado/"))
    if rtl:
        yield _simulate(firmware, scratch, len(inputs))
    yield from destination_statements(received, maker, scratch, firmware, golden, rtl)


def _simulate(firmware: Firmware, scratch: Path, events: int) -> Statement:
    """Run the test bench that was made here on the Verilog that was compiled here, in Verilator."""
    from codesign.verify.testbench import run_testbench

    name = "firmware/, run"
    if not (scratch / "testbench" / "tb.sv").is_file():
        return not_checked(name, "there is no test bench for its protocol")
    try:
        said = run_testbench(scratch / "testbench", [firmware.folder / s for s in firmware.sources])
    except CodesignError as error:
        return not_checked(name, str(error))
    if f"PASS: {events} events" in said:
        return checked(name, f"in Verilator, latency {firmware.latency_cycles} cycles", events)
    verdict = next((line for line in said.splitlines() if line.startswith("FAIL")), "no verdict was printed")
    return wrong(name, f"the RTL does not give the golden vectors: {verdict}")


def _equal(name: str, compute: Callable[[], NDArray[Any]], expected: Codes, what: str) -> Statement:
    """Compare codes (events, m) with the golden ones, ``==``."""
    try:
        found = np.asarray(in_one_line(name, compute))
    except CodesignError as error:
        return wrong(name, str(error))
    if found.shape != expected.shape:
        return wrong(name, f"gives {found.shape} integers instead of {expected.shape}")
    differs = (found != expected).any(axis=1)
    if differs.any():
        event = int(differs.argmax())
        return wrong(
            name,
            f"differs from golden.npz on {int(differs.sum())} of {len(expected)} events, first on event {event}: "
            f"{found[event].tolist()} instead of {expected[event].tolist()}",
        )
    return checked(name, f"integers equal to golden.npz: {what}", len(expected))


def _stop(signer: Signer | None, name: str, detail: str, *before: Statement) -> CheckReport:
    return _report(signer, *before, wrong(name, detail), not_checked("all else", f"not looked at: {name} is wrong"))


def _report(signer: Signer | None, *statements: Statement) -> CheckReport:
    return CheckReport(signer=None if signer is None else str(signer), statements=statements)


def _signature(folder: Path, signer: Signer | None) -> Statement:
    if signer is not None:
        return checked("signature", f"of {signer}")
    there = (folder / SIGNATURE).exists()
    return not_checked("signature", "give --key to see whose it is" if there else "the bundle has none")


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="codesign-check-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
