"""``codesign check --on``: the emulator on the events of a file, test vectors of the global trigger among them."""

from pathlib import Path

import pytest

from codesign.core.errors import InputError
from codesign.handoff.examination import Asked, prove_bundle
from codesign.handoff.statement import Finding
from codesign.physics.events.ugt_vectors import UgtCrossing, ugt_vectors
from codesign.tasks.anomalies.level1_inputs import FEATURES
from tests.handoff.conftest import bundle_called


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "TestVector.txt"
    jet, met = 200 | 30 << 11 | 140 << 19, 81 | 100 << 12
    path.write_text(ugt_vectors([UgtCrossing(n, {"jets_0": jet + n, "etmiss": met}) for n in range(20)]))
    return path


def test_test_vectors_are_events_of_a_check(vectors, tmp_path, monkeypatch):
    folder = bundle_called(tmp_path, FEATURES, ("a", "b", "c", "d", "e"), "anomaly")
    found = prove_bundle(folder, Asked(emulator=True, files=(str(vectors),))).of("emulator/ on TestVector.txt")
    assert (found.outcome, found.events) == (Finding.CHECKED, 20)
    # the fault: an emulator that is one off on these events
    from codesign.handoff import examination

    monkeypatch.setattr(examination, "_truth", lambda received, codes: codes[:, :5] * 0 + 1)
    assert "emulator/ on TestVector.txt" in {
        s.name for s in prove_bundle(folder, Asked(emulator=True, files=(str(vectors),))).wrong
    }


def test_what_a_network_cannot_be_given_is_one_line(vectors, named_bundle):
    with pytest.raises(InputError, match=r"--emulator") as caught:
        prove_bundle(named_bundle, Asked(files=(str(vectors),)))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"TestVector\.txt|the task 'jet-tagging'") as caught:
        prove_bundle(named_bundle, Asked(emulator=True, files=(str(vectors),)))
    assert "\n" not in str(caught.value)
