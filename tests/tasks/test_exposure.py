"""Events made for a training alone: what they are, what a teacher says of them, and who never sees them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.records import SampleFacts
from codesign.data.sample import Sample, Splits
from codesign.families.teaching import lesson_of
from codesign.physics.detector import tiers
from codesign.physics.detector.event_card import PoolChoice, load_event_card
from codesign.pipeline.parts import record
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.anomalies.anomaly import Anomaly, AnomalyProblem
from codesign.tasks.anomalies.anomaly_sample import ZERO_BIAS, AnomalySample
from codesign.tasks.anomalies.deposits import with_deposits
from codesign.tasks.distilled import Distilled
from codesign.tasks.exposure import EXPOSURE, genuine, made
from codesign.tasks.teacher_contract import TeacherChoice
from tests.tasks.hot_regions import hot_regions

SPLITS = Splits(0.4, 0.3, 0.3, 1)
STUDY: dict[str, Any] = {
    "name": "s", "task": "anomaly", "sample": {"regions": True}, "view": ["regions"], "family": "mlp",
    "target": "vu13p-360", "objectives": [{"name": "agreement", "direction": "maximise"}],
}  # fmt: skip


def regions(events: int = 3000) -> Sample:
    """Events of one pool lie together."""
    sample = hot_regions(events)
    return replace(sample, pools=100 * sample.labels + np.arange(events) // 10 % 20)


def taught(exposure: int, sample: Sample) -> tuple[Distilled, Sample]:
    choice = TeacherChoice(name="autoencoder", epochs=2, channels=3, latent=4, exposure=exposure)
    problem = Distilled(AnomalyProblem(AnomalySample(regions=True)), choice, 1)
    return problem, problem.completed(sample, SPLITS)


@pytest.fixture(scope="module")
def both() -> tuple[tuple[Distilled, Sample], tuple[Distilled, Sample]]:
    sample = regions()
    return taught(0, sample), taught(500, sample)


def test_made_events_are_learned_from_and_nobody_else_sees_them(both: Any) -> None:
    (plain, without), (problem, sample) = both
    assert len(sample) == len(without) + 500
    assert sample.class_names == (ZERO_BIAS, "hot", EXPOSURE)
    for name in ("validation", "test"):
        usual, own = without.part(name, SPLITS), sample.part(name, SPLITS)
        assert not made(own).any()
        assert np.array_equal(own.x, usual.x)
        assert np.array_equal(problem.said(own), plain.said(usual))  # the teacher did not learn from them
    train, before = sample.part("train", SPLITS), without.part("train", SPLITS)
    assert made(train).sum() == 500
    assert np.array_equal(genuine(train).x, before.x)
    assert np.array_equal(problem.said(genuine(train)), plain.said(before))
    assert problem.said(train)[made(train)].mean() > 2  # unusual, where the training split has mean 0 and spread 1
    one, other = (p.baselines(part, 1)[0] for p, part in ((problem, train), (plain, before)))
    test = without.part("test", SPLITS)
    assert np.array_equal(one(test), other(test))
    assert problem.undisturbed(test).tolist() == (test.y == 0).tolist()


def test_a_lesson_has_them_on_the_grid_of_the_others(both: Any) -> None:
    (plain, without), (problem, sample) = both
    lessons = []
    for p, s in ((plain, without), (problem, sample)):
        facts = SampleFacts.model_validate(record(s, SPLITS) | {"outputs": ["score"]})
        train, validation = s.part("train", SPLITS), s.part("validation", SPLITS)
        lessons.append(lesson_of(p, facts, 7, train, validation, "score"))
    usual, more = lessons
    assert more.quantisation == usual.quantisation
    assert len(more.train) == len(usual.train) + 500
    assert np.array_equal(more.train.x[: len(usual.train)], usual.train.x)
    assert len(more.train.target["score"]) == len(more.train)
    assert len(more.validation) == len(usual.validation)


def test_deposits_lie_over_zero_bias_and_nothing_else_changes() -> None:
    train = regions(400).part("train", SPLITS)
    found = with_deposits(train, 900, 3)
    assert len(found) == 900
    assert np.array_equal(found.x, with_deposits(train, 900, 3).x)
    assert not np.array_equal(found.x, with_deposits(train, 900, 4).x)
    source = {row.tobytes(): place for place, row in enumerate(train.features)}
    places = np.array([source[row.tobytes()] for row in found.features])
    more = found.block("regions") - train.block("regions")[places]
    assert more.min() == 0
    assert (more.reshape(900, -1).sum(axis=1) > 0).mean() > 0.95  # some lie beyond the edge
    assert 1 <= np.median((more > 0).reshape(900, -1).sum(axis=1)) <= 8
    assert np.array_equal(found.block("regions"), np.floor(found.block("regions")))
    full = replace(train, blocks={"regions": np.full_like(train.block("regions"), 1000)})
    assert with_deposits(full, 50, 1).x.max() == 1023


def test_what_makes_no_such_events_is_refused() -> None:
    sample = regions(600)
    choice = TeacherChoice(name="autoencoder", epochs=1, view=("features",), exposure=10)
    with pytest.raises(UnsupportedError, match="the task makes no events of which a teacher alone"):
        Distilled(AnomalyProblem(AnomalySample(regions=True)), choice, 1).completed(sample, SPLITS)
    assert Study(**STUDY, teacher={"name": "autoencoder", "exposure": 5}).teacher is not None
    with pytest.raises(ValueError, match="the teacher or a family sees something else"):
        Study(**STUDY, teacher={"name": "autoencoder", "exposure": 5, "view": ["features"]})
    two = {key: value for key, value in STUDY.items() if key != "family"}
    with pytest.raises(ValueError, match="the teacher or a family sees something else"):
        Study(
            **two, families=["mlp", {"name": "mlp-learned", "view": ["features"]}],
            teacher={"name": "autoencoder", "exposure": 5},
        )  # fmt: skip


def test_a_teacher_sees_what_the_study_shows() -> None:
    study = Study(**STUDY, teacher={"name": "autoencoder"})
    assert open_problem(study).settings["teacher"]["view"] == ["regions"]
    other = Study(**STUDY, teacher={"name": "autoencoder", "view": ["features"]})
    assert open_problem(other).settings["teacher"]["view"] == ["features"]
    plain = Study(**{key: value for key, value in STUDY.items() if key != "view"}, teacher={"name": "autoencoder"})
    assert open_problem(plain).settings["teacher"]["view"] == []
    assert Study.model_validate(study.model_dump(mode="json")) == study


def test_signals_have_soft_collisions_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, tuple[str, PoolChoice | None]] = {}

    def files(tier: str, card: str, *_: object, pool: PoolChoice | None, **__: object) -> list[Any]:
        asked[card] = tier, pool
        return []

    monkeypatch.setattr(tiers, "tier_files", files)
    for soft in (None, {"collisions": 300}, {"collisions": 300, "fresh_from": 30}):
        with pytest.raises(ValueError, match="need at least one array"):
            _ = Anomaly().open({"regions": True} | ({} if soft is None else {"soft": soft}), 1).sample
        own, others = asked.pop("zero-bias"), {pool for _, pool in asked.values()}
        (other,) = others
        assert own[0] == "regions"
        assert other is not None
        cards = [load_event_card("ttbar", pool=pool) for pool in (own[1], other)]
        assert cards[0].pool().digest() != cards[1].pool().digest()
        if soft is not None:
            assert {card.pile_up.collisions for card in cards} == {300}
            assert {card.pile_up.fresh_from for card in cards} == {float(soft.get("fresh_from", 10))}
    with pytest.raises(InputError, match="soft collisions are of simulated events"):
        Anomaly().open({"files": ["a"], "signal_files": {"b": ["c"]}, "soft": {"collisions": 200}}, 1)
