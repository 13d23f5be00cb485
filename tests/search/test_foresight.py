"""What is said before the sample is made, or before anything is trained on it."""

import pytest

from codesign.core.errors import ToolError
from codesign.search import engine, foresight
from codesign.search.engine import run_study
from tests.search.small_search import Notes, changed


class Begins(Exception):
    """Workers are about to be started."""


@pytest.fixture
def no_workers(monkeypatch):
    def pool(self):
        raise Begins

    monkeypatch.setattr(engine._Search, "_pool", pool)


def test_too_few_events_are_told_before_training(tmp_path, no_workers):
    notes = Notes()
    with pytest.raises(Begins):
        run_study(changed(verification={"gate_events": 1000, "rtl_events": 2000}), tmp_path, 1, progress=notes)
    assert notes.notes == [
        "the test split has 40 events, and verification.rtl_events wants 2000 simulated: no candidate can be proven, "
        "and the search will end without a proven front; with these splits the sample needs at least 10000 events",
        "validation and training split have 160 events together, fewer than the 1000 of verification.gate_events: "
        "every candidate is compared on those only",
    ]


def test_too_few_events_are_told_before_the_sample_where_they_are_known(tmp_path, no_workers, monkeypatch):
    from codesign_toy import ToyProblem

    notes, said = Notes(), []
    make = ToyProblem.sample.func

    def sample(self):
        said.extend(notes.notes)
        return make(self)

    monkeypatch.setattr(ToyProblem, "sample", property(sample))
    monkeypatch.setattr(ToyProblem, "most_events", lambda self: self.chosen["events"], raising=False)
    with pytest.raises(Begins):
        run_study(changed(), tmp_path, 1, progress=notes)
    assert said == notes.notes, "before, and not a second time"
    assert said[0].startswith("the test split has 40 events, and verification.rtl_events wants 1000 simulated")


BITS = dict.fromkeys(("weight_bits", "activation_bits", "input_bits"), 4)
#: a study whose family trains with torch
TRAINED = {"family": "mlp", "space": {"depth": 1, "width": 4, **BITS}}


def no_sample(*arguments, **more):
    raise AssertionError("a sample is made")


@pytest.mark.parametrize(
    ("missing", "changes", "message"),
    [
        (
            "onnxoptimizer",
            TRAINED,
            r"no candidate can be trained and exported here: missing onnxoptimizer \(pip install",
        ),
        ("torch", TRAINED, r"no candidate can be trained and exported here: missing torch \(pip install torch=="),
        ("onnxruntime", {}, r"no candidate can be trained and exported here: missing onnxruntime \(pip install"),
        (
            "pyosys",
            {"target": "ulx3s-85f", "search": {"ladder": {"measured": ["synthesised"]}}},
            r"search.ladder.measured cannot be measured here: missing yosys \(pip install",
        ),
    ],
)
def test_a_tool_without_which_nothing_can_be_made_is_told_before_the_sample(
    missing, changes, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(foresight, "is_here", lambda name: name != missing)
    monkeypatch.setattr(engine._Search, "_sample", no_sample)
    with pytest.raises(ToolError, match=message):
        run_study(changed(**changes), tmp_path, 1)


def test_a_tool_without_which_nothing_is_proven_is_told_and_the_search_goes_on(tmp_path, monkeypatch):
    notes = Notes()
    monkeypatch.setattr(foresight, "is_here", lambda name: name not in ("g++", "pyosys"))
    monkeypatch.setattr(engine._Search, "_sample", no_sample)
    with pytest.raises(AssertionError, match="a sample is made"):
        run_study(changed(), tmp_path, 1, progress=notes)
    synthesis, simulation = notes.notes
    assert synthesis.startswith("the front gets no synthesised figures here: missing yosys (pip install")
    assert simulation.startswith("the front cannot be proven here: missing g++ (apt install g++")
    assert simulation.endswith("the same command proves it once they are here")
