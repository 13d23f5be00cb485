"""Compile the firmware of a received design again, so that the firmware which came can be compared with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesign.core import plugins, resources
from codesign.core.errors import UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.printing import visible
from codesign.core.targets import Target, load_target
from codesign.flows.base import Flow
from codesign.flows.settings import flow_settings
from codesign.handoff.interface import components_of
from codesign.handoff.received import Codes, ReceivedBundle
from codesign.handoff.remade import Maker
from codesign.handoff.statement import Statement, checked, not_checked, wrong
from codesign.rtl.firmware import Firmware

__all__ = (
    "FIRMWARE",
    "compiled_figures",
    "firmware_facts",
    "other_passes",
    "recompile",
    "target_statement",
)

#: statements that need the firmware compiled again
FIRMWARE = ("firmware/", "interface", "figures, compiled", "components", "axi/", "testbench/", "vivado/")


def _target(received: ReceivedBundle) -> Target:
    """The target that a manifest names: all of it, where it is there, else the shipped one of that name.

    UnsupportedError where there is neither, or its part or clock are others than the manifest says.
    """
    facts = received.manifest.target
    target = facts.whole or _ship(facts.name)
    if target is None:
        raise UnsupportedError(f"the target '{visible(facts.name)}' is not shipped with this codesign")
    if (target.name, target.part, target.clock_mhz) != (facts.name, facts.part, facts.clock_mhz):
        raise UnsupportedError(f"the target '{visible(facts.name)}' has another name, part or clock in its own file")
    return target


def target_statement(received: ReceivedBundle) -> Statement:
    """Whether the target is the one of this name that codesign brings along."""
    facts = received.manifest.target
    own = f"{visible(facts.part)} at {facts.clock_mhz:g} MHz"
    try:
        target = _target(received)
    except UnsupportedError as error:
        return not_checked("target", str(error)) if facts.whole is None else wrong("target", str(error))
    if target == _ship(facts.name):
        return checked("target", f"{facts.name}, as shipped with codesign: {own}")
    return not_checked("target", f"the maker's own, not one that codesign brings along: {own}")


def _ship(name: str) -> Target | None:
    """The target of this name in codesign; a path leads nowhere."""
    if name not in resources.available("targets"):
        return None
    return load_target(str(resources.folder("targets") / f"{name}.yaml"))


def recompile(received: ReceivedBundle, folder: Path, probe: Codes) -> Firmware:
    """Compile a received design into ``folder``, on the events ``probe`` (events, n).

    UnsupportedError where the flow is not here, or one whose firmware is not the same text everywhere.
    """
    name = received.manifest.flow
    if name not in plugins.names(Flow):
        raise UnsupportedError(f"the flow '{visible(name)}' is not installed here")
    flow = plugins.load(Flow, name)
    if not flow.storable:
        raise UnsupportedError(f"the flow {name} does not write the same files everywhere")
    if not (state := flow.available()).available:
        raise UnsupportedError(state.reason)
    settings = flow_settings(flow, received.manifest.config)
    firmware: Firmware = flow.compile(received.design, _target(received), folder, settings, probe=probe)
    return firmware


def other_passes(received: ReceivedBundle, firmware: Firmware) -> str:
    """What its maker's compiler had to leave out on events that are not in the bundle, and was not left out here.

    Nothing where the compiler took the same way.
    """
    left_out = [note for note in received.manifest.notes if note.startswith("left out ") and note not in firmware.notes]
    return f"its maker {', '.join(visible(note) for note in left_out)}" if left_out else ""


def firmware_facts(received: ReceivedBundle, firmware: Firmware, maker: Maker) -> Iterator[Statement]:
    """What the manifest says of firmware that is equal to ``firmware``: ports, latency, and whose modules it has."""
    manifest, rtl = received.manifest, firmware.rtl
    facts: dict[str, Any] = {
        "top": rtl.top if rtl else None,
        "protocol": rtl.protocol if rtl else None,
        "sources": [f"firmware/{p.as_posix()}" for p in (rtl.sources if rtl else ())],
    }
    if rtl is None or rtl.latency_cycles is not None:
        facts["latency_cycles"] = rtl.latency_cycles if rtl else None
    differing = [name for name, value in facts.items() if getattr(manifest, name) != value]
    if differing:
        said = ", ".join(f"{n} is {_words(getattr(manifest, n))}, the firmware's {_words(facts[n])}" for n in differing)
        yield wrong("interface", said)
    else:
        yield checked("interface", f"{', '.join(facts)}: as compiled")
    if "latency_cycles" not in facts:
        yield not_checked("latency_cycles", "is not fixed by construction: the word of the maker")
    own = components_of(manifest.flow, firmware.folder, manifest.cmssw is not None, manifest.destination)
    if manifest.components == own:
        yield checked("components", "modules of others, and their licences")
    else:
        yield maker.differs("components", "others than the firmware has here")


def compiled_figures(received: ReceivedBundle, firmware: Firmware, maker: Maker) -> Statement:
    """Compare the figures of fidelity compiled with those that the flow gives of equal firmware."""
    name = "figures, compiled"
    flow = plugins.load(Flow, received.manifest.flow)
    expected = {f.quantity: f.model_copy(update={"settings": dict(firmware.settings)}) for f in flow.figures(firmware)}
    given = [f for f in received.manifest.figures if f.fidelity is Fidelity.COMPILED]
    for figure in given:
        if figure != expected.get(figure.quantity):
            return maker.differs(name, _difference(figure, expected.get(figure.quantity)))
    if len(given) != len(expected):
        return maker.differs(name, f"{len(given)}, and the flow gives {len(expected)}")
    return checked(name, f"{', '.join(f.quantity for f in given)}: computed again")


def _difference(given: Figure, expected: Figure | None) -> str:
    said = f"{given.quantity} {given.value:g} ({visible(given.tool)} {visible(given.version)})"
    if expected is None:
        return f"{said}, which the flow does not give"
    if given.value == expected.value:
        return f"{said}, with another unit, settings or expectation than the flow gives"
    return f"{said}; the flow gives {expected.value:g} ({expected.tool} {expected.version})"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} files"
    return "none" if value is None else visible(str(value))
