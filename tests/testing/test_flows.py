"""A flow that breaks a promise does not pass the suite (what ``conforms`` says: tests/conformance/test_liars.py)."""

import re

import pytest

from codesign.core.availability import Availability
from codesign.core.errors import UnsupportedError
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import NoSettings
from codesign.testing import CASES, FlowTests
from tests.testing.broken import said


class SignsItsFolder(Alkaid):
    """Writes where it was made into a source."""

    def compile(self, design, target, folder, settings=None, probe=None):
        made = super().compile(design, target, folder, settings, probe)
        source = made.source_paths[0]
        source.write_text(f"// {folder}\n{source.read_text()}")
        return made


class Choosy(Alkaid):
    """Refuses what it does not say."""

    def compile(self, design, target, folder, settings=None, probe=None):
        raise UnsupportedError("not today")


class Twice(Alkaid):
    """Asks for one setting twice."""

    def suggest(self, space, choose):
        super().suggest(space, choose)
        return super().suggest(space, choose)


class Others(Alkaid):
    """Draws what is no setting of its own."""

    def suggest(self, space, choose):
        return NoSettings()


class Mute(Alkaid):
    """Cannot run, and does not say why."""

    def available(self):
        return Availability(False, "")


class Strict(Alkaid):
    """Has a bound ten times too strict."""

    def least_lut(self, cost, kind="network"):
        bound = super().least_lut(cost, kind)
        return bound.model_copy(update={"value": 10 * bound.value})


class Eager(FlowTests):
    """Says that it refuses what it compiles."""

    refused = frozenset({"squares"})


@pytest.mark.parametrize(
    ("suite", "flow", "fails", "case", "words"),
    [
        (FlowTests, SignsItsFolder, "the_same_design_gives_the_same_sources", None, "is not the same when it is made"),
        (FlowTests, Choosy, "what_it_makes_is_exact", "squares", "is not among what it refuses: not today"),
        (Eager, Alkaid, "what_it_makes_is_exact", "squares", "is among what it refuses, but was compiled"),
        (FlowTests, Twice, "settings_are_drawn_from_its_space", None, "draws '.*' twice"),
        (FlowTests, Others, "settings_are_drawn_from_its_space", None, "draws a NoSettings, not its settings"),
        (FlowTests, Strict, "what_it_makes_is_exact", "signs", "least_lut says .* would refuse it .* but it takes"),
        (FlowTests, Mute, "it_says_whether_it_can_run", None, "cannot run, and does not say why"),
    ],
)
def test_a_flow_that_breaks_a_promise_is_caught(suite, flow, fails, case, words, tmp_path):
    given = next((c for c in CASES if c.name == case), None)
    assert re.search(words, said(suite, fails, flow=flow(), case=given, tmp_path=tmp_path))
