"""The command that takes models which were trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json, in_standing_folder
from codesign.core.interrupt import keeps
from codesign.core.printing import print_front, print_json, say, stage_line, visible

__all__ = ("import_",)


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Trained models: ONNX, QONNX, and others.")],
    inputs: Annotated[
        str | None,
        typer.Option(metavar="TYPES", help="Types of the inputs: 'fixed<W,I>' for all, or a YAML file with fields."),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="EVENTS", help="Events to compare on, and to judge on if they have labels.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="A target's file or name; by default vu13p-360.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="RUN",
            callback=in_standing_folder,
            help="The run's folder; by default runs/<first file's name>.",
        ),
    ] = None,
    improve: Annotated[
        bool, typer.Option("--improve", help="Make each graph smaller, a step at a time that is exact and saves LUTs.")
    ] = False,
    verilog_only: Annotated[
        bool,
        typer.Option(
            "--verilog-only", help="A Keras file with layers that nothing here reads: alkaid's own trace, checked."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read trained models of others into a run: a trial each, exact and compiled, or refused with all obstacles.

    Their own execution is compared with the design row by row. 'codesign verify', 'synth', 'bitstream', 'handoff' and
    'report' work on the run as on one that was searched.

    Example: codesign import model.onnx --inputs 'fixed<8,3>' --events jets.parquet
    """
    from codesign.core.runfolder import RunFolder
    from codesign.importing.import_report import ImportReport
    from codesign.importing.printed import report_lines
    from codesign.pipeline.imported import TARGET, import_run
    from codesign.study.imported_run import REPORT

    keeps("nothing was imported yet; the same command begins anew")
    if output is None:
        output = Path("runs") / files[0].stem
        output.parent.mkdir(exist_ok=True)
    if verilog_only:
        _trace(files, inputs, target or TARGET, output, as_json)
        return
    front = import_run(files, output, inputs, events, target or TARGET, tick=stage_line, improve=improve)
    run = RunFolder.open(output)
    reports = {t.number: r for t in run.trials() if (r := t.read(REPORT, ImportReport)) is not None}
    if as_json:
        print_json({"run": str(output), "front": front, "reports": reports})
        return
    for number, report in reports.items():
        say("\n".join(visible(line) for line in report_lines(number, report)))
    for trial in run.trials():
        if trial.number not in reports:
            status = trial.read_json("status.json") or {}
            say(f"trial {trial.number}: refused: {status.get('reason')}", error=True)
    print_front(front, output)


def _trace(files: list[Path], inputs: str | None, target: str, output: Path, as_json: bool) -> None:
    from codesign.core.errors import InputError
    from codesign.core.targets import load_target
    from codesign.flows.alkaid.keras_verilog import trace_keras
    from codesign.importing.declared import declared_inputs

    if len(files) != 1:
        raise InputError(f"--verilog-only takes one file, got {len(files)}")
    found = trace_keras(files[0], declared_inputs(inputs), load_target(target), output)
    if as_json:
        print_json(found)
        return
    left_out = "".join(f"; {note}" for note in found.notes)
    say(visible(f"{found.source}: Verilog only, by alkaid's own trace: {output / 'firmware' / 'src'}"))
    say(f"  {found.equal} of {found.tried} rows equal to Keras, random and extreme codes{left_out}")
    say(f"  LUT {found.lut:g} (alkaid's cost), latency {found.latency_cycles} cycles on {found.target}")
    say(f"  inputs {', '.join(found.inputs)}; outputs {', '.join(found.outputs)}")
    say(f"  not to be had: {', '.join(found.lacks)}")
