"""Commands that search, and show what a search found."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codesign.cli.arguments import Json, Run, in_standing_folder
from codesign.core.errors import InputError
from codesign.core.interrupt import keeps
from codesign.core.printing import print_front, print_json, print_made, print_rows, say, visible

if TYPE_CHECKING:
    from codesign.core.records import Repeats

__all__ = ("compare", "dashboard", "front", "init", "new", "report", "run")


def run(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help="A study's file, the name of a shipped one, or a package's folder with a study.yaml."
        ),
    ],
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
    repeat: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Then train the best designs so many times more, from other seeds."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Make everything anew, and keep nothing.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML report at the end.")] = True,
    as_json: Json = False,
) -> None:
    """Search, prove the front, and report. The same command again goes on where it was.

    Ends with 3 where there is no front, or not all of it is proven, and says why and what would change that.

    Example: codesign run jet-tagger --trials 40 --workers 2
    """
    from codesign.core.local_packages import study_of
    from codesign.core.runfolder import RunFolder
    from codesign.core.store import NO_STORE, Store, default_url
    from codesign.search.ending import EXIT_UNPROVEN, ending
    from codesign.search.engine import run_study
    from codesign.search.progress import make_progress
    from codesign.study.definition import in_its_file, load_study

    kept = NO_STORE if no_cache else store or default_url()
    if kept == store:  # one that is asked for, and not the default, is there to be written
        Store(kept).make()
    study = study_of(study)
    loaded = load_study(study)
    folder = folder or Path("runs") / loaded.name
    cores = len(os.sched_getaffinity(0))
    keeps(f"what was finished is in {folder}, and the same command goes on from there")
    with in_its_file(study):
        front = run_study(
            loaded, folder, trials, workers or cores, make_progress(), storage=storage, store=kept, cluster=cluster
        )
    keeps(f"the search is finished and kept in {folder}; 'codesign report {folder}' writes its report")
    ended = ending(RunFolder(folder), loaded, front)
    if as_json:
        more = {} if ended.whole else {"ending": ended.model_dump(mode="json")}
        print_json(front.model_dump(mode="json") | more)
    else:
        print_front(front, folder)
        if not ended.whole:
            say("\n".join(visible(line) for line in ended.lines()))
    if repeat is not None and front.points:
        from codesign.search.repeats import repeat_best

        again = repeat_best(
            loaded, folder, repeat, workers or cores, make_progress(), storage=storage, store=None if no_cache else kept
        )
        if not as_json:
            print_rows(_spread_rows(again), False, ("trial", "metric", "mean", "by training", "by events"))
    if report:
        from codesign.report import write_report

        say(f"report: {write_report(folder)}", error=as_json)
    if not ended.whole:
        raise typer.Exit(EXIT_UNPROVEN)


def _spread_rows(repeats: Repeats) -> list[dict[str, object]]:
    """Of each design that was trained again: its metrics' spread by training beside that by events."""
    return [
        {
            "trial": design.trial,
            "metric": name,
            "mean": f"{of.mean:.4f}",
            "by training": f"{of.training:.4f}",
            "by events": f"{of.events:.4f}",
        }
        for design in repeats.designs
        for name, of in design.metrics.items()
    ]


def report(
    folder: Run,
    other: Annotated[Path | None, typer.Argument(metavar="[RUN_B]", help="A second run to compare with.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            callback=in_standing_folder,
            help="A file, or a folder; by default reports/<run folder's name>.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the report of another run, or another file, that lies there.")
    ] = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Every plot as PDF instead, for a paper or a talk: into a folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the HTML report of a run, finished or not; of two runs, their comparison.

    With --figures its plots as PDF, by default into reports/<run folder's name>/figures.

    Example: codesign report runs/jet-tagger -o jet-tagger.html
    """
    from codesign.report import write_comparison, write_figures, write_report

    if figures:
        if other is not None:
            raise InputError("--figures draws the plots of one run: give it alone")
        drawn = write_figures(folder, output)
        print_json({"written": [str(path) for path in drawn]}) if as_json else say("\n".join(map(str, drawn)))
        return
    made = write_report(folder, output, force) if other is None else write_comparison(folder, other, output, force)
    print_made(made, as_json)


def compare(
    folder: Run,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=0, help="Trial of it.")],
    other: Annotated[int, typer.Argument(metavar="OTHER", min=0, help="Another trial, of the same run by default.")],
    other_run: Annotated[
        Path | None, typer.Option("--with", metavar="RUN_B", help="The run of the other trial, on the same sample.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two designs on the same test events: difference of every metric, its error, and who is better.

    Example: codesign compare runs/jet-tagger 7 12
    """
    from codesign.core.runfolder import RunFolder
    from codesign.pipeline.trial_comparison import compare_trials
    from codesign.statistics.comparison import reading

    run = RunFolder.open(folder)
    found = compare_trials(run, trial, run if other_run is None else RunFolder.open(other_run), other)
    beside = found.compared[0]
    rows = [
        {"metric": name, **gap.model_dump(mode="json"), "reading": f"{beside.one} {reading(gap)} {beside.other}"}
        for name, gap in beside.metrics.items()
    ]
    systematic = ("systematic",) if any("systematic" in row for row in rows) else ()
    print_rows(rows, as_json, ("metric", "value", "error", *systematic, "better", "reading"))


def front(folder: Run, as_json: Json = False) -> None:
    """Show the front of a run, finished or not: a table and a plot in the terminal, the best design first.

    Example: codesign front runs/jet-tagger
    """
    import shutil

    from codesign.report.terminal import front_lines, front_rows

    rows = front_rows(folder)
    if not rows and not as_json:
        say("the front is empty")
        return
    print_rows(rows, as_json, rows[0] if rows else ())
    if not as_json:
        say("\n".join(front_lines(folder, min(100, shutil.get_terminal_size().columns))))


def dashboard(
    folder: Run,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: one that is free.")] = 8080,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the search, where it was run with one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the live search in a browser, on this machine only (extra 'dashboard').

    Example: codesign dashboard runs/jet-tagger
    """
    from codesign.core.runfolder import RunFolder
    from codesign.search.dashboard import serve

    def say(url: str) -> None:
        if as_json:
            print_json({"url": url}, flush=True)
        else:
            print(f"{url} until interrupted (Ctrl-C)", file=sys.stderr)

    serve(RunFolder.open(folder), port, storage, say)


def init(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Your table or events; FILE:TREE of a ROOT tree.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="STUDY",
            callback=in_standing_folder,
            help="The study to write; by default <file's name>.yaml, here.",
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="A target's file or name; by default the pattern's.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that is learned, where its name does not say so.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a file of yours, and write a commented study for it.

    Example: codesign init jets.parquet -o jets.yaml
    """
    from codesign.study.init import write_study

    print_made(write_study(file, output, target, label), as_json)


def new(
    kind: Annotated[Literal["family", "task", "flow"], typer.Argument(metavar="KIND", help="family, task or flow.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in studies: small letters, digits, hyphens.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            callback=in_standing_folder,
            help="The folder to write; by default NAME, here.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a package for a plug-in of yours: a working example, and the test that holds it to its contract.

    Example: codesign new family my-network
    """
    from codesign.cli.new_plugin import write_plugin

    print_made(write_plugin(kind, name, output), as_json)
