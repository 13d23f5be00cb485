"""Where integers of an HLS project differ from a reference's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.rtl.firmware import Firmware

__all__ = ("first_difference",)

Codes: TypeAlias = NDArray[np.int64]


def first_difference(firmware: Firmware, own: Codes, references: Mapping[str, Codes], what: str) -> str | None:
    """Where ``own`` output codes differ from a reference's, in words; None where they are equal."""
    for name, reference in references.items():
        wrong = np.argwhere(own != reference)
        if len(wrong):
            event, i = wrong[0]
            return (
                f"event {event}, output '{firmware.design.outputs.labels[i]}': {what} {own[event, i]}, {name} "
                f"{reference[event, i]} ({len(np.unique(wrong[:, 0]))} of {len(own)} events differ)"
            )
    return None
