"""Commands on the hardware of one trial, or of a front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from codesign.cli.arguments import Json, Run, Trial, in_standing_folder
from codesign.core.errors import CodesignError, InputError
from codesign.core.interrupt import keeps
from codesign.core.printing import print_json, print_rows, print_verdict, say, stage_line

__all__ = ("bitstream", "flows", "synth", "verify")


def verify(
    folder: Run,
    trial: Trial,
    again: Annotated[bool, typer.Option("--again", help="Make its firmware anew and simulate it.")] = False,
    waves: Annotated[bool, typer.Option("--waves", help="Simulate again and keep the waveforms (VCD).")] = False,
    fst: Annotated[bool, typer.Option("--fst", help="Keep them as FST, smaller; the report draws only VCD.")] = False,
    gates: Annotated[bool, typer.Option("--gates", help="Simulate the netlist that Yosys makes of the RTL.")] = False,
    target: Annotated[
        str | None, typer.Option(help="With --gates: a target's file or name; by default the study's.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            callback=in_standing_folder,
            help="Simulate again, and write verdict, waveforms and logs there: for a run that may only be read.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a trial's RTL and compare every integer with the trained network's.

    Where a flow has no RTL without the vendor's tools, its own simulation is compared, and the verdict says so.

    Example: codesign verify runs/jet-tagger 17
    """
    from codesign.core.runfolder import RunFolder
    from codesign.pipeline.gate_check import verify_gates
    from codesign.pipeline.trial_proof import prove_trial

    if target is not None and not gates:
        raise InputError("--target is for --gates: without it the trial's own firmware is simulated")
    keeps("what was measured before is kept, and the same command simulates again")
    run = RunFolder.open(folder)
    form: Literal["vcd", "fst"] | None = "fst" if fst else "vcd" if waves else None
    verdict = verify_gates(run, trial, target, output) if gates else prove_trial(run, trial, again, form, output)
    if as_json:
        print_json(verdict)
    elif verdict.exact:
        print_verdict(trial, verdict, sorted(((output or run.trial(trial).path) / "simulation").glob("dump.*")))
    if not verdict.exact:
        raise CodesignError(f"trial {trial} is not exact: {verdict.first_difference or 'outputs differ'}")


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
    from codesign.core.runfolder import RunFolder
    from codesign.pipeline.board import close_timing_of_trial
    from codesign.pipeline.trial import synthesise_trial

    keeps("figures that were measured are kept, and the same command measures the others")
    if close_timing:
        closure = close_timing_of_trial(RunFolder.open(folder), trial, target)
        say(closure, error=True)
        figures = closure.figures
    else:
        figures = synthesise_trial(RunFolder.open(folder), trial, target)
    rows = [f.model_dump(mode="json") for f in figures]
    print_rows(rows, as_json, ("quantity", "value", "unit", "fidelity", "tool", "version"))


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
    from codesign.core.runfolder import RunFolder
    from codesign.pipeline.flow_comparison import compare_flows, flow_rows

    run = RunFolder.open(folder)
    keeps(f"what was compared is in {folder}, and the same command goes on from there")
    found = compare_flows(run, trials or (), quick, stage_line, target, again)
    if as_json:
        print_json(found)
    else:
        rows = flow_rows(found)
        print_rows(rows, False, rows[0])
    wrong = [r for r in found.results if r.equal is False or (r.verified is not None and not r.verified.exact)]
    if wrong:
        raise CodesignError(f"not exact: {', '.join(f'trial {r.trial} with {r.flow}' for r in wrong)}")


def bitstream(
    folder: Run,
    trial: Trial,
    target: Annotated[str, typer.Option(help="A board: a target's file or name, such as ulx3s-85f.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", callback=in_standing_folder, help="Copy the bitstream here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Place and route a trial for a board, write its bitstream, and simulate the board through its serial line.

    Where the clock is missed the pipeline is deepened, up to four times. The timing report lies beside the bitstream.

    Example: codesign bitstream runs/jet-tagger 17 --target ulx3s-85f -o jets.bit
    """
    from codesign.core.runfolder import RunFolder
    from codesign.pipeline.board import bitstream_of_trial

    run = RunFolder.open(folder)
    made = bitstream_of_trial(run, trial, target, output, stage_line)
    print_json(made) if as_json else say(made)
