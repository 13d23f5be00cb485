"""Classes, an energy and its resolution from one network: a quantile is as often above as it says, in each family."""

import sys
from pathlib import Path

import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.records import SampleFacts
from codesign.data.sample import Splits
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.pipeline.parts import record
from codesign.tasks.base import Task
from codesign.tasks.weighting import event_weights
from codesign.training.lesson import Budget
from tests.graph.everywhere import exact_codes

PLUGIN = Path(__file__).parent / "plugin"
SPLITS = Splits(0.5, 0.1, 0.4, 1)
QUANTILES = (0.16, 0.5, 0.84)
FAMILIES = {
    "mlp": (
        MLP(),
        MLPConfig(widths=(16,), weight_bits=(7, 7), activation_bits=(7,), input_bits=8),
        Budget(25, 150, 0.02),
    ),
    "mlp-learned": (MLPLearned(), LearnedMLPConfig(widths=(16,), beta_low=1e-7, beta_high=1e-6), Budget(40, 100, 0.02)),
}


@pytest.fixture(scope="module")
def problem():
    sys.path.insert(0, str(PLUGIN))
    plugins.forget()
    yield plugins.load(Task, "clusters").open({"events": 8000, "energy_weight": 4.0}, 5)
    sys.path.remove(str(PLUGIN))
    plugins.forget()


def below(scores, part, which):
    """Share of the true energies below each quantile."""
    energy = scores[which, -len(QUANTILES) :]
    weights = event_weights(part)[which]
    return np.average(part.targets[which, :1] < energy, axis=0, weights=weights)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_quantiles_are_calibrated_beside_classes(problem, name):
    """On the test split, of all clusters, and of those that are measured well and badly each."""
    family, config, budget = FAMILIES[name]
    train, validation, test = (problem.sample.part(part, SPLITS) for part in ("train", "validation", "test"))
    facts = SampleFacts.model_validate(record(problem.sample, SPLITS) | {"outputs": problem.outputs(problem.sample)})
    lesson = lesson_of(problem, facts, config.input_width(), train, validation, None)
    trained = family.pick(family.fit(config, lesson, budget, 1), config, lesson)
    design = trained.design()
    scores = design.outputs.values(exact_codes(design, design.input_quantisation.codes(test.x)))
    assert problem.judge(scores, test, {})["accuracy"].value > 0.85
    assert below(scores, test, np.ones(len(test), bool)) == pytest.approx(QUANTILES, abs=0.05)
    width = scores[:, -1] - scores[:, -3]
    assert (width > 0).mean() > 0.99
    wide = width > np.median(width)
    for which in (wide, ~wide):
        assert below(scores, test, which) == pytest.approx(QUANTILES, abs=0.09)
    pions = test.y == 2
    assert np.median(width[pions]) > 2.5 * np.median(width[~pions]), "their resolution is five times worse"
    # what says the same of all is not: the planted fault
    plain = problem.baselines(train, 1)[0](test)
    assert abs(below(plain, test, pions)[2] - 0.84) > 0.12
