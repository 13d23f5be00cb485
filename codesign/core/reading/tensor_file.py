"""safetensors in bounds: its header is checked here, then the file's own library reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.core.reading.json import json_of
from codesign.core.reading.limits import HEADER_BYTES, MODEL_BYTES
from codesign.core.reading.plain import member_bytes

__all__ = ("member_tensors", "tensors_of")


def tensors_of(content: bytes, source: str) -> dict[str, Any]:
    """Torch tensors by name; InputError: not whole, a header above ``HEADER_BYTES``, tensors of other sizes."""
    length = int.from_bytes(content[:8], "little") if len(content) >= 8 else -1
    if not 2 <= length <= len(content) - 8:
        raise InputError(f"{source}: not a whole safetensors file")
    if length > HEADER_BYTES:
        raise InputError(f"{source}: its header has {length} bytes, at most {HEADER_BYTES} are read")
    header = json_of(content[8 : 8 + length], f"{source}: header")
    if not isinstance(header, dict):
        raise InputError(f"{source}: not a safetensors file: its header is no object")
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise InputError(f"{source}: damaged safetensors file ({' '.join(str(error).split())[:200]})") from None


def member_tensors(folder: Path, name: str) -> dict[str, Any]:
    """The same of a plain file of a folder, following no link."""
    return tensors_of(member_bytes(folder, name, MODEL_BYTES), str(Path(folder) / name))
