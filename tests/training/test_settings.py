"""Training settings of a study: each makes another network and another key, what is a range is drawn, and what a family
does not go by is refused before anything is trained."""

import numpy as np
import pytest
import torch
import yaml

from codesign.core import plugins
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.records import SampleFacts
from codesign.families.base import Family
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import Teaching, lesson_of
from codesign.families.torch_trained import truths_of
from codesign.pipeline.kept import training_key
from codesign.search.resolve import resolve
from codesign.study.definition import load_study, parse_study
from codesign.study.training_settings import Training
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.losses import Loss, with_loss
from codesign.tasks.tables.classification import TableClassification
from codesign.training.objectives import HeadsLoss, WeightedLoss
from tests.heads.two_heads import facts_of
from tests.search.conftest import STUDY
from tests.tasks.tables.made import six_tables

CONFIG = MLPConfig(widths=(6,), weight_bits=(4, 4), activation_bits=(4,), input_bits=6)
#: each is one change; of all of them the networks and the keys are different
CHANGES = [
    {},
    {"optimiser": "sgd"},
    {"optimiser": "nadam"},
    {"optimiser": "rmsprop"},
    {"schedule": "cosine"},
    {"schedule": "exponential"},
    {"schedule": "constant"},
    {"weight_decay": 0.2},
    {"learning_rate": 0.011},
    {"batch": 50},
    {"patience": 1, "schedule": "constant", "learning_rate": 0.5},
    {"class_weights": {"signal": 3.0}},
    {"loss": "focal"},
    {"loss": "label-smoothing"},
]


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    folder = six_tables(tmp_path_factory.mktemp("tables"))
    settings = {
        "files": [str(folder / "a.csv")],
        "features": ["ht", "mass", "lepton_pt"],
        "label": {"column": "is_signal", "classes": {0: "background", 1: "signal"}},
    }
    return TableClassification().open(settings, 1)


def training(**changes):
    return Training.model_validate({"epochs": 4, "batch": 64, "learning_rate": 0.02} | changes)


def lesson(problem, chosen):
    from codesign.data.sample import Splits

    parts = [problem.sample.part(name, Splits(0.6, 0.2, 0.2, 1)) for name in ("train", "validation")]
    return lesson_of(problem, facts_of(problem), 6, *parts, None, taught=chosen.teaching())


def test_every_setting_makes_another_network_and_another_key(problem):
    study, facts = load_study("jet-tagger"), facts_of(problem)
    networks, keys = set(), set()
    for change in CHANGES:
        chosen = training(**change)
        files = MLP().fit(CONFIG, lesson(problem, chosen), chosen.budget(), 3)
        networks.add(b"".join(files.values()))
        own = study.model_copy(update={"training": chosen})
        keys.add(training_key(own, CONFIG, 3, facts, problem, plugins.load(Family, "mlp"), None))
    assert (len(networks), len(keys)) == (len(CHANGES), len(CHANGES))


def test_without_a_change_the_record_is_what_it_was():
    assert training().record() == {"epochs": 4, "batch": 64, "learning_rate": 0.02}
    assert yaml.safe_load(load_study("jet-tagger").to_yaml())["training"] == {
        "epochs": 90, "batch": 512, "learning_rate": 0.02, "device": "cpu"
    }  # fmt: skip


def test_patience_takes_the_network_of_the_smallest_validation_loss(problem):
    """Planted: the last network. With a rate as large as this the loss goes up and down."""
    chosen = training(epochs=30, learning_rate=0.5, schedule="constant", patience=6)
    given = lesson(problem, chosen)
    told = []
    found = MLP().fit(CONFIG, given, chosen.budget(), 3, progress=lambda done, total: told.append(done))
    assert 6 < len(told) < 30
    last = training(epochs=len(told), learning_rate=0.5, schedule="constant")
    files = {"best": found, "last": MLP().fit(CONFIG, given, last.budget(), 3)}
    heads, held = given.subject.heads, given.validation
    values = {}
    for name, one in files.items():
        design = MLP().pick(one, CONFIG, given).design()
        codes = given.quantisation.port.codes(held.x)
        scores = MLP().pick(one, CONFIG, given).references()["Brevitas"](codes)
        outputs = torch.as_tensor(design.outputs.values(scores), dtype=torch.float32)
        values[name] = float(HeadsLoss(heads)(outputs, torch.as_tensor(truths_of(held, heads))))
    assert values["best"] < values["last"]


