"""Write, build and load the C++ emulator of a design."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import quoting
from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError, UnsupportedError
from codesign.core.fixedpoint import Port
from codesign.core.process import run_tool
from codesign.handoff.emulator.circuit import Circuit
from codesign.handoff.emulator.source import kernel

__all__ = ("Emulator", "build_emulator", "emulator_name", "load_emulator", "write_emulator")

_HERE = Path(__file__).resolve().parent
_VERSION = 1
_LONGEST = 200  # characters of a name, which is also a file's

#: of a design that triggers
_TRIGGER = """
/// The output that the firmware compares with its threshold, and its trigger bit.
constexpr std::size_t TRIGGER = {index};
constexpr bool triggered(const Output& output, std::int32_t threshold) {{ return output[TRIGGER] >= threshold; }}
"""

#: of a design whose inputs are not flat
_STRUCTURE = """
/// The inputs by block, each in its own shape; an item that is not there is 0 in all of its fields.
struct Blocks {{
{members}
}};

inline Input flat_of(const Blocks& blocks) {{
  Input flat{{}};
{copies}
  return flat;
}}
"""


def emulator_name(text: str) -> str:
    """A C++ identifier out of any text."""
    return quoting.cxx_identifier(text)


def write_emulator(design: Design, name: str, folder: Path) -> Path:
    """Write the C++17 source of ``<name>_v1.so`` and its Makefile into ``folder``, which is returned.

    ``name`` is a C++ identifier, see :func:`emulator_name`. UnsupportedError for a code that needs more than 32 bits.
    """
    if quoting.cxx_identifier(name) != name or len(name) > _LONGEST:
        raise InputError(f"'{name}' is no name for an emulator: letters, digits and single underscores between them")
    for port in (design.inputs, design.outputs):
        for kind, label in zip(port.types, port.labels, strict=True):
            if kind.width - int(kind.signed) > 31:
                raise UnsupportedError(f"'{label}' is {kind}: the emulator's codes have 32 bits, with the sign")
    library = f"{name}_v{_VERSION}"
    values = {
        "LIBRARY": library,
        "GUARD": f"CODESIGN_{library.upper()}",
        "HASH": quoting.comment(design.hash),
        "HASH_STRING": quoting.cxx_string(design.hash),
        "INPUTS": str(design.inputs.size),
        "OUTPUTS": str(design.outputs.size),
        "INPUT_TABLE": _table(design.inputs),
        "BLOCKS": _blocks(design),
        "OUTPUT_TABLE": _table(design.outputs),
        "KERNEL": kernel(Circuit.of(design)),
        "TRIGGER": "" if design.trigger_index is None else _TRIGGER.format(index=design.trigger_index),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for template, written in (
        ("emulator.h", "emulator.h"),
        ("model.h", f"{library}.h"),
        ("model.cpp", f"{library}.cpp"),
        ("Makefile.in", "Makefile"),
    ):
        text = (_HERE / template).read_text(encoding="utf-8")
        whole = re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)
        (folder / written).write_text(whole, encoding="utf-8")
    return folder


def _blocks(design: Design) -> str:
    """Inputs in their own shapes, and how they become the flat codes; nothing for a flat port."""
    if design.inputs.is_flat:
        return ""
    members, copies = [], []
    for block, place in design.inputs.places:
        name = f"{quoting.cxx_identifier(block.name)}_codes"
        members.append(
            f"  std::int32_t {name}{''.join(f'[{n}]' for n in block.shape)} = {{}};"
            f"  // {quoting.comment(', '.join(block.fields[:20]))}"
        )
        axes = [f"i{axis}" for axis in range(len(block.shape))]
        loops = "".join(
            f"{'  ' * (1 + axis)}for (std::size_t {i} = 0; {i} < {length}; ++{i})\n"
            for axis, (i, length) in enumerate(zip(axes, block.shape, strict=True))
        )
        index = axes[0]
        for i, length in zip(axes[1:], block.shape[1:], strict=True):
            index = f"({index}) * {length} + {i}"
        element = "".join(f"[{i}]" for i in axes)
        copies.append(f"{loops}{'  ' * (1 + len(axes))}flat[{place.start} + {index}] = blocks.{name}{element};")
    return _STRUCTURE.format(members="\n".join(members), copies="\n".join(copies))


def _table(port: Port) -> str:
    """A port as comments."""
    return "\n".join(
        f"//   [{i}] {quoting.comment(label)}: {kind}, codes {kind.minimum} to {kind.maximum}, "
        f"fraction_bits {kind.fraction_bits}"
        for i, (kind, label) in enumerate(zip(port.types, port.labels, strict=True))
    )


def build_emulator(folder: Path, archflags: str = "", timeout: float = 600) -> Path:
    """Run make in a folder of :func:`write_emulator`; returns the ``.so``. ToolError where make or g++ fails."""
    sources = sorted(Path(folder).glob(f"*_v{_VERSION}.cpp"))
    if len(sources) != 1:
        raise InputError(f"{folder} holds no emulator")
    run_tool(["make", f"ARCHFLAGS={archflags}"], Path(folder), timeout)
    return sources[0].with_suffix(".so")


class Emulator:
    """A built emulator: input codes (events, inputs) to output codes (events, outputs)."""

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(Path(path).resolve()))
            library.codesign_inputs.restype = library.codesign_outputs.restype = ctypes.c_size_t
            library.codesign_design.restype = ctypes.c_char_p
            pointers = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
            for function in (library.codesign_predict, library.codesign_predict_any):
                function.argtypes = pointers
            library.codesign_predict.restype = None
            library.codesign_predict_any.restype = ctypes.c_int
        except (OSError, AttributeError) as error:
            raise ToolError(f"{path}: cannot be loaded as an emulator ({error})") from None
        self._library = library
        self.inputs = int(library.codesign_inputs())
        self.outputs = int(library.codesign_outputs())
        #: content hash of the design it was written for
        self.design: str = library.codesign_design().decode()

    def predict(self, codes: NDArray[np.integer]) -> NDArray[np.int32]:
        """The batch symbol, ``codesign_predict``."""
        given, found = self._arrays(codes)
        self._library.codesign_predict(given.ctypes.data, found.ctypes.data, len(given))
        return found

    def predict_any(self, codes: NDArray[np.integer]) -> NDArray[np.int32]:
        """Event by event through ``create_model`` and ``std::any``, as CMSSW calls it."""
        given, found = self._arrays(codes)
        if self._library.codesign_predict_any(given.ctypes.data, found.ctypes.data, len(given)):
            raise ToolError("the emulator threw an exception")
        return found

    def _arrays(self, codes: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        given = np.ascontiguousarray(codes, dtype=np.int32)
        if given.ndim != 2 or given.shape[1] != self.inputs:
            raise InputError(f"codes of shape {given.shape}: the emulator takes (events, {self.inputs})")
        if given is not codes and not np.array_equal(given, codes):
            raise InputError("codes beyond 32 bits, or no integers")
        return given, np.empty((len(given), self.outputs), dtype=np.int32)


def load_emulator(so: Path) -> Emulator:
    """Load a built emulator; ToolError if it cannot be."""
    return Emulator(so)
