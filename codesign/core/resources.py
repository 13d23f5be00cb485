"""Where shipped studies, targets, test benches and schemas are found, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError, nearest
from codesign.core.printing import visible

__all__ = ("available", "folder", "locate")

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(kind: str) -> Path:
    """Return the shipped folder ``targets``, ``search`` or ``sim``."""
    for root in (_PACKAGE / "shipped", _PACKAGE.parent):
        if (root / kind).is_dir():
            return root / kind
    raise InputError(f"the shipped folder '{kind}' is missing: reinstall codesign")


def available(kind: str, suffix: str = ".yaml") -> list[str]:
    """Names of what is shipped in a folder, without the suffix, sorted."""
    return sorted(p.name.removesuffix(suffix) for p in folder(kind).glob(f"*{suffix}"))


def locate(kind: str, name: str, suffix: str = ".yaml") -> Path:
    """Find a file by path or by the name under which it is shipped; InputError names the nearest known one."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = folder(kind) / f"{path.name.removesuffix(suffix)}{suffix}"
    if path.parent in (Path(), Path(kind)) and shipped.is_file():
        return shipped
    known = available(kind, suffix)
    if name and path.is_dir():
        raise InputError(f"{visible(name)} is a folder: give a file, or one of {kind}/: {', '.join(known) or 'none'}")
    raise InputError(
        f"no such file in {visible(str(Path.cwd()))} and nothing shipped under the name '{visible(name)}'"
        f"{nearest(path.stem, known)}; "
        f"known in {kind}/: {', '.join(known) or 'none'}"
    )
