"""The package ``codesign_deepset`` is found as an installed one would be."""

import sys
from pathlib import Path

PLUGIN = Path(__file__).parent / "plugin"
sys.path.insert(0, str(PLUGIN))
