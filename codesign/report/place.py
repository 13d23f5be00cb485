"""Where a report is written: a run's own is refreshed, and nothing else is overwritten unless that is asked for."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from codesign.core.errors import CodesignError, InputError
from codesign.core.runfolder import RunFolder, write_atomically

__all__ = ("owner_of", "write_page")

#: in the head of each page, which is far shorter than this: of which run, or runs, it is the report
_HEAD = 8192
_OWNER = re.compile(rb'<meta name="codesign-run" content="([^"]*)">')


def owner_of(run: Path) -> str:
    """By what a run is known: a digest of the name of its search, which a copy or a moved folder keeps, or its path."""
    try:
        search = RunFolder(run).read_json("search.json") or {}
    except (CodesignError, OSError, ValueError):
        search = {}
    name = search.get("name") if isinstance(search, dict) else None
    return hashlib.sha256(str(name or Path(run).resolve()).encode(errors="surrogateescape")).hexdigest()[:16]


def write_page(output: Path | None, name: str, owner: str, page: str, force: bool) -> Path:
    """Write a ``page`` of ``owner``, and return its path; by default ``reports/NAME/index.html``.

    ``output`` is an .html file, or a folder that gets an ``index.html``. InputError where another run's report, or any
    other file, lies there; with ``force`` it is replaced.
    """
    if output is None:
        path = Path("reports") / name / "index.html"
    elif output.is_dir() or not output.suffix:
        path = output / "index.html"
    elif output.suffix.lower() in (".html", ".htm"):
        path = output
    else:
        raise InputError(f"-o {output}: a report is HTML: give a name that ends in .html, or a folder")
    if path.exists() and not force and (there := _owner_of(path)) != owner:
        whose = "is the report of another run" if there else "is there already, and no report of this run"
        raise InputError(f"{path} {whose}: give another name, such as -o {_free(path)}, or replace it with --force")
    write_atomically(path, page.encode())
    return path


def _owner_of(path: Path) -> str | None:
    """Whose report lies there; None of what is no report, or of a release that did not write this down."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        found = _OWNER.search(stream.read(_HEAD))
    return None if found is None else found[1].decode("ascii", errors="replace")


def _free(path: Path) -> Path:
    """A name beside a report that is not taken: of the folder where the report is its index."""
    taken = path.parent if path.name == "index.html" else path
    ending = ".html"
    stem = taken.with_suffix("") if taken.suffix == ending else taken
    return next(p for n in range(2, 10_000) if not (p := stem.with_name(f"{stem.name}-{n}{ending}")).exists())
