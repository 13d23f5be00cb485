import pytest
import yaml

from codesign.core.errors import InputError
from codesign.core.figures import Fidelity
from codesign.core.resources import available
from codesign.study.definition import load_study, parse_study

MINIMAL = {
    "name": "s",
    "task": "jet-tagging",
    "family": "mlp",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}],
}


def parse(**changes):
    return parse_study(yaml.safe_dump({k: v for k, v in (MINIMAL | changes).items() if v is not None}), "s.yaml")


def test_what_a_study_leaves_out_has_a_default():
    study = parse()
    assert (study.flow.name, study.seed, study.search.sampler) == ("alkaid", 1, "random")
    assert study.splits.train == 0.6


def test_no_dsp_at_all_is_a_possible_constraint():
    assert parse(constraints=[{"name": "dsp", "max": 0}]).constraints[0].max == 0


def test_survives_being_written_and_read():
    study = parse(constraints=[{"name": "lut", "max": 100}], space={"depth": {"low": 1, "high": 3}})
    assert parse_study(study.to_yaml(), "again") == study


def test_objectives_know_their_fidelity():
    study = parse(objectives=[{"name": "lut", "direction": "minimise"}, {"name": "accuracy", "direction": "maximise"}])
    assert [o.fidelity for o in study.objectives] == [Fidelity.COMPILED, None]


@pytest.mark.parametrize("name", available("search"))
def test_shipped_studies_load(name):
    assert load_study(name).name == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objektives": []}, r"s.yaml, line [0-9]+: unknown key 'objektives' \(did you mean 'objectives'\?\)"),
        ({"search": {"trails": 3}}, r"unknown key 'search.trails' \(did you mean 'trials'\?\); known here: trials"),
        ({"search": {"trials": 0}}, r"'search.trials': .*greater than or equal to 1 \(given: 0\)"),
        ({"search": {"sampler": "nsga"}}, r"'search.sampler'.*'nsga2'"),
        ({"target": None}, "key 'target' is missing"),
        ({"objectives": []}, "'objectives'"),
        ({"objectives": [{"name": "accuracy", "direction": "up"}]}, r"'objectives.0.direction'.*\(given: 'up'\)"),
        ({"splits": {"train": 0.5, "validation": 0.2, "test": 0.2}}, "'splits': .*must add up to 1"),
        ({"constraints": [{"name": "lut"}]}, "constraint on 'lut' needs a min or a max"),
        (
            {"constraints": [{"name": "lut", "min": 5, "max": 3}]},
            "impossible constraint: 'lut' at least 5 and at most 3",
        ),
        ({"constraints": [{"name": "lut", "max": 0}]}, "impossible constraint: 'lut' at most 0"),
        ({"constraints": [{"name": "dsp", "max": -1}]}, "impossible constraint: 'dsp' at most -1"),
        ({"name": "Bad Name"}, "'name'"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_an_error_names_the_key_and_what_to_do(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(**changes)
    assert "\n" not in str(caught.value)


def test_broken_yaml_is_one_line():
    with pytest.raises(InputError, match=r"s.yaml: not valid YAML") as caught:
        parse_study("a: [1", "s.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "just text"])
def test_yaml_that_is_no_mapping_is_refused(text):
    with pytest.raises(InputError, match=r"expected a mapping of keys to values"):
        parse_study(text, "s.yaml")


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'jet-tagger'"):
        load_study("jet-tager")
