"""Run events on a board through its serial line, as the bitstream of :mod:`codesign.tools.bitstream` wants them.

Any object with ``write(bytes)`` and ``read(n) -> bytes`` is a port, such as pyserial's::

    with serial.Serial("/dev/ttyUSB0", 1_000_000, timeout=2) as port:
        outputs = SerialBoard(design, port).run(codes)

Codes go in and come out: the integers are those of every other model of the design, and are compared with ``==``.

The line: 8 data bits, no parity, one stop bit. An event is its input word in whole bytes, the lowest first, its result
the output word likewise; nothing frames them. A break forgets all that is under way, and so brings host and board into
step. A design that triggers has its trigger bit in the result, above the outputs, and takes after every break one byte
more: 0 keeps the threshold, 1 is followed by a new one, its code in whole bytes, the lowest first. Events follow. Until
a host sets one, the threshold is what the bitstream was made with::

    scores_and_bits = SerialBoard(design, port).run(codes, threshold=design.threshold_code(12.5))
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.fixedpoint import Port
from codesign.rtl.packing import observed_port, pack, port_width, unpack

__all__ = ("BAUD", "WINDOW", "ByteStream", "SerialBoard", "decode", "encode", "event_bytes")

#: bits per second of the serial line
BAUD = 1_000_000
#: events that may be on the way between sending and receiving: what the board holds when the host is slow to read
WINDOW = 64


#: bytes after a break, for a design that triggers
_KEEP, _SET = b"\0", b"\1"


class ByteStream(Protocol):
    """What a port must be able to do; one that also has ``send_break()`` is brought into step before use.

    Without it no threshold can be set.
    """

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

    def run(self, codes: NDArray[np.int64], threshold: int | None = None) -> NDArray[np.int64]:
        """Output codes (events, m) of input codes (events, n), from the chip.

        Of a design that triggers there is one more column, the trigger bit: whether the output that is compared reached
        ``threshold``, a code of its type. None keeps the threshold that the board has.

        ToolError where the board answers too little before the port's time is over. InputError where the design or the
        port cannot have a threshold set, or it lies outside its type's range.
        """
        setting = b"" if self.design.threshold is None else _KEEP
        start = getattr(self.port, "send_break", None)
        if threshold is not None:
            if self.design.threshold is None:
                raise InputError("this design triggers on nothing: it has no threshold")
            if start is None:
                raise InputError("a threshold is set after a break, and this port has no send_break()")
            setting = _SET + encode(self.design.threshold, np.array([[threshold]], dtype=np.int64))
        if start is not None:
            start()
            if setting:
                self.port.write(setting)
        parts = [self._window(codes[i : i + self.window]) for i in range(0, len(codes), self.window)]
        return np.concatenate(parts) if parts else np.zeros((0, self._results.size), dtype=np.int64)

    @property
    def _results(self) -> Port:
        return observed_port(self.design)

    def _window(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        self.port.write(encode(self.design.inputs, codes))
        wanted = len(codes) * event_bytes(self._results)
        answer = b""
        while len(answer) < wanted:
            more = self.port.read(wanted - len(answer))
            if not more:
                raise ToolError(
                    f"board: {len(answer)} of {wanted} bytes came back for {len(codes)} events; is it the bitstream of "
                    f"this design ({self.design.hash[:12]}), and the line at its speed?"
                )
            answer += more
        return decode(self._results, answer)
