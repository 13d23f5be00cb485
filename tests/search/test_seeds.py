"""Configurations that a study wants tried first come first, and one that is not in its space is refused by name."""

import pytest
import yaml

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.resources import available
from codesign.core.runfolder import RunFolder
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.search.resolve import resolve
from codesign.search.seeds import seed_parameters
from codesign.study.definition import load_study, parse_study
from tests.search.small_search import STUDY, changed, search

SEEDS = [{"width": 12, "sparsity": 0.25}, {"width": 3, "sparsity": 0.0}, {"width": 12, "sparsity": 0.25}]


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_seeds_are_tried_first_and_once(sampler, tmp_path):
    study = changed(search={"trials": 6, "sampler": sampler, "population": 3, "seeds": SEEDS})
    search(study, tmp_path, workers=2)
    configs = {t.number: t.read_json("config.json") for t in RunFolder(tmp_path).trials()}
    assert sorted(configs) == list(range(6))
    assert configs[1] == SEEDS[1]
    assert [c for c in configs.values() if c == SEEDS[0]] == [SEEDS[0]], "a seed that repeats another is drawn anew"


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ({"width": 41, "sparsity": 0.1}, "entry 1: width is 41, which is not in the study's space"),
        ({"width": 4, "sparsity": 0.1, "depth": 2}, "depth"),
        ({"width": 4}, "sparsity"),
        ({"width": 4, "sparsity": 0.1, "flow.nosuch": 1}, "nosuch"),
        ({"width": 4, "sparsity": 0.1, "flow.reuse": 3}, "flow.reuse is 3, which is not in the study's space, None"),
    ],
)
def test_a_seed_outside_the_space_is_refused_before_any_work(seed, words, tmp_path):
    with pytest.raises(InputError, match=words):
        search(changed(search={"trials": 2, "seeds": [seed]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", available("search"))
def test_seeds_of_shipped_studies_are_in_their_spaces(name):
    study = load_study(name)
    resolve(study)


@pytest.mark.parametrize("name", ["mlp", "mlp-learned", "vae", "autoencoder"])
def test_every_family_takes_back_what_it_draws(name):
    """Drawn at random and given as a seed, a configuration comes to the parameters of which it was drawn."""
    import numpy as np

    from codesign.core.space import Choice, Fixed, parse

    family, flow = plugins.load(Family, name), plugins.load(Flow, "alkaid")
    given = {
        "depth": {"low": 1, "high": 3}, "width": [8, 15, 28], "weight_bits": {"low": 2, "high": 6}, "latent": [2, 4],
        "activation_bits": {"low": 2, "high": 6}, "input_bits": {"low": 4, "high": 8}, "sparsity": [0.2, 0.5],
        "beta_low": 1e-5, "beta_high": {"low": 1e-5, "high": 1e-3, "log": True},
    }  # fmt: skip
    space = family.space.model_validate({k: v for k, v in given.items() if k in family.space.model_fields})
    rng, drawn = np.random.default_rng(1), {}

    def choose(parameter, dimension):
        dimension = parse(dimension)
        if isinstance(dimension, Fixed):
            return dimension.value
        if isinstance(dimension, Choice):
            value = dimension.values[int(rng.integers(len(dimension.values)))]
        elif dimension.integer:
            value = int(rng.integers(dimension.low, dimension.high + 1))
        else:
            value = float(rng.uniform(dimension.low, dimension.high))
        drawn[parameter] = value
        return value

    for _ in range(20):
        drawn.clear()
        config = family.suggest(space, choose).model_dump(mode="json")
        assert seed_parameters(config, family, space, flow, flow.space(), "here") == drawn


def test_a_study_keeps_its_seeds():
    study = parse_study(yaml.safe_dump(yaml.safe_load(STUDY) | {"search": {"seeds": SEEDS}}), "toy.yaml")
    assert parse_study(study.to_yaml(), "again.yaml") == study
