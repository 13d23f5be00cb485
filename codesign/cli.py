"""The command line: each command parses, calls one function, and prints.

Nothing heavy is imported before a command needs it: ``codesign --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from codesign import __version__
from codesign.errors import CodesignError, InputError
from codesign.printing import print_facts, print_front, print_json, print_made, print_rows, print_verdict, stage_line

__all__ = ("app", "main")

app = typer.Typer(
    name="codesign",
    help="From a physics data set to verified, Pareto-optimal FPGA firmware.",
    epilog="Ends with 0: done; 1: an error, one line on standard error; 2: wrong usage; 130: interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Make and look at samples of events.", no_args_is_help=True)
app.add_typer(data, name="data")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, as 'codesign run' printed it.")]
Trial = Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Number of a trial in that run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Entry point: an error that is the user's to mend is one line, and no stack trace."""
    try:
        app()
    except CodesignError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"codesign {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    pass


@app.command()
def run(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's file, or the name of a shipped one.")],
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all, instead of the study's number.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default one per core.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="The run's folder; by default runs/<study>.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the search instead of a journal in the run's folder.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Where trained weights, firmware and synthesis are kept; else $CODESIGN_STORE."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler, or a YAML file of a batch system, instead of workers."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Make everything anew, and keep nothing.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML report at the end.")] = True,
    as_json: Json = False,
) -> None:
    """Search, prove the front, and report. The same command again goes on where it was.

    Example: codesign run jet-tagger --trials 40 --workers 2
    """
    from codesign.dse.engine import run_study
    from codesign.dse.progress import make_progress
    from codesign.store import NO_STORE, default_url
    from codesign.study import load_study

    kept = NO_STORE if no_cache else store or default_url()
    loaded = load_study(study)
    folder = folder or Path("runs") / loaded.name
    cores = len(os.sched_getaffinity(0))
    try:
        front = run_study(
            loaded, folder, trials, workers or cores, make_progress(), storage=storage, store=kept, cluster=cluster
        )
    except KeyboardInterrupt:
        print(
            f"interrupted; what was finished is in {folder}, and the same command goes on from there", file=sys.stderr
        )
        raise typer.Exit(130) from None
    if as_json:
        print_json(front)
    else:
        print_front(front, folder)
    if report:
        from codesign.report import write_report

        print(f"report: {write_report(folder)}", file=sys.stderr if as_json else sys.stdout)


@app.command("report")
def report_(
    folder: Run,
    other: Annotated[Path | None, typer.Argument(metavar="[RUN_B]", help="A second run to compare with.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file, or a folder; by default reports/<study>.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the HTML report of a run, finished or not; of two runs, their comparison.

    Example: codesign report runs/jet-tagger -o jet-tagger.html
    """
    from codesign.report import write_comparison, write_report

    made = write_report(folder, output) if other is None else write_comparison(folder, other, output)
    print_made(made, as_json)


@app.command()
def dashboard(
    folder: Run,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8080,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the search, where it was run with one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the live search in a browser, on this machine only (extra 'dashboard').

    Example: codesign dashboard runs/jet-tagger
    """
    from codesign.dse.dashboard import HOST, serve
    from codesign.runfolder import RunFolder

    run_folder = RunFolder.open(folder)
    if as_json:
        print_json({"url": f"http://{HOST}:{port}/"}, flush=True)
    else:
        print(f"http://{HOST}:{port}/ until interrupted (Ctrl-C)", file=sys.stderr)
    serve(run_folder, port, storage)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your table of jets, or file of events.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="STUDY", help="The study to write.")] = None,
    target: Annotated[str | None, typer.Option(help="A target's file or name; by default the pattern's.")] = None,
    as_json: Json = False,
) -> None:
    """Look at a file of yours, and write a commented study for it.

    Example: codesign init jets.parquet -o jets.yaml
    """
    from codesign.init import write_study

    print_made(write_study(file, output, target), as_json)


