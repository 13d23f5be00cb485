"""Whether a manifest says of its design what the design itself says: its hash, its ports, and its trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codesign.core.errors import InputError
from codesign.core.printing import visible
from codesign.handoff.interface import input_blocks, input_signals, output_signals, trigger_of
from codesign.handoff.received import ReceivedBundle
from codesign.handoff.statement import Finding, Statement, checked, wrong

__all__ = ("interface", "require_agreement")


def require_agreement(received: ReceivedBundle) -> None:
    """InputError names the first thing that the manifest says otherwise than the design."""
    for statement in interface(received):
        if statement.outcome is Finding.WRONG:
            raise InputError(f"{received.folder}: {statement.name}: {statement.detail}; see 'codesign check'")


def interface(received: ReceivedBundle) -> Iterator[Statement]:
    """What the manifest says of the design: its hash, and every bit of its ports."""
    m, design = received.manifest, received.design
    if m.design != design.hash:
        yield wrong("design", f"the manifest's hash is {m.design[:12]}..., that of the design {design.hash[:12]}...")
    elif (received.folder / "design.json").read_bytes() != design.interface_json().encode():
        yield wrong("design", "design.json holds more or other than the design")
    else:
        yield checked("design", f"hash of model.onnx and design.json: {design.hash[:12]}...")
    for name, given, expected in (
        ("inputs", m.inputs, input_signals(design)),
        ("outputs", m.outputs, output_signals(design)),
    ):
        yield _signals(name, given, expected)
    if m.blocks != input_blocks(design):
        yield wrong("blocks", "are not those of the design's inputs")
    if m.trigger != trigger_of(design, m.working_points.get("threshold")):
        yield wrong("trigger", "is not what the design and its working point give")
    elif m.trigger is not None:
        yield checked("trigger", f"{visible(m.trigger.output)}, at the code of its threshold")


def _signals(name: str, given: list[Any], expected: list[Any]) -> Statement:
    if len(given) != len(expected):
        return wrong(name, f"{len(given)}, the design has {len(expected)}")
    for one, other in zip(given, expected, strict=True):
        for field in type(other).model_fields:
            if getattr(one, field) != getattr(other, field):
                said, true = visible(str(getattr(one, field))), visible(str(getattr(other, field)))
                return wrong(name, f"'{visible(other.name)}': {field} is {said}, the design's is {true}")
    return checked(name, f"{len(given)}: names, types, bits" + (", units and scales" if name == "inputs" else ""))
