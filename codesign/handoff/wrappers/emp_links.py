"""How an event lies on 64-bit links: item by item as folded firmware takes it, or all of it, to be collected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.printing import visible
from codesign.handoff.wrappers.wrapper import Codes
from codesign.rtl.beats import beat_words
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import pack, port_width
from codesign.rtl.transport import Beats

__all__ = ("FRAMES", "LINK_BITS", "EmpLinks", "LinkPart")

LINK_BITS = 64
#: frames of a packet at time multiplexing by 6: six crossings at 360 MHz
FRAMES = 54


@dataclass(frozen=True)
class LinkPart:
    """Bits of ``model_inp`` from ``low`` on, which are the lowest of a link's word; what they hold, in words."""

    link: int
    low: int
    width: int
    meaning: str


@dataclass(frozen=True)
class EmpLinks:
    """``frames`` words of an event on each of ``links`` links; ``beats``: a frame is a beat of the firmware."""

    links: int
    frames: int
    beats: bool
    parts: tuple[LinkPart, ...]

    @classmethod
    def of(cls, firmware: Firmware) -> EmpLinks:
        """InputError where an event does not fit a packet."""
        rtl, port = firmware.rtl, firmware.design.inputs
        if rtl is not None and isinstance(rtl.transport, Beats):
            parts = tuple(_beat_parts(firmware, rtl.transport))
            found = cls(1 + parts[-1].link, rtl.transport.beats, True, parts)
        else:
            words = -(-port_width(port) // LINK_BITS)
            links = -(-words // FRAMES)
            found = cls(links, -(-words // links), False, ())
        if max(found.frames, rtl.initiation_interval if rtl else 1) > FRAMES:
            raise InputError(
                f"emp: an event takes {found.frames} frames and the firmware {rtl.initiation_interval if rtl else 1} "
                f"clocks, a packet has {FRAMES}: compile it with a smaller interval"
            )
        return found

    def words(self, firmware: Firmware, codes: Codes) -> list[list[list[int]]]:
        """Data of each link in each frame for input codes (events, n): [event][frame][link]."""
        way = firmware.rtl.transport if firmware.rtl is not None else None
        if isinstance(way, Beats):
            given = beat_words(firmware.design.inputs, way, codes, np.random.default_rng(0))
            rows = [[int(word, 16) for word in given[i * way.beats : (i + 1) * way.beats]] for i in range(len(codes))]
            return [[self._of_beat(beat) for beat in row] for row in rows]
        mask, found = (1 << LINK_BITS) - 1, []
        for word in (int(text, 16) for text in pack(firmware.design.inputs, codes)):
            pieces = [word >> LINK_BITS * k & mask for k in range(self.frames * self.links)]
            found.append([pieces[f * self.links : (f + 1) * self.links] for f in range(self.frames)])
        return found

    def _of_beat(self, beat: int) -> list[int]:
        links = [0] * self.links
        for part in self.parts:
            links[part.link] |= beat >> part.low & ((1 << part.width) - 1)
        return links


def _beat_parts(firmware: Firmware, transport: Beats) -> Sequence[LinkPart]:
    parts: list[LinkPart] = []
    low = link = 0
    for block in firmware.design.inputs.blocks:
        if len(block.shape) < 2:
            for start in range(0, width := _width(block.types), LINK_BITS):
                own = min(LINK_BITS, width - start)
                parts.append(LinkPart(link, low, own, f"{visible(block.name)}, in the first frame"))
                low, link = low + own, link + 1
            continue
        each = _width(block.types * (block.items // block.shape[0]))
        if each > LINK_BITS:
            raise InputError(f"emp: an item of '{visible(block.name)}' has {each} bits, a link's word has {LINK_BITS}")
        for lane in range(transport.items):
            fields = ", ".join(f"{visible(n)} {t.width}" for n, t in zip(block.fields, block.types, strict=True))
            said = f"{visible(block.name)}, item {transport.items} f + {lane} of frame f: {fields} bits from bit 0 on"
            parts.append(LinkPart(link, low, each, said))
            low, link = low + each, link + 1
    return parts


def _width(types: Sequence[FixedPoint]) -> int:
    return sum(kind.width for kind in types)