@app.command()
def verify(
    folder: Run,
    trial: Trial,
    again: Annotated[bool, typer.Option("--again", help="Simulate even if there is a verdict already.")] = False,
    waves: Annotated[bool, typer.Option("--waves", help="Simulate again and keep the waveforms (VCD).")] = False,
    fst: Annotated[bool, typer.Option("--fst", help="Keep them as FST, smaller; the report draws only VCD.")] = False,
    gates: Annotated[bool, typer.Option("--gates", help="Simulate the netlist that Yosys makes of the RTL.")] = False,
    target: Annotated[str | None, typer.Option(help="With --gates: a target's file or name.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate a trial's RTL and compare every integer with the trained network's.

    Where a flow has no RTL without the vendor's tools, its own simulation is compared, and the verdict says so.

    Example: codesign verify runs/jet-tagger 17
    """
    from codesign.candidate import prove_trial, verify_gates
    from codesign.runfolder import RunFolder

    if target is not None and not gates:
        raise InputError("--target is for --gates: without it the trial's own firmware is simulated")
    run = RunFolder.open(folder)
    form: Literal["vcd", "fst"] | None = "fst" if fst else "vcd" if waves else None
    verdict = verify_gates(run, trial, target) if gates else prove_trial(run, trial, again, form)
    if as_json:
        print_json(verdict)
    elif verdict.exact:
        print_verdict(trial, verdict, sorted((folder / "trials" / f"{trial:04d}" / "simulation").glob("dump.*")))
    if not verdict.exact:
        raise CodesignError(f"trial {trial} is not exact: {verdict.first_difference or 'outputs differ'}")


@app.command()
def synth(
    folder: Run,
    trial: Trial,
    target: Annotated[str | None, typer.Option(help="A target's file or name; by default the study's.")] = None,
    close_timing: Annotated[
        bool, typer.Option("--close-timing", help="Deepen the pipeline until the placed design reaches the clock.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Synthesise a trial for a target, place and route it where nextpnr or Vivado can, and print what it takes.

    Example: codesign synth runs/jet-tagger 17 --target ulx3s-85f --close-timing
    """
    from codesign.candidate import close_timing_of_trial, synthesise_trial
    from codesign.runfolder import RunFolder

    if close_timing:
        closure = close_timing_of_trial(RunFolder.open(folder), trial, target)
        print(closure, file=sys.stderr)
        figures = closure.figures
    else:
        figures = synthesise_trial(RunFolder.open(folder), trial, target)
    rows = [f.model_dump(mode="json") for f in figures]
    print_rows(rows, as_json, ("quantity", "value", "unit", "fidelity", "tool", "version"))


@app.command()
def flows(
    folder: Run,
    trials: Annotated[list[int] | None, typer.Argument(metavar="[TRIAL]...", min=0, help="By default the front.")] = (
        None
    ),
    target: Annotated[str | None, typer.Option(help="A target's file or name; by default the study's.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Neither synthesise nor simulate RTL.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure again what was measured.")] = False,
    as_json: Json = False,
) -> None:
    """Take trials through every flow: equal integers, and what each flow measures of them.

    Example: codesign flows runs/jet-tagger 17
    """
    from codesign.candidate.flows import compare_flows, flow_rows
    from codesign.runfolder import RunFolder

    run = RunFolder.open(folder)
    found = compare_flows(run, trials or (), quick, stage_line, target, again)
    if as_json:
        print_json(found)
    else:
        rows = flow_rows(found)
        print_rows(rows, False, rows[0])
    wrong = [r for r in found.results if r.equal is False or (r.verified is not None and not r.verified.exact)]
    if wrong:
        raise CodesignError(f"not exact: {', '.join(f'trial {r.trial} with {r.flow}' for r in wrong)}")


@app.command()
def bitstream(
    folder: Run,
    trial: Trial,
    target: Annotated[str, typer.Option(help="A board: a target's file or name, such as ulx3s-85f.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Copy the bitstream here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Place and route a trial for a board, write its bitstream, and simulate the board through its serial line.

    Where the clock is missed the pipeline is deepened, up to four times. The timing report lies beside the bitstream.

    Example: codesign bitstream runs/jet-tagger 17 --target ulx3s-85f -o jets.bit
    """
    from codesign.candidate import bitstream_of_trial
    from codesign.runfolder import RunFolder

    run = RunFolder.open(folder)
    made = bitstream_of_trial(run, trial, target, output, stage_line)
    print_json(made) if as_json else print(made)


@app.command()
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


@app.command()
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


@app.command()
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
    as_json: Json = False,
) -> None:
    """Score events with a bundle's network, into friend trees (ROOT) or Parquet.

    Nothing from the bundle runs but its ONNX, in onnxruntime, unless --emulator asks for its C++.

    Example: codesign apply jet-energy-7 nano_1.root nano_2.root -o scores
    """
    from codesign.dse.progress import Shown, make_progress
    from codesign.handoff.apply import apply_bundle
    from codesign.handoff.archive import opened

    with opened(bundle) as folder, make_progress() as progress:
        applied = apply_bundle(
            folder, files, output, form, chunk, threads, histograms,
            lambda name, events: progress.show(Shown(f"{name}: {events:,} events")), emulator,
        )  # fmt: skip
    rows = [{"file": str(a.source), "scores": str(a.output), "events": a.events, "rows": a.rows} for a in applied]
    print_rows(rows, as_json, ("file", "scores", "events", "rows"))


@data.command("make")
def data_make(
    card: Annotated[str, typer.Argument(metavar="CARD", help="A generator card's file or name.")],
    events: Annotated[int, typer.Option(min=1, help="Events to make, all classes together.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A .parquet or .root file to write.")
    ] = None,
    pile_up: Annotated[
        float | None, typer.Option(min=0, help="Mean number of collisions of a trigger event; the card's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Generate a card's jets or trigger events, and write them to a file.

    Example: codesign data make jets-13tev --events 10000 -o jets.parquet
    """
    from codesign.data_cli import make_data
    from codesign.dse.progress import Shown, make_progress

    with make_progress() as progress:
        made = make_data(
            card, events, output, lambda done, total: progress.show(Shown(f"{done} of {total} events")), pile_up
        )
    print_made(made, as_json)


@data.command("show")
def data_show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of events.")], as_json: Json = False
) -> None:
    """Say what a file of jets or events holds: classes, features, units and origin; or collections, counts and ranges.

    Example: codesign data show jets.parquet
    """
    from codesign.data_cli import describe

    print_facts(describe(file), as_json)


@data.command("response")
def data_response(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An event file with generated jets.")],
    corrections: Annotated[Path | None, typer.Option(metavar="FILE", help="A correctionlib file (.json.gz).")] = None,
    correction: Annotated[str, typer.Option(metavar="NAME", help="Name of a correction in that file.")] = "",
    run: Annotated[Path | None, typer.Option(metavar="RUN", help="Run of jet-energy whose network is applied.")] = None,
    trial: Annotated[int, typer.Option(metavar="TRIAL", min=0, help="Trial of that run.")] = 0,
    pictures: Annotated[Path | None, typer.Option("-o", metavar="FOLDER", help="Draw the plots there (SVG).")] = None,
    as_json: Json = False,
) -> None:
    """Measure the response of jets, tier by tier; apply a correction or a trained network to the offline jets.

    Example: codesign data response nano.root --run runs/hlt-jet-energy --trial 7 -o plots
    """
    from codesign.jets_cli import jet_response

    chosen = None if corrections is None else (corrections, correction)
    rows = jet_response(file, chosen, None if run is None else (run, trial), pictures)
    print_rows(rows, as_json, ("tier", "jets", "response", "resolution"))


@app.command()
def targets(as_json: Json = False) -> None:
    """List the FPGA targets that are shipped, and what the tools that are here reach for each.

    Example: codesign targets
    """
    from codesign.hardware.reach import reach
    from codesign.resources import available
    from codesign.targets import load_target

    found = [load_target(name) for name in available("targets")]
    rows = [{**target.model_dump(mode="json"), "reached": reach(target)} for target in found]
    print_rows(rows, as_json, ("name", "part", "clock_mhz", "description", "reached"))


@app.command()
def studies(as_json: Json = False) -> None:
    """List the studies that are shipped.

    Example: codesign studies
    """
    from codesign.resources import available
    from codesign.study import load_study

    rows = [load_study(name).model_dump(mode="json") for name in available("search")]
    print_rows(rows, as_json, ("name", "task", "family", "target", "description"))


@app.command()
def doctor(
    install: Annotated[
        str | None, typer.Option(metavar="TOOL", help="Set up a tool that has an environment of its own: finn.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which tools are here, what each enables, and how to get the missing ones.

    Example: codesign doctor --install finn
    """
    from codesign.doctor import diagnose
    from codesign.doctor import install as set_up

    if install is not None:
        place = set_up(install)
        print_json({"installed": place}) if as_json else typer.echo(f"{install} is set up in {place}")
        return
    print_facts(diagnose(), as_json)


@app.command()
def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A record of a run or a bundle, e.g. front.json.")],
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a record, which is JSON with and without --json.

    Example: codesign schema front.json
    """
    from codesign.schemas import schema as schema_of

    print_json(schema_of(name))


if __name__ == "__main__":
    main()
