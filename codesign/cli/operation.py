"""The command ``codesign stream``."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json, in_standing_folder
from codesign.core.errors import InputError
from codesign.core.printing import print_json, print_rows, say

__all__ = ("stream",)

_UNITS = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "s": 1.0, "ms": 1e-3, "min": 60.0}


def stream(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: its folder, or its .zip.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENTS...]", help="Distinct events; or --simulate.")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulated zero bias instead of files; else the golden vectors.")
    ] = False,
    events: Annotated[int, typer.Option(min=100, metavar="N", help="Events to simulate, kept in the cache.")] = 2000,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", callback=in_standing_folder, help="Record and page.")
    ] = Path("stream"),
    rate: Annotated[str, typer.Option(metavar="RATE", help="Crossings a second, such as 40MHz.")] = "40MHz",
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="Simulated time, such as 60s.")] = "1s",
    menu: Annotated[
        str | None, typer.Option(metavar="FILE", help="Paths: name, output, threshold_code, prescale.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--rate-budget", metavar="RATE", help="Set the first path's threshold for this rate.")
    ] = None,
    rtl: Annotated[int, typer.Option(min=0, metavar="N", help="Simulate the Verilog with N of the events.")] = 0,
    keep: Annotated[int, typer.Option(min=0, metavar="N", help="Accepted events to write at most.")] = 100_000,
    plant: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Change the emulator's threshold or weight: see the alarm.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Compute every single collision, not each distinct event once a second.")
    ] = False,
    pile_up: Annotated[
        str | None, typer.Option(metavar="A:B", help="Mean pile-up at the begin and end of the fill, such as 62:28.")
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Events to see drift against; else the bundle's own.")
    ] = None,
    live: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="A page and /metrics on this machine; 0: any.")
    ] = None,
    paced: Annotated[bool, typer.Option("--paced", help="Take at least a second for a simulated second.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 1,
    as_json: Json = False,
) -> None:
    """Run a bundle at the pace of the machine: rates, dead time, drift; an alarm where firmware and emulator differ.

    Ends with 1 where there is an alarm.

    Example: codesign stream l1-anomaly-17.zip zero_bias.root --for 60s --rate-budget 1kHz --rtl 256
    """
    from codesign.handoff.archive import open_bundle
    from codesign.handoff.stream import StreamSettings, stream_bundle
    from codesign.handoff.stream.live_server import LiveServer
    from codesign.search.progress import Shown, make_progress

    if bool(files) == simulate:
        raise InputError("give either files of events, or --simulate")
    asked = StreamSettings(
        files=tuple(files or ()), rate_hz=quantity(rate, "hz"), seconds=quantity(duration, "s"), menu=menu,
        budget_hz=None if budget is None else quantity(budget, "hz"), rtl=rtl, keep=keep, plant=plant, seed=seed,
        events=events, every=every, pile_up=None if pile_up is None else pile_up_of(pile_up),
        reference=tuple(reference or ()), paced=paced,
    )  # fmt: skip
    with ExitStack() as stack:
        folder, progress = stack.enter_context(open_bundle(bundle)), stack.enter_context(make_progress())
        server = None if live is None else stack.enter_context(LiveServer(live))
        if server is not None:
            say(f"live: {server.address}", error=True)
        record = stream_bundle(
            folder, asked, output, lambda text: progress.show(Shown(text)), None if server is None else server.show
        )
    if as_json:
        print_json(record)
    else:
        print_rows([p.model_dump() for p in record.paths], False, ("name", "fires", "error", "prescaled", "accepted"))
        for c in record.compared:
            say(f"{c.how}: {c.events} events, {c.integers_differ} with other integers, {c.bits_differ} with other bits")
        pace = f"{record.times_real_time:.3g} times real time, {record.emulated_per_s:,.0f} events a second computed"
        say(f"{pace}; {output / 'index.html'}")
        for alarm in record.alarms:
            say(f"ALARM, {alarm.kind}: {alarm.said}", error=True)
    if record.alarms:
        raise typer.Exit(1)


def pile_up_of(text: str) -> tuple[float, float]:
    """``62:28``: the mean number of collisions at the begin and the end; InputError for what is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?::([0-9]+(?:\.[0-9]+)?))?", text.strip())
    if found is None:
        raise InputError(f"'{text}' is no pile-up: give one as 62:28, or 62")
    return float(found[1]), float(found[2] or found[1])


def quantity(text: str, unit: str) -> float:
    """A number with a unit: ``40MHz`` in Hz, ``60s`` in seconds; InputError for what is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?)\s*([A-Za-z]*)", text.strip())
    known = [u for u in _UNITS if u.endswith("hz") or not u] if unit == "hz" else ["", "s", "ms", "min"]
    if found is None or found[2].lower() not in known:
        raise InputError(
            f"'{text}' is no {'rate' if unit == 'hz' else 'time'}: give one as {'40MHz' if unit == 'hz' else '60s'}"
        )
    return float(found[1]) * _UNITS[found[2].lower()]
