"""Commands that hand a network on, prove it at its receiver, and apply it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json, Run, Trial
from codesign.printing import print_json, print_made, print_rows

__all__ = ("apply", "check", "handoff")


def handoff(
    folder: Run,
    trial: Trial,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="BUNDLE", help="A new folder, or a new .zip file.")],
    as_json: Json = False,
) -> None:
    """Pack a verified trial for those who use it, with a checksum of every file.

    Example: codesign handoff runs/jet-tagger 17 -o jet-tagger-17.zip
    """
    from codesign.handoff.bundle import write_bundle
    from codesign.runfolder import RunFolder

    print_made(write_bundle(RunFolder.open(folder).path, trial, output), as_json)


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: its folder, or its .zip.")],
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Also build the bundle's C++ emulator and run it here.")
    ] = False,
    rtl: Annotated[bool, typer.Option("--rtl", help="Also simulate the bundle's Verilog here, in Verilator.")] = False,
    events: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="With --emulator: compare it with the ONNX on N drawn events as well."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """See that a bundle is whole and unchanged, and that its network gives its golden integers.

    Nothing from the bundle runs but its ONNX, in onnxruntime, unless --emulator or --rtl asks for more.

    Example: codesign check jet-tagger-17.zip --emulator --events 100000
    """
    from codesign.handoff.archive import opened
    from codesign.handoff.proof import prove_bundle

    with opened(bundle) as folder:
        proven = prove_bundle(folder, emulator, rtl, events)
    if as_json:
        print_json({"whole": True, "equal_events": proven})
    else:
        models = ", ".join(f"{name} ({events:,} events)" for name, events in proven.items())
        print(f"{bundle} is whole and unchanged; integers equal to the golden vectors: {models}")


def apply(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: its folder, or its .zip.")],
    files: Annotated[list[Path], typer.Argument(metavar="EVENTS...", help="Files of events, or tables of features.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="A .root or .parquet file, or a folder for several.")
    ],
    form: Annotated[
        str | None, typer.Option("--form", help="ttree, rntuple or parquet; by default told by the suffix.")
    ] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Events in memory at once, for each thread.")] = 50_000,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; by default one per core.")] = None,
    histograms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A ROOT file that gets a histogram of every output.")
    ] = None,
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Build the bundle's C++ emulator, and score with it.")
    ] = False,
    tree: Annotated[
        str | None, typer.Option("--tree", metavar="NAME", help="Which tree of a ROOT file that has several.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over other files, and score anew what is finished.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score events with a bundle's network, into friend trees (ROOT) or Parquet.

    Nothing from the bundle runs but its ONNX, in onnxruntime, unless --emulator asks for its C++.

    The same command again, after an interruption, scores only what is not finished.

    Example: codesign apply jet-energy-7 nano_1.root nano_2.root -o scores
    """
    from codesign.dse.progress import Shown, make_progress
    from codesign.handoff.apply import apply_bundle
    from codesign.handoff.archive import opened

    try:
        with _termination_interrupts(), opened(bundle) as folder, make_progress() as progress:
            applied = apply_bundle(
                folder, files, output, form, chunk, threads, histograms,
                lambda name, events: progress.show(Shown(f"{name}: {events:,} events")), emulator, tree, force,
            )  # fmt: skip
    except KeyboardInterrupt:
        print("interrupted; files of scores that are finished stay, and the same command goes on", file=sys.stderr)
        raise typer.Exit(130) from None
    if before := sum(a.before for a in applied):
        print(f"{before} of {len(applied)} were finished before (--force scores them anew)", file=sys.stderr)
    rows = [{"file": str(a.source), "scores": str(a.output), "events": a.events, "rows": a.rows} for a in applied]
    print_rows(rows, as_json, ("file", "scores", "events", "rows"))


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """What a batch system sends before it kills ends as Ctrl-C does: half a file is taken away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
