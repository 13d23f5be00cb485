from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

from tests import one_thread
from tests.nightly import MOST_SECONDS

# nothing that an earlier run of the tests made is taken for what this one should make
os.environ["CODESIGN_STORE"] = "none"
# machine code is: by the content of its sources, so that a new checkout compiles what has changed
os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = (
    "codesign.core.compiled.KeptByContent,UserProvidedCacheLocator,InTreeCacheLocator,UserWideCacheLocator"
)
os.environ.setdefault(
    "CODESIGN_KERNELS",
    str(Path(os.environ.get("CODESIGN_CACHE") or platformdirs.user_cache_dir("codesign")) / "numba"),
)
# a shell that runs the tests in the background has them, and all that they start, ignore interrupts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
assert one_thread.name, "importing it has set what a process may take"

#: files that take longest, first: workers that each take one file after the other then end together
HEAVY = (
    "test_tutorial", "test_simulated_events", "test_conformance", "test_end_to_end", "test_finn_flow",
    "test_install", "test_generate", "test_gates", "test_trigger", "test_engine", "test_report_html",
    "test_anomaly_study", "test_detector_physics", "test_anomaly", "test_emulator", "test_axi", "test_kill",
    "test_damage", "test_nextpnr", "test_hls4ml_flow", "test_candidate", "test_cluster", "test_bitstream",
    "test_published", "test_installed_task", "test_forged", "test_event_faults", "test_apply", "test_rtl",
    "test_yosys", "test_vitis", "test_report_browser", "test_jet_energy", "test_learned", "test_board_command",
    "test_new", "test_cli", "test_qmlp",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy files first, with ``--dist loadfile --no-loadscope-reorder``; the order within a file stays.

    What is slow may take as long as a part of the nightly tests.
    """
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(MOST_SECONDS))
    items.sort(key=lambda item: HEAVY.index(item.path.stem) if item.path.stem in HEAVY else len(HEAVY))


@pytest.fixture(scope="session")
def published_data() -> Callable[[str], Path]:
    """Find a published file in ``$CODESIGN_DATA``, or beside the project in ``shared/data``; skip where absent."""

    def find(name: str) -> Path:
        root = Path(os.environ.get("CODESIGN_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
        if not (root / name).is_file():
            pytest.skip(f"published data absent: {root / name} (set CODESIGN_DATA)")
        return root / name

    return find
