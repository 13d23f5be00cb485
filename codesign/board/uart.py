"""Run events on a board through its serial line, as the bitstream of :mod:`codesign.hardware.bitstream` wants them.

Any object with ``write(bytes)`` and ``read(n) -> bytes`` is a port, such as pyserial's::

    with serial.Serial("/dev/ttyUSB0", 1_000_000, timeout=2) as port:
        outputs = SerialBoard(design, port).run(codes)

Codes go in and come out: the integers are those of every other model of the design, and are compared with ``==``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.design import Design
from codesign.errors import InputError, ToolError
from codesign.fixedpoint import Port
from codesign.verify.packing import pack, port_width, unpack

__all__ = ("BAUD", "WINDOW", "ByteStream", "SerialBoard", "decode", "encode", "event_bytes")

#: bits per second of the serial line
BAUD = 1_000_000
#: events that may be on the way between sending and receiving: what the board holds when the host is slow to read
WINDOW = 64


class ByteStream(Protocol):
    """What a port must be able to do; one that also has ``send_break()`` is brought into step before use."""

    def write(self, data: bytes, /) -> object:
        """Send bytes."""

    def read(self, size: int, /) -> bytes:
        """Receive up to ``size`` bytes; fewer, or none, when the port's time is over."""


def event_bytes(port: Port) -> int:
    """Bytes that an event of this port takes on the line."""
    return -(-port_width(port) // 8)


def encode(port: Port, codes: NDArray[np.int64]) -> bytes:
    """Codes (events, port.size) as they go over the line: whole bytes per event, the lowest first."""
    size = event_bytes(port)
    return b"".join(int(word, 16).to_bytes(size, "little") for word in pack(port, codes))


def decode(port: Port, data: bytes) -> NDArray[np.int64]:
    """Bytes from the line to codes (events, port.size); InputError where they are not whole events."""
    size, width = event_bytes(port), port_width(port)
    if len(data) % size:
        raise InputError(f"port '{port.name}': {len(data)} bytes are not whole events of {size} bytes")
    values = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    if any(value >> width for value in values):
        raise InputError(f"port '{port.name}': a bit above its {width} is set; the line is out of step or disturbed")
    return unpack(port, [f"{value:x}" for value in values])


class SerialBoard:
    """A design's firmware behind a serial port."""

    def __init__(self, design: Design, port: ByteStream, window: int = WINDOW) -> None:
        if not 1 <= window <= WINDOW:
            raise InputError(f"window of {window} events: the board holds 1 to {WINDOW}")
        self.design, self.port, self.window = design, port, window

    def run(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Output codes (events, m) of input codes (events, n), from the chip.

        ToolError where the board answers too little before the port's time is over.
        """
        start = getattr(self.port, "send_break", None)
        if start is not None:
            start()
        parts = [self._window(codes[i : i + self.window]) for i in range(0, len(codes), self.window)]
        return np.concatenate(parts) if parts else np.zeros((0, self.design.outputs.size), dtype=np.int64)

    def _window(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        self.port.write(encode(self.design.inputs, codes))
        wanted = len(codes) * event_bytes(self.design.outputs)
        answer = b""
        while len(answer) < wanted:
            more = self.port.read(wanted - len(answer))
            if not more:
                raise ToolError(
                    f"board: {len(answer)} of {wanted} bytes came back for {len(codes)} events; is it the bitstream of "
                    f"this design ({self.design.hash[:12]}), and the line at its speed?"
                )
            answer += more
        return decode(self.design.outputs, answer)
