"""What a bundle has for a destination: written again from the firmware that was compiled here, compared, simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from codesign.core.errors import CodesignError
from codesign.core.printing import visible
from codesign.handoff.received import Codes, ReceivedBundle, in_one_line
from codesign.handoff.remade import Maker, same_files
from codesign.handoff.statement import Finding, Statement, checked, not_checked, wrong
from codesign.handoff.wrappers.destination import DESTINATIONS, Golden, simulate_destination, write_destination
from codesign.rtl.firmware import Firmware

__all__ = ("destination_statements", "destination_unmade")


def destination_statements(
    received: ReceivedBundle,
    maker: Maker,
    scratch: Path,
    firmware: Firmware,
    golden: tuple[Codes, Codes],
    rtl: bool,
) -> Iterator[Statement]:
    """Of the destination that a bundle names, if any; ``rtl``: its benches are simulated too."""
    name, trigger = received.manifest.destination, received.manifest.trigger
    if name is None:
        yield checked("destination", "the bundle names none")
        return
    if name not in DESTINATIONS:
        yield not_checked("destination", f"'{visible(name)}' is none that this codesign knows")
        return
    own = Golden(*golden, None if trigger is None else trigger.threshold_code)
    try:
        written = in_one_line(
            f"{name}/ cannot be made here", lambda: write_destination(name, firmware, own, scratch / name)
        )
    except CodesignError as error:
        yield not_checked("destination", str(error))
        return
    yield checked("destination", f"{name}: the firmware fits it")
    same = same_files(received, maker, scratch, f"{name}/")
    yield same
    if not rtl:
        return
    if same.outcome is not Finding.CHECKED:
        yield not_checked(f"{name}/, run", "it is not the one made here, and is not simulated")
        return
    try:
        events, difference = simulate_destination(written, scratch / name, scratch / "pins")
    except CodesignError as error:
        yield not_checked(f"{name}/, run", str(error))
        return
    simulator = "GHDL" if written.network.vhdl else "Verilator, as GHDL translates the VHDL"
    if difference is None:
        said = ", ".join(bench.name for bench in written.benches)
        yield checked(f"{name}/, run", f"in {simulator}, every word of: {said}", events)
    else:
        yield wrong(f"{name}/, run", difference)


def destination_unmade(received: ReceivedBundle, why: str) -> Iterator[Statement]:
    """Of a bundle whose firmware is not made here."""
    if received.manifest.destination is None:
        yield checked("destination", "the bundle names none")
    else:
        yield not_checked("destination", why)
