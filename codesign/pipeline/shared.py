"""Several candidates of one training: what the training gives is made once, by whoever comes first, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codesign.core import store
from codesign.core.errors import ToolError
from codesign.core.lock import Locked, hold
from codesign.core.reading.plain import member_bytes
from codesign.core.runfolder import RunFolder, write_atomically

__all__ = ("shared_training",)

#: s that a candidate waits for another one that is at the training
_LONGEST = 86400.0


def shared_training(run: RunFolder, key: str, make: Callable[[], Mapping[str, bytes]]) -> tuple[dict[str, bytes], bool]:
    """The files of the training ``key``, and whether they were there: in the run's ``trainings/`` or in the store.

    Only what this user put there, as it was. Two candidates of a run never train the same at the same time: the second
    waits.
    """
    folder = run.path / "trainings"
    folder.mkdir(parents=True, exist_ok=True)
    path, kept = folder / f"{key}.zip", store.current()
    try:
        with hold(folder / f".{key}.lock", wait=_LONGEST):
            content = member_bytes(run.path, f"trainings/{key}.zip") if path.is_file() else None
            files = store.open_entry("trainings", key, content) if content is not None else None
            if files is not None:
                return files, True
            files = kept.get("trainings", key, dict) if kept is not None else None
            there = files is not None
            files = files if files is not None else dict(make())
            write_atomically(path, store.seal_entry("trainings", key, files))
            if kept is not None and not there:
                kept.put("trainings", key, files)
            return files, there
    except Locked as locked:
        raise ToolError(f"another candidate (process {locked.owner}) is at the same training for a day") from None
