"""FINN's own environment.

FINN's requirements contradict ours (older bitstring, protobuf, pandas, scikit-learn), so it cannot be installed beside
us. It runs all the same with our torch, qonnx, onnx, pandas and scikit-learn: only what is not here, and the one
package whose interface has changed (bitstring), lie in the folder, about 20 MB.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from codesign.core.own_environment import OwnEnvironment

if TYPE_CHECKING:
    from codesign.core.availability import Availability

__all__ = ("FINN", "VERSION", "availability", "environment")

VERSION = "1.6.1"

FINN = OwnEnvironment(
    tool="finn",
    title="FINN",
    version=VERSION,
    package="codesign.flows.finn",
    holds="finn",
    check="from codesign.flows.finn.backend import load_finn; load_finn()",
    folder_variable="FINN_BUILD_DIR",
)


def availability() -> Availability:
    """Whether FINN is set up for this Python."""
    from codesign.core.availability import Availability

    if find_spec("pandas") is None:  # which it imports, and nothing else here does
        return Availability(False, "pandas is missing, which FINN imports: pip install 'codesign[finn]'")
    if FINN.is_set_up():
        return Availability(True, f"set up in {FINN.folder()}", FINN.version)
    return Availability(False, f"FINN is not set up: {FINN.how_to_get}")


def environment() -> dict[str, str]:
    """What to add to the environment of a Python that runs FINN; ToolError where it is not set up."""
    return FINN.variables()
