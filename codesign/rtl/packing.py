"""How firmware packs a port: where each element lies, and codes to words and back; words are hexadecimal text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port

__all__ = (
    "bit_range",
    "check_codes",
    "observed_port",
    "offsets",
    "pack",
    "packed_widths",
    "port_width",
    "unpack",
    "with_trigger",
)

_CODE_BITS = 64  # codes travel as int64


def offsets(port: Port) -> list[int]:
    """Lowest bit of each element when a port is packed from bit 0 upwards."""
    lowest = [0]
    for kind in port.types:
        lowest.append(lowest[-1] + kind.width)
    return lowest[:-1]


def bit_range(port: Port, index: int) -> tuple[int, int]:
    """Highest and lowest bit of an element; (-1, 0)-like pairs mean that it takes none."""
    low = offsets(port)[index]
    return low + port.types[index].width - 1, low


def packed_widths(design: Design) -> tuple[int, int]:
    """Bits of the two vectors of :func:`connections`."""
    if design.threshold is None:
        return design.inputs.width, design.outputs.width
    return design.inputs.width + design.threshold.width, design.outputs.width + 1


def port_width(port: Port) -> int:
    """Bits of the packed port; UnsupportedError where there are none, or an element is wider than an int64 holds."""
    for kind, label in zip(port.types, port.labels, strict=True):
        if kind.width + int(not kind.signed) > _CODE_BITS:
            raise UnsupportedError(f"port '{port.name}', element '{label}': {kind} does not fit a 64-bit code")
    if port.width == 0:
        raise UnsupportedError(f"port '{port.name}' has no bits: every element is always 0, there is no hardware")
    return port.width


def observed_port(design: Design) -> Port:
    """The outputs, and behind them the trigger bit of a design that has one."""
    if design.trigger is None:
        return design.outputs
    bit = FixedPoint(signed=False, integer_bits=1, fraction_bits=0)
    return Port(name="observed", types=(*design.outputs.types, bit), labels=(*design.outputs.labels, "trigger bit"))


def with_trigger(design: Design, outputs: NDArray[np.int64], threshold: int) -> NDArray[np.int64]:
    """What a model's output codes (events, m) say of the observed port, at a threshold that is a code."""
    if design.trigger is None:
        return outputs
    return np.concatenate([outputs, design.fires(outputs, threshold)[:, None].astype(np.int64)], axis=1)


def check_codes(port: Port, codes: NDArray[np.int64]) -> None:
    """InputError where codes (events, port.size) have another shape or type, or lie outside their types' range."""
    if codes.ndim != 2 or codes.shape[1] != port.size or codes.dtype != np.int64:
        raise InputError(
            f"port '{port.name}': expected int64 codes of shape (events, {port.size}), got {codes.dtype} {codes.shape}"
        )
    low, high = port.bounds
    wrong = np.argwhere((codes < low) | (codes > high))
    if len(wrong):
        event, i = wrong[0]
        raise InputError(
            f"port '{port.name}': event {event}, '{port.labels[i]}' is {codes[event, i]}, outside {low[i]} .. {high[i]}"
        )


def pack(port: Port, codes: NDArray[np.int64]) -> list[str]:
    """Pack codes (events, port.size) into one hexadecimal word per event, most significant digit first."""
    check_codes(port, codes)
    width = port_width(port)
    padded = -(-width // 8) * 8
    bits = np.zeros((len(codes), padded), dtype=np.uint8)
    start = 0
    for i, kind in enumerate(port.types):
        positions = np.arange(kind.width)
        bits[:, start : start + kind.width] = (codes[:, i, None] >> positions) & 1
        start += kind.width
    rows = np.packbits(bits[:, ::-1], axis=1)
    digits = -(-width // 4)
    return [row.tobytes().hex()[-digits:] for row in rows]


def unpack(port: Port, words: list[str]) -> NDArray[np.int64]:
    """Unpack hexadecimal words, one per event, into codes (events, port.size)."""
    padded = -(-port_width(port) // 8) * 2
    raw = bytes.fromhex("".join(word.rjust(padded, "0") for word in words))
    rows = np.frombuffer(raw, dtype=np.uint8).reshape(len(words), padded // 2)
    bits = np.unpackbits(rows, axis=1)[:, ::-1]
    codes = np.zeros((len(words), port.size), dtype=np.int64)
    start = 0
    for i, kind in enumerate(port.types):
        value = np.zeros(len(words), dtype=np.uint64)
        for position in range(kind.width):
            value |= bits[:, start + position].astype(np.uint64) << np.uint64(position)
        code = value.astype(np.int64)
        if kind.signed and 0 < kind.width < _CODE_BITS:
            code -= (code >> (kind.width - 1) & 1) << kind.width
        codes[:, i] = code
        start += kind.width
    return codes
