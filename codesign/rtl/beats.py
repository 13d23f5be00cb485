"""Beats: what of an event is at the input of folded firmware in each of the clocks in which it comes.

In every beat ``model_inp`` holds, from bit 0 upwards, the blocks in their order: of a block of items the next
``items`` of them, each with its fields in order; of a block without items all of it, which is read in the first beat
alone. The last beat's slots without an item hold anything. This is what a wrapper around links has to bring about:
raise ``first`` with the first beat, give the others in the clocks behind it, and the next event ``interval`` clocks
after, or later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import Block, FixedPoint, Port
from codesign.rtl.bits import element, offsets_of
from codesign.rtl.packing import pack
from codesign.rtl.transport import Beats

__all__ = ("beat_bits", "beat_codes", "beat_port", "beat_words")

Codes = NDArray[np.int64]


def _of_item(block: Block) -> tuple[FixedPoint, ...] | None:
    """Types of the elements of one item; None of a block without items."""
    return block.types * (block.items // block.shape[0]) if len(block.shape) > 1 else None


def beat_port(port: Port, items: int) -> Port:
    """What is at ``model_inp`` in a beat of so many items."""
    kinds: list[FixedPoint] = []
    labels: list[str] = []
    for block in port.blocks:
        each = _of_item(block)
        own = each * items if each is not None else block.types * block.items
        kinds += own
        labels += [f"{block.name}_{i}" for i in range(len(own))]
    return Port(name="beat", types=tuple(kinds), labels=tuple(labels))


def beat_codes(port: Port, way: Beats, codes: Codes, rng: np.random.Generator) -> Codes:
    """Codes (events, beats, n) of the beats of events (events, m); what is not read is drawn from ``rng``."""
    beats: list[list[Codes]] = [[] for _ in range(way.beats)]
    for block, place in port.places:
        own, each = codes[:, place], _of_item(block)
        if each is None:
            noise = _random(block.types * block.items, own.shape, rng)
            for beat in range(way.beats):
                beats[beat].append(noise if beat else own)
            continue
        number = block.shape[0]
        rows = own.reshape(len(codes), number, len(each))
        slots = _random(each, (len(codes), max(0, way.items * way.beats - number), len(each)), rng)
        rows = np.concatenate([rows, slots], axis=1)
        for beat in range(way.beats):
            beats[beat].append(rows[:, beat * way.items : (beat + 1) * way.items].reshape(len(codes), -1))
    return np.stack([np.concatenate(parts, axis=1) for parts in beats], axis=1)


def beat_words(port: Port, way: Beats, codes: Codes, rng: np.random.Generator) -> list[str]:
    """Hexadecimal words of every beat, one event after another."""
    found = beat_codes(port, way, codes, rng)
    return pack(beat_port(port, way.items), found.reshape(len(codes) * way.beats, -1))


def beat_bits(port: Port, way: Beats, vector: str) -> list[list[str]]:
    """Verilog of every beat, its parts lowest first, of a ``vector`` that holds a whole event; open slots are 0."""
    places = offsets_of(port.types)
    beats: list[list[str]] = [[] for _ in range(way.beats)]
    for block, place in port.places:
        low, each = places[place.start] if block.size else 0, _of_item(block)
        if each is None:
            own = element(vector, low, sum(t.width for t in block.types * block.items))
            for parts in beats:
                parts.append(own)
            continue
        one = sum(t.width for t in each)
        for beat, parts in enumerate(beats):
            there = max(0, min(way.items, block.shape[0] - beat * way.items))
            open_ = (way.items - there) * one
            parts.append(element(vector, low + beat * way.items * one, there * one))
            parts.append(f"{open_}'b0" if open_ else "")
    return beats


def _random(kinds: tuple[FixedPoint, ...], shape: tuple[int, ...], rng: np.random.Generator) -> Codes:
    low, high = (np.array([getattr(k, end) for k in kinds], dtype=np.int64) for end in ("minimum", "maximum"))
    return rng.integers(low, high + 1, shape)
