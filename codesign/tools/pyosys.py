"""Yosys in this process: commands as lists of words, and files by plain names in their own folder.

Yosys splits a command's text at spaces, semicolons and line ends, runs what follows a ``!``, and takes names with
quotes, stars, ``+/`` or ``~/`` for others. Here no text is split, and a file is named by its last part alone, from its
folder: whatever the folders above are called, Yosys does not see it. Passes run in the folder of the file read last, or
where :meth:`Yosys.at` says.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from codesign.core import quoting

__all__ = ("Yosys",)


class Yosys:
    """One design in Yosys. It changes the working directory of this process, which should be its own."""

    def __init__(self) -> None:
        from pyosys import libyosys

        self._library = libyosys
        self._design: Any = libyosys.Design()

    @property
    def version(self) -> str:
        """Yosys' release, such as ``0.70``."""
        return str(self._library.yosys_maybe_version().split()[1])

    def run(self, *words: str) -> None:
        """Run one pass with its arguments."""
        self._library.Pass.call(self._design, list(words))

    def at(self, path: Path) -> str:
        """The plain name of a file, as passes are told it from now on: its folder becomes the working directory."""
        name = quoting.plain(path.name, "file that Yosys can read")
        os.chdir(path.absolute().parent)
        return name

    def read(self, source: Path) -> None:
        """Read Verilog or SystemVerilog, or RTLIL where the name ends in ``.il``."""
        command = ["read_rtlil"] if source.suffix == ".il" else ["read_verilog", "-sv"]
        self.run(*command, self.at(source))

    def cells(self, scratch: Path) -> dict[str, int]:
        """Number of cells of each type in the whole design; ``scratch`` is written."""
        self.run("tee", "-q", "-o", self.at(scratch), "stat", "-json")
        return dict(json.loads(scratch.read_text(encoding="utf-8"))["design"]["num_cells_by_type"])
