"""What is generated from committed designs stays the same, byte by byte; ``make replay`` compares all of them."""

from dataclasses import replace

import pytest

from tests.replay import replayed
from tests.replay.make_designs import STUDIES


def test_a_fourth_of_the_designs_gives_what_it_gave():
    chosen = replayed.names()[::4]
    found = replayed.compare(chosen)
    assert not found.differing, str(found)
    assert found.apart or found.equal == len(chosen) * len(replayed.GENERATE)


def test_every_shipped_study_and_every_design_is_kept():
    kept = replayed.kept()["designs"]
    assert sorted(kept) == replayed.names()
    assert all(f"{study}-{i}" in kept for study in STUDIES for i in range(2))
    assert all(set(hashes) == {"design", *replayed.GENERATE} for hashes in kept.values())


@pytest.mark.parametrize("artifact", replayed.GENERATE)
def test_one_byte_is_seen(artifact, monkeypatch):
    made = replayed.GENERATE[artifact]

    def changed(design, folder):
        (name, content), *others = made(design, folder)
        return [(name, content[:-1] + b"?"), *others]

    monkeypatch.setitem(replayed.GENERATE, artifact, changed)
    found = replayed.compare(["single"], (artifact,))
    assert found.equal == 0
    assert f"single: {artifact} was" in str(found)


def test_another_design_is_seen(monkeypatch):
    made = replayed.Design.load
    monkeypatch.setattr(
        replayed.Design, "load", lambda folder: replace(made(folder), onnx=made(folder).onnx + b"\x0a\x00")
    )
    assert "single: design was" in str(replayed.compare(["single"], ()))


def test_another_alkaid_is_said_and_not_compared(monkeypatch):
    here = replayed.versions()
    monkeypatch.setattr(replayed, "versions", lambda: here | {"alkaid": "9.9"})
    found = replayed.compare(["single"], ("verilog", "emulator"))
    assert (found.equal, found.differing) == (1, [])
    assert "1 not compared: verilog is of alkaid 0.8.2, here is 9.9" in str(found)
