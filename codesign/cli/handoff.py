"""Commands that hand a network on, prove it at its receiver, and apply it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json, Run, Trial, in_standing_folder
from codesign.core.errors import InputError
from codesign.core.interrupt import keeps
from codesign.core.printing import print_json, print_made, print_rows, say, visible

__all__ = ("Destination", "apply", "check", "handoff")


class Destination(StrEnum):
    """A place that takes more than a bundle has by itself."""

    CMSSW = "cmssw"
    UGT = "ugt"
    CTP7 = "ctp7"
    CTP7_192 = "ctp7-192"
    EMP = "emp"
    L1TOPO = "l1topo"


Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="ALLOWED", help="Refuse what is not signed by this public key, or by these allowed signers."
    ),
]


def handoff(
    folder: Run,
    trial: Trial,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="BUNDLE", callback=in_standing_folder, help="A new folder, or a new .zip file."
        ),
    ],
    key: Annotated[
        Path | None, typer.Option("--sign", metavar="KEY", help="Sign it with this SSH key, such as ~/.ssh/id_ed25519.")
    ] = None,
    destination: Annotated[
        Destination | None,
        typer.Option("--for", help="Also write what this place takes: cmssw, with --profile, ugt, ctp7, emp, l1topo."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="With --for cmssw: axol1tl-v5, ..., or your own .yaml file."),
    ] = None,
    model_version: Annotated[
        str | None,
        typer.Option("--model-version", metavar="VERSION", help="With --profile: in its names, in place of its own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Pack a verified trial for those who use it, with a checksum of every file.

    Example: codesign handoff runs/l1-anomaly 17 -o anomaly-17.zip --for cmssw --profile axol1tl-v5 --model-version v7
    """
    from codesign.core.runfolder import RunFolder
    from codesign.handoff.bundle import write_bundle
    from codesign.handoff.cmssw import load_profile

    if (destination is Destination.CMSSW) != (profile is not None):
        raise InputError("--for cmssw and --profile NAME stand together: give both, or none")
    if model_version is not None and profile is None:
        raise InputError("--model-version is that of a --profile: give one, with --for cmssw")
    cmssw = None if profile is None else load_profile(profile, model_version)
    place = None if destination in (None, Destination.CMSSW) else destination.value
    made = write_bundle(RunFolder.open(folder).path, trial, output, key=key, cmssw=cmssw, destination=place)
    print_made(made, as_json)


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: its folder, or its .zip.")],
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Also build the C++ emulator, as made again here, and run it.")
    ] = False,
    rtl: Annotated[
        bool, typer.Option("--rtl", help="Also simulate the Verilog, as compiled again here, in Verilator.")
    ] = False,
    events: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="With --emulator: compare it with the ONNX on N drawn events as well."),
    ] = 0,
    on: Annotated[
        list[Path] | None,
        typer.Option(
            "--on",
            metavar="EVENTS",
            help="With --emulator: run it on the events of a file, too, such as uGT's test vectors. Several times.",
        ),
    ] = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Compute again what a bundle says: each statement is checked, wrong, or named as not checked.

    Ends with 1 where anything is wrong. Nothing from the bundle runs: what is run was made again from its design, and
    is equal to what the bundle holds.

    Example: codesign check jet-tagger-17.zip --key colleague.pub --emulator --events 100000
    """
    from codesign.handoff.archive import open_bundle
    from codesign.handoff.examination import Asked, prove_bundle

    with open_bundle(bundle) as folder:
        report = prove_bundle(folder, Asked(emulator, rtl, events, key, tuple(map(str, on or ()))))
    if as_json:
        print_json(report)
    else:
        rows = [s.model_dump(mode="json") | {"statement": s.name} for s in report.statements]
        print_rows(rows, False, ("statement", "outcome", "events", "detail"))
        say(f"{visible(str(bundle))}: {report.summary()}")
    if report.wrong:
        raise typer.Exit(1)


def apply(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: its folder, or its .zip.")],
    files: Annotated[
        list[str], typer.Argument(metavar="EVENTS...", help="Files of events, or tables of features; URLs too.")
    ],
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
        bool, typer.Option("--emulator", help="Build the design's C++ emulator, and score with it.")
    ] = False,
    key: Key = None,
    tree: Annotated[
        str | None, typer.Option("--tree", metavar="NAME", help="Which tree of a ROOT file that has several.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over other files, and score anew what is finished.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score events with a bundle's network, into friend trees (ROOT) or Parquet.

    Nothing from the bundle runs: ONNX and C++ are made here from its design.

    The same command again, after an interruption, scores only what is not finished.

    Example: codesign apply jet-energy-7 nano_1.root nano_2.root -o scores
    """
    from codesign.handoff.apply import Advance, apply_bundle
    from codesign.handoff.archive import open_bundle
    from codesign.handoff.signature import signer
    from codesign.search.progress import Shown, make_progress

    keeps("nothing was finished, and the same command begins again")

    def tell(advance: Advance) -> None:
        keeps(advance.kept())
        progress.show(Shown(advance.line()))

    with open_bundle(bundle) as folder, make_progress() as progress:
        if key is not None:
            signer(folder, key)
        applied = apply_bundle(folder, files, output, form, chunk, threads, histograms, tell, emulator, tree, force)
    if before := sum(a.before for a in applied):
        say(f"{before} of {len(applied)} were finished before (--force scores them anew)", error=True)
    rows = [{"file": a.source, "scores": str(a.output), "events": a.events, "rows": a.rows} for a in applied]
    print_rows(rows, as_json, ("file", "scores", "events", "rows"))
