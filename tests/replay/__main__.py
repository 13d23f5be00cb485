"""``python -m tests.replay [NAME ...] [--write]``: generate from all committed designs, and compare with what was kept.

``--write`` keeps what is generated now, for a commit that means to change it and says which and why.
"""

from __future__ import annotations

import argparse
import sys
import time

from codesign.testing import CASES
from tests.replay.replayed import compare, names, write


def main() -> int:
    """Compare, or write; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="designs, by default all")
    parser.add_argument("--write", action="store_true", help="keep what is generated now")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"no design {', '.join(unknown)}; there are {', '.join(names())}")
    chosen = options.names or names()
    if options.write:
        print(f"{write(chosen)} hashes changed")
        return 0
    began = time.perf_counter()
    found = compare(chosen)
    print(f"{len(chosen)} designs in {time.perf_counter() - began:.0f} s: {found}")
    if missing := sorted({case.name for case in CASES} - set(names())):
        print(f"not replayed yet (python -m tests.replay.make_designs, then --write): {', '.join(missing)}")
    return 1 if found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
