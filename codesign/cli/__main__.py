"""``python -m codesign.cli``: the same as ``codesign``."""

from codesign.cli import main

main()