def test_balanced_classes_count_alike(problem):
    part = problem.sample.part("train", _splits())
    facts = facts_of(problem)
    few = part.taken(np.concatenate([np.flatnonzero(part.y == 0), np.flatnonzero(part.y == 1)[:20]]))
    factors = Teaching(class_weights="balanced").factors(facts, few, None)
    each = [factors[k] * (few.y == k).sum() for k in (0, 1)]
    assert each[0] == pytest.approx(each[1])
    assert sum(each) == pytest.approx(len(few))
    with pytest.raises(InputError, match=r"'signl' is no class of the sample \(did you mean 'signal'\?\)"):
        Teaching(class_weights={"signl": 2.0}).must_fit(facts)
    with pytest.raises(InputError, match="has no classes"):
        Teaching(class_weights="balanced").must_fit(facts.model_copy(update={"class_names": ("all",)}))


def _splits():
    from codesign.data.sample import Splits

    return Splits(0.6, 0.2, 0.2, 1)


@pytest.mark.parametrize("name", plugins.names(Loss))
def test_every_loss_is_a_mean_over_events_and_falls(name):
    loss = plugins.load(Loss, name)
    classes = loss.instead_of == ("cross-entropy",)
    generator = torch.Generator().manual_seed(1)
    target = torch.arange(40) % 3 if classes else (torch.arange(40) % 2).float()[:, None]
    outputs = torch.randn((40, 3 if classes else 1), generator=generator).requires_grad_()
    weighted = WeightedLoss(loss)(outputs, target, torch.ones(40))  # refuses what is no mean
    value = loss(outputs, target)
    assert float(weighted) == pytest.approx(float(value), rel=1e-5)
    value.backward()
    assert float(loss(outputs - 0.1 * outputs.grad, target)) < float(value)


def test_a_loss_stands_for_what_it_can_stand_for():
    heads = (Head("classes", ("a", "b"), LossObjective("cross-entropy")), Head("e", ("e",), LossObjective("squared")))
    assert [h.objective.name for h in with_loss(heads, "focal")] == ["own", "squared"]
    assert with_loss(heads, "") == heads
    with pytest.raises(UnsupportedError, match="'huber' stands for the objective squared, and the task's are classes"):
        with_loss(heads[:1], "huber")
    with pytest.raises(InputError, match=r"unknown name 'focl' among the losses \(did you mean 'focal'\?\)"):
        with_loss(heads, "focl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimiser": "adm"}, r"there is no optimiser 'adm' \(did you mean 'adam'\?\)"),
        ({"schedule": ["cosine", "cyclic"]}, "there is no schedule 'cyclic'"),
        ({"learning_rate": {"low": -1.0, "high": 0.1}}, "-1 is none: it lies between"),
        ({"batch": 0}, "0 is none"),
        ({"patience": 0}, "greater than or equal to 1"),
        ({"class_weights": {"signal": 0.0}}, "the factor 0 of 'signal'"),
        ({"learning_rate": "fast"}, "expected a number, found 'fast'"),
        ({"momentum": 0.9}, "unknown key 'training.momentum'"),
    ],
)
def test_a_setting_that_is_none_is_refused_in_one_line(change, said):
    given = yaml.safe_load(STUDY)
    with pytest.raises(InputError, match=said) as error:
        parse_study(yaml.safe_dump(given | {"training": change}), "own.yaml")
    assert "\n" not in str(error.value)


def jets(family, space, **changes):
    given = yaml.safe_load(load_study("jet-tagger").to_yaml()) | {"family": family, "space": space}
    return parse_study(yaml.safe_dump(given | {"training": {"epochs": 4} | changes}), "own.yaml")


def test_what_a_family_does_not_go_by_is_refused():
    trees = yaml.safe_load(load_study("jet-tagger-trees").to_yaml())
    given = parse_study(yaml.safe_dump(trees | {"training": {"epochs": 4, "optimiser": "sgd"}}), "own.yaml")
    with pytest.raises(InputError, match=r"training.optimiser is set, and the training of 'trees' does not go by it"):
        resolve(given)
    learned = load_study("jet-tagger-learned")
    with pytest.raises(InputError, match=r"training.patience is set, and the training of 'mlp-learned' does not"):
        resolve(jets("mlp-learned", learned.model_dump(mode="json")["space"], patience=3))


def test_facts_without_classes_are_no_classes():
    facts = SampleFacts(feature_names=("x",), units=("1",), class_names=())
    assert Teaching().factors(facts, None, None) is None
