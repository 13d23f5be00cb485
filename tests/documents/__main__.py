"""``python -m tests.documents``: writes the index of the records, the pages of evidence and of reference, the drawn
pictures, and the numbers in the pages."""

from __future__ import annotations

import json
import sys

from codesign.core.runfolder import write_atomically
from tests.documents.notebook import tutorial_page
from tests.documents.numbers import fill
from tests.documents.pictures import pipeline, rooms
from tests.documents.records import INDEX, index, page
from tests.documents.reference import PAGES
from tests.documents.tables import fill_tables
from tests.trees import ROOT


def main() -> int:
    """Write what changed, and name it."""
    wanted = {INDEX: json.dumps(index(), indent=1, sort_keys=True) + "\n"}
    write_atomically(INDEX, wanted[INDEX].encode())
    wanted[ROOT / "docs" / "evidence.md"] = page()
    wanted[ROOT / "docs" / "pictures" / "pipeline.svg"] = pipeline()
    wanted[ROOT / "docs" / "pictures" / "rooms.svg"] = rooms()
    wanted |= {ROOT / "docs" / name: made() for name, made in PAGES.items()}
    wanted[ROOT / "docs" / "tutorial.md"] = tutorial_page()
    try:
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
            if path not in wanted:
                wanted[path] = fill_tables(fill(path.read_text(encoding="utf-8")))
    except ValueError as error:
        print(f"error: {path.name}: {error}", file=sys.stderr)
        return 1
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text.encode())
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
