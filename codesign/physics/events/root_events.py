"""Open the events of a ROOT file: which tree holds them, and whether the file is whole."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError, nearest
from codesign.core.reading.rootfile import check_whole, opened_root
from codesign.physics.events.container import Container, NotEvents, limit_inflation
from codesign.physics.events.rntuple import RNTuple
from codesign.physics.events.ttree import EventTree

__all__ = ("event_tree", "open_root")

#: Trees of events, the first that a file has.
_TREES = ("Events", "Delphes")
_RNTUPLE = "ROOT::RNTuple"
_CLASSES = ("TTree", "TNtuple", "TNtupleD", _RNTUPLE)


def event_tree(classes: dict[str, str]) -> str | None:
    """Name of the tree of events among the objects of a file (name -> class); None where there is none.

    A tree of another name is taken where it is the only one.
    """
    trees = [name for name, kind in classes.items() if kind in _CLASSES]
    named = next((tree for tree in _TREES if tree in trees), None)
    return named or (trees[0] if len(trees) == 1 else None)


def open_root(path: Path, tree: str | None = None) -> Container:
    """Open the tree of events, the highest cycle of it; ``tree``: its name, where a file has several.

    InputError where the file is truncated, has no tree, or several and none of them is named.
    """
    file = opened_root(path, object_cache=None, array_cache=None)
    try:
        check_whole(path, file)
        classes = file.classnames(recursive=tree is not None and "/" in tree, cycle=False)
        name = _choose(path, classes, tree)
        limit_inflation(path, name, "the tree's description", int(file.key(name).data_uncompressed_bytes))
        if classes[name] == _RNTUPLE:
            return RNTuple(path, file, file[name])
        return EventTree(path, file, file[name])
    except BaseException:
        file.close()
        raise


def _choose(path: Path, classes: dict[str, str], wanted: str | None) -> str:
    trees = [name for name, kind in classes.items() if kind in _CLASSES]
    shown = ", ".join(f"'{name}'" for name in trees) or "none"
    if wanted is not None:
        if wanted not in trees:
            raise InputError(f"{path}: no tree '{wanted}'{nearest(wanted, trees)}; trees in it: {shown}")
        return wanted
    name = event_tree(classes)
    if name is None and len(trees) > 1:
        raise NotEvents(
            f"{path}: several trees, and none is called {' or '.join(_TREES)}: {shown}; say which with --tree"
        )
    if name is None:
        raise NotEvents(f"{path}: not a file of events: no tree 'Events' or 'Delphes'; trees in it: none")
    return name
