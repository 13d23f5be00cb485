"""Reading in chunks takes as much memory as a chunk, not as the file."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import event_memory


def test_memory_is_that_of_a_chunk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(event_memory, "CHUNK", "10 MB")
    found = event_memory.event_memory(tmp_path, 3_000_000)
    assert found["events"] == 3_000_000
    assert found["chunks"] > 10
    assert found["columns_mb"] == 180
    assert found["peak_mb"] - found["peak_mb_of_a_hundredth"] < 100
