"""Open the events of a ROOT file: which tree holds them, and whether the file is whole."""

from __future__ import annotations

from pathlib import Path

from codesign.physics.events.container import Container, NotEvents, inflated
from codesign.physics.events.rntuple import RNTuple
from codesign.physics.events.ttree import Tree
from codesign.physics.readers.root import check_whole
from codesign.reading.rootfile import opened_root

__all__ = ("event_tree", "open_root")

#: Trees of events, the first that a file has.
_TREES = ("Events", "Delphes")
_CLASSES = ("TTree", "ROOT::RNTuple")


def event_tree(classes: dict[str, str]) -> str | None:
    """Name of the tree of events among the objects of a file (name -> class); None where there is none.

    A tree of another name is taken where it is the only one.
    """
    trees = [name for name, kind in classes.items() if kind in _CLASSES]
    named = next((tree for tree in _TREES if tree in trees), None)
    return named or (trees[0] if len(trees) == 1 else None)


def open_root(path: Path) -> Container:
    """Open the tree of events; InputError where the file is truncated or has none."""
    file = opened_root(path, object_cache=None, array_cache=None)
    try:
        check_whole(path, file)
        classes = file.classnames(recursive=False, cycle=False)
        name = event_tree(classes)
        if name is None:
            trees = ", ".join(f"'{n}'" for n, kind in classes.items() if kind in _CLASSES) or "none"
            raise NotEvents(f"{path}: not a file of events: no tree 'Events' or 'Delphes'; trees in it: {trees}")
        inflated(path, name, "the tree's description", int(file.key(name).data_uncompressed_bytes))
        tree = file[name]
        if classes[name] == "TTree":
            return Tree(path, file, tree)
        return RNTuple(path, file, tree)
    except BaseException:
        file.close()
        raise
