"""A plug-in derives from the abstract class of its kind, and does all that it asks: else it is refused by name."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.families.base import Family
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.tasks.base import Task
from codesign.tasks.tagging.jet_tagging import JetTagging


class LooksLikeATask:
    """Has every name that a task has, and is none."""

    name, metrics = "looks", {"accuracy": "maximise"}
    sample = outputs = target = loss = judge = baselines = plots = working_points = lambda self, *_: None


class HalfAFamily(Family):
    name = "half"

    def suggest(self, space, choose):
        return None

    def fit(self, candidate, lesson, budget, seed, device="cpu", progress=None):
        return {}


@pytest.fixture
def shelf(monkeypatch):
    """Entry points of a package of the user's."""
    module = ModuleType("shelf")
    module.LooksLikeATask, module.HalfAFamily, module.Alkaid, module.Tagging = (
        LooksLikeATask, HalfAFamily, Alkaid, JetTagging(),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "shelf", module)

    def entry_points(group):
        names = ("LooksLikeATask", "HalfAFamily", "Alkaid", "Tagging")
        return [EntryPoint(name, f"shelf:{name}", group) for name in names]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    plugins.forget()
    yield
    plugins.forget()


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (
            Task,
            "LooksLikeATask",
            "'shelf:LooksLikeATask' is no Task of codesign: derive it from codesign.tasks.base",
        ),
        (Family, "Alkaid", "'shelf:Alkaid' is no Family of codesign: derive it from codesign.families.base.Family"),
        (Flow, "HalfAFamily", "is no Flow of codesign: derive it from codesign.flows.base.Flow"),
        (Task, "Tagging", "'shelf:Tagging' is no Task of codesign"),
        (Family, "HalfAFamily", "'shelf:HalfAFamily' lacks what a Family must do: load, pick"),
        (Flow, "Alkaidd", "unknown name 'Alkaidd' among the flows (did you mean 'Alkaid'?)"),
    ],
)
def test_what_is_no_plug_in_is_refused_by_name(shelf, kind, name, words):
    with pytest.raises(InputError) as caught:
        plugins.load(kind, name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_one_is_made(shelf):
    assert isinstance(plugins.load(Flow, "Alkaid"), Alkaid)
