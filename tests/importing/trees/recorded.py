"""The recorded trees, and their inputs."""

from __future__ import annotations

from pathlib import Path

from codesign.testing.graphs import kind_of, port_of_one_kind

FOLDER = Path(__file__).parent / "files"


#: codes of a quarter, as in training and beyond
INPUTS = port_of_one_kind(kind_of(6, True, 2), 5)
