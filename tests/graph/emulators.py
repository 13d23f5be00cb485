"""C++ emulators of many designs in one library: one run of g++ for all, of the very text that a bundle gets."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codesign.core.design import Design
from codesign.core.process import run_tool
from codesign.handoff.emulator import write_emulator

#: what every emulator gives to the outside: here each has names of its own
_SYMBOLS = (
    "create_model", "destroy_model", "codesign_predict", "codesign_predict_any", "codesign_inputs", "codesign_outputs",
    "codesign_design",
)  # fmt: skip
_SECONDS = 600.0


class Emulators:
    """The emulators of some designs, built in a folder; each is called by its place."""

    def __init__(self, designs: Sequence[Design], folder: Path, optimise: str = "-O1") -> None:
        self.designs = list(designs)
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for place, design in enumerate(designs):
            name = f"g{place}"
            write_emulator(design, name, folder / name)
            lines += [f"#define {symbol} {symbol}_{place}" for symbol in _SYMBOLS]
            lines += [f'#include "{name}/{name}_v1.cpp"', *(f"#undef {symbol}" for symbol in _SYMBOLS)]
        (folder / "all.cpp").write_text("\n".join(lines) + "\n", encoding="utf-8")
        warnings = ("-Wall", "-Wextra", "-Werror")
        command = ["g++", "-std=c++17", *warnings, optimise, "-fPIC", "-shared", "-o", "all.so", "all.cpp"]
        run_tool(command, folder, _SECONDS)
        self._library = ctypes.CDLL(str((folder / "all.so").resolve()))

    def codes(self, place: int, codes: np.ndarray) -> np.ndarray:
        """Output codes (events, m) of input codes (events, n): by the batch symbol, and checked against std::any."""
        given = np.ascontiguousarray(codes, dtype=np.int32)
        found = np.empty((2, len(given), self.designs[place].outputs.size), dtype=np.int32)
        pointers = (ctypes.c_void_p(given.ctypes.data), ctypes.c_size_t(len(given)))
        for out, symbol in zip(found, ("codesign_predict", "codesign_predict_any"), strict=True):
            self._library[f"{symbol}_{place}"](pointers[0], ctypes.c_void_p(out.ctypes.data), pointers[1])
        assert np.array_equal(*found), "the emulator's two ways in differ"
        return found[0].astype(np.int64)
