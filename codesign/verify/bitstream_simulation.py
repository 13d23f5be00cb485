"""The board top in simulation, as a serial port: what is written to it goes over the simulated line."""

from __future__ import annotations

import json
from pathlib import Path

from codesign.core import resources
from codesign.core.errors import ToolError
from codesign.core.process import last_words, run_tool
from codesign.rtl.firmware import Firmware
from codesign.rtl.uart import event_bytes
from codesign.tools import verilator
from codesign.tools.bitstream import board_top

__all__ = ("SimulatedPort",)

_TOP = "board_harness"


class SimulatedPort:
    """A port for :class:`codesign.rtl.uart.SerialBoard` behind which the board top of ``firmware`` is simulated.

    The first :meth:`read` after writing simulates the board from its start, until it has nothing more to send; what set
    its threshold before is sent to it again first. The line is fast, at eight clocks per bit, to save time. ``overrun``
    tells whether the board lost an event. ``threshold`` is the board's after a reset, as in
    :func:`codesign.tools.bitstream.board_top`.
    """

    def __init__(self, firmware: Firmware, work: Path, timeout: float = 3600, threshold: int | None = None) -> None:
        self.work, self.timeout, self.overrun = work.resolve(), timeout, False
        self._symbols: list[int | str] = []
        self._answer = b""
        port = firmware.design.threshold
        self._setting: list[int | str] = []
        self._setting_bytes = None if port is None else event_bytes(port)
        self._divisor = 8
        top = board_top(
            firmware, self.work, baud=round(firmware.target.clock_mhz * 1e6 / self._divisor), threshold=threshold
        )
        simulations = resources.folder("sim").resolve()
        models = [simulations / f"{_TOP}.sv", simulations / "ehxplll.sv"]
        ports = {f"BOARD_{str(firmware.target.board).replace('-', '_').upper()}": "1"}
        self._program = verilator.build([*models, *top.sources], _TOP, ports, self.work)

    def write(self, data: bytes, /) -> int:
        """Queue bytes for the board."""
        self._symbols += list(data)
        return len(data)

    def send_break(self) -> None:
        """Queue a break: the line stays low for more than a frame."""
        self._symbols.append("break")

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes from the board; none if it has no more to send."""
        if self._symbols:
            self._answer += self._simulate()
        data, self._answer = self._answer[:size], self._answer[size:]
        return data

    def _simulate(self) -> bytes:
        answer = self.work / "answer.json"
        answer.unlink(missing_ok=True)
        plan = {"divisor": self._divisor, "symbols": self._setting + self._symbols}
        (self.work / "serial.json").write_text(json.dumps(plan), encoding="utf-8")
        bench = resources.folder("sim").resolve() / "axi_board_bench.py"
        environment = verilator.simulate_environment(bench, _TOP, self.work / "results.xml")
        environment["CODESIGN_STREAM"] = str(self.work)
        arguments: list[str | Path] = [self._program, "+verilator+rand+reset+2", "+verilator+seed+1"]
        log = self.work / "simulation.log"
        done = run_tool(arguments, self.work, self.timeout, environment, log, name="simulation")
        if not answer.is_file():
            raise ToolError(f"simulation: the bench gave no response; {last_words(done.output)}")
        data = json.loads(answer.read_text(encoding="utf-8"))
        if data["broken"]:
            raise ToolError(f"simulation: {data['broken']} frames from the board have a wrong stop bit")
        self._setting = self._set_last()
        self._symbols, self.overrun = [], bool(data["led"] & 2)
        return bytes(data["bytes"])

    def _set_last(self) -> list[int | str]:
        """What set the threshold last of all that was sent, a break first."""
        size = self._setting_bytes
        if size is None:
            return []
        for i in reversed(range(len(self._symbols))):
            if self._symbols[i : i + 2] == ["break", 1] and len(self._symbols) >= i + 2 + size:
                return self._symbols[i : i + 2 + size]
        return self._setting
