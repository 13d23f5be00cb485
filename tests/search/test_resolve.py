import pytest
import yaml

from codesign.core.errors import InputError, ToolError
from codesign.search.resolve import resolve
from codesign.study.definition import parse_study
from tests.search.conftest import STUDY


def study(**changes):
    return parse_study(yaml.safe_dump(yaml.safe_load(STUDY) | changes), "toy.yaml")


def test_resolves():
    resolved = resolve(study())
    assert resolved.task.name == "toy"
    assert resolved.target.name == "vu13p-360"
    assert resolved.space.width.high == 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "toi"}, "unknown name 'toi' among the tasks .*'toy'"),
        ({"target": "vu13p-36"}, "'vu13p-36' .*did you mean 'vu13p-360'"),
        ({"space": {"width": 3, "sparsity": 0.1, "dept": 3}}, "section 'space': unknown key 'dept'"),
        ({"space": {"width": 3}}, "section 'space': key 'sparsity' is missing"),
        (
            {"objectives": [{"name": "acuracy", "direction": "maximise"}]},
            r"objectives: unknown name 'acuracy' \(did you mean 'accuracy'\?\)",
        ),
        ({"objectives": [{"name": "accuracy", "direction": "minimise"}]}, "better the higher it is: .*maximise"),
        ({"objectives": [{"name": "lut", "direction": "maximise"}]}, "better the lower it is: .*minimise"),
        ({"objectives": [{"name": "power", "direction": "minimise"}]}, "flow 'toy' does not measure 'power'"),
        ({"objectives": [{"name": "lut", "direction": "minimise"}] * 2}, "'lut' is there twice"),
        ({"constraints": [{"name": "luts", "max": 5}]}, "constraints: unknown name 'luts' .*'lut'"),
        ({"constraints": [{"name": "latency_ns", "max": 2}]}, "impossible: 'latency_ns' at most 2.*one clock period"),
        ({"constraints": [{"name": "latency_cycles", "max": 0.5}]}, "impossible: 'latency_cycles' at most 0.5"),
        ({"constraints": [{"name": "lut", "min": 2e6}]}, "impossible: 'lut' at least 2e.06, but vu13p-360 has only"),
        ({"constraints": [{"name": "lut", "max": 5}, {"name": "lut", "min": 1}]}, "'lut' is there twice: write one"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        resolve(study(**changes))


def test_a_flow_that_cannot_run_says_why(monkeypatch):
    from codesign_toy import ToyFlow

    from codesign.core.availability import Availability

    monkeypatch.setattr(ToyFlow, "available", lambda self: Availability(False, "no compiler: install one"))
    with pytest.raises(ToolError, match="flow 'toy' cannot run here: no compiler: install one"):
        resolve(study())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"width": [8, -4], "sparsity": 0.1}, "section 'space': no candidate can have width -4: .*greater than 0"),
        ({"width": {"low": 0, "high": 9}, "sparsity": 0.1}, "no candidate can have width 0: .*greater than 0"),
        ({"width": -4, "sparsity": 0.1}, "section 'space': it holds no valid candidate: .*greater than 0"),
        ({"width": {"low": 9, "high": 3}, "sparsity": 0.1}, r"low \(9\) is above high \(3\)"),
        ({"width": [], "sparsity": 0.1}, "a choice needs at least one value"),
    ],
)
def test_values_that_no_candidate_can_have_are_refused(space, message, monkeypatch):
    import codesign_toy
    from pydantic import Field, create_model

    strict = create_model("Strict", width=(int, Field(gt=0)), sparsity=(float, ...))
    monkeypatch.setattr(codesign_toy, "ToyConfig", strict)
    with pytest.raises(InputError, match=message):
        resolve(study(space=space))


def test_values_that_only_some_candidates_can_have_are_not_refused():
    """Of a rare combination each value is possible, though most draws with it are none."""
    from codesign.flows.base import NoSettings
    from codesign.search.foresight import must_hold_candidates

    class Pairs:
        def suggest(self, space, choose):
            a, b = choose("a", list(range(8))), choose("b", list(range(8)))
            if a != b:
                raise ValueError("only pairs")

    class Plain:
        def suggest(self, space, choose):
            return NoSettings()

    must_hold_candidates(Pairs(), NoSettings(), Plain(), NoSettings(), "study")


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(InputError, match=r"toy.yaml: key 'width' stands twice, again in line 4"):
        parse_study("name: toy\nspace:\n  width: 3\n  width: 4\n", "toy.yaml")
