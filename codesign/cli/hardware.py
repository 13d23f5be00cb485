"""Commands on the hardware of one trial, or of a front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from codesign.cli.arguments import Json, Run, Trial
from codesign.errors import CodesignError, InputError
from codesign.printing import print_json, print_rows, print_verdict, say, stage_line

__all__ = ("bitstream", "flows", "synth", "verify")


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
    print_json(made) if as_json else say(made)
