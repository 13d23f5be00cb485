"""The user's own tables: six kinds of files are one sample, and what is wrong with a table is said in one line."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.data.input_tables import table_chunks
from codesign.data.sample import Splits
from codesign.study.definition import load_study
from codesign.study.init import write_study
from codesign.tasks.base import Task
from codesign.tasks.tables.classification import TableClassification
from codesign.tasks.tables.ranking import TableRanking
from codesign.tasks.tables.regression import TableRegression
from codesign.tasks.tables.table_metrics import calibration_error, efficiency_at
from codesign.testing.task_tests import TaskTests
from tests.tasks.tables.made import COLUMNS, LABELS, events, six_tables

FEATURES = ["lepton_pt", "lepton_eta", "log(mass)", "lepton_pt / ht", "jets"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return six_tables(tmp_path_factory.mktemp("tables"))


def settings_of(folder, name, **more):
    column, classes = LABELS[name]
    given = {"files": [str(folder / name)], "features": FEATURES, "label": {"column": column, "classes": classes}}
    return given | more


def opened(folder, name="b.parquet", **more):
    return TableClassification().open(settings_of(folder, name, **more), 1).sample


def test_the_same_events_from_six_kinds_of_files_are_one_sample(folder):
    first = opened(folder, "a.csv", select="lepton_pt > 25 & abs(lepton_eta) < 2.4")
    assert first.class_names == ("background", "signal")
    assert 0 < len(first) < 600
    for name in LABELS:
        found = opened(folder, name, select="lepton_pt > 25 & abs(lepton_eta) < 2.4")
        swapped = found.class_names != first.class_names  # by the order in which they are declared
        assert np.array_equal(found.labels == found.class_names.index("signal"), first.labels == 1), (name, swapped)
        assert np.array_equal(found.features, first.features), name


@pytest.mark.parametrize("name", LABELS)
def test_init_writes_a_study_that_needs_nothing_more(folder, tmp_path, name):
    study = load_study(str(write_study(folder / name, tmp_path / "own.yaml")))
    assert study.task == "classification"
    sample = plugins.load(Task, study.task).open(study.sample, study.seed).sample
    assert len(sample) == 600
    assert set(sample.feature_names) == set(COLUMNS)
    assert len(sample.class_names) == 2


class TestClassification(TaskTests):
    @pytest.fixture
    def task(self):
        return TableClassification()

    @pytest.fixture
    def settings(self, folder):
        return settings_of(folder, "a.csv")


class TestRegression(TaskTests):
    @pytest.fixture
    def task(self):
        return TableRegression()

    @pytest.fixture
    def settings(self, folder):
        return {
            "files": [str(folder / "f.root") + ":Events"],
            "features": ["lepton_pt", "lepton_eta", "jets"],
            "target": {"column": "log(ht)", "name": "log_ht", "middle": 4.5, "spread": 0.6},
            "quantiles": [0.16, 0.84],
        }


class TestRanking(TaskTests):
    @pytest.fixture
    def task(self):
        return TableRanking()

    @pytest.fixture
    def settings(self, folder):
        return settings_of(folder, "a.csv", trigger={"background": "background", "allowed": 0.2})


def test_a_trigger_keeps_the_share_of_background_that_is_allowed(folder):
    given = settings_of(folder, "a.csv", trigger={"background": "background", "allowed": 0.2})
    problem = TableRanking().open(given, 1)
    validation = problem.sample.part("validation", Splits(0.4, 0.3, 0.3, 3))
    scores = validation.features[:, :1].astype(np.float64)
    points = problem.working_points(scores, validation)
    found = problem.judge(scores, validation, points)
    background = validation.y == 0
    assert 0.15 < found["background_share"].value <= 0.2
    assert found["efficiency"].value == pytest.approx((scores[~background, 0] >= points["threshold"]).mean())
    assert found["auc"].value > 0.5
    few = TableRanking().open(settings_of(folder, "a.csv", trigger={"background": "background", "allowed": 0.01}), 1)
    with pytest.raises(InputError, match="9 are needed to set a threshold: allow more, or give at least 900"):
        few.working_points(scores, validation)
    with pytest.raises(InputError, match=r"'backgroud' is no class .did you mean 'background'"):
        TableRanking().open(settings_of(folder, "a.csv", trigger={"background": "backgroud", "allowed": 0.01}), 1)


def table(folder, name="own.parquet", **columns):
    y, own = events(400)
    parquet.write_table(pa.table({**own, "y": y} | columns), folder / name)
    return folder / name


def of_table(path, **more):
    given = {
        "files": [str(path)],
        "features": ["ht", "mass"],
        "label": {"column": "y", "classes": {0: "background", 1: "signal"}},
    }
    return TableClassification().open(given | more, 1).sample


NAN = np.where(np.arange(400) % 10 == 0, np.nan, np.arange(400.0))


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        (
            {"y": np.arange(400) % 3},
            {},
            r"holds 2 \(133\), which no class is declared for; of declared",
        ),
        ({"y": np.zeros(400, int)}, {}, "no row is of the class 'signal'"),
        ({"ht": np.full(400, np.nan)}, {}, "'ht' has no finite value in any row"),
        ({"ht": NAN}, {}, r"ht \(40 of 400\); say what is done with them"),
        ({"ht": np.ones(400)}, {}, "'ht' is 1 in every row"),
        ({}, {"features": ["ht", "ht * 1"]}, "hold the same"),
        ({}, {"features": ["ht", "ht"]}, "is there twice"),
        ({}, {"features": ["hat"]}, "no column 'hat'"),
        ({"w": np.zeros(400)}, {"weights": "w"}, "weight 0"),
        ({"w": np.arange(400) - 10.0}, {"weights": "w"}, "10 of 400 rows have a weight below 0"),
        ({}, {"select": "ht < 0"}, "no row of 400 is left"),
        ({"t": np.array(["x"] * 400)}, {"features": ["t", "ht"]}, "'t' holds text"),
        ({}, {"files": ["nowhere/*.csv"]}, "is the name of no file"),
        ({}, {"split": {"by": "run"}}, "no column 'run'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, columns, more, said):
    path = table(tmp_path, **columns)
    with pytest.raises(InputError, match=said) as error:
        of_table(path, **more)
    assert "\n" not in str(error.value)


def test_nothing_is_mapped_to_a_class_by_its_place(tmp_path):
    y = 1 - events(400)[0]
    path = table(tmp_path, y=y)
    one = of_table(path)
    other = of_table(path, label={"column": "y", "classes": {1: "background", 0: "signal"}})
    assert np.array_equal(one.labels == one.class_names.index("signal"), y == 1)
    assert np.array_equal(other.labels == other.class_names.index("signal"), y == 0)


@pytest.mark.parametrize(("policy", "rows"), [("drop", 360), ("median", 400), ("value", 400)])
def test_what_is_missing_follows_the_policy(tmp_path, policy, rows):
    sample = of_table(table(tmp_path, ht=NAN), missing={"policy": policy, "value": -1})
    assert len(sample) == rows
    assert sample.provenance["missing"] == {"ht": 40}
    splits = Splits(0.5, 0.25, 0.25, 3)
    filled = sample.filled(splits)
    if policy != "drop":
        train = NAN[sample.places("train", splits)]
        own = -1.0 if policy == "value" else float(np.nanmedian(train))
        assert own != np.nanmedian(NAN)  # all rows have another
        assert set(filled.features[::10, 0]) == {own}
        assert filled.fill["ht"] == own


def test_a_table_to_which_the_network_is_applied_is_filled_as_in_training(tmp_path):
    path = table(tmp_path, ht=NAN)
    sample = of_table(path, missing={"policy": "median"}).filled(Splits(0.5, 0.25, 0.25, 3))
    (rows,) = table_chunks(path, [sample.layouts[0]], 1000, fill=sample.fill)
    assert np.array_equal(rows.features, sample.features)
    with pytest.raises(InputError, match="row 0: nan is not a finite number"):
        list(table_chunks(path, [sample.layouts[0]], 1000))


def test_rows_of_one_value_stay_together_and_files_have_their_own_split(tmp_path):
    path = table(tmp_path, run=np.arange(400) // 20)
    sample = of_table(path, split={"by": "run"})
    splits = Splits(0.5, 0.25, 0.25, 3)
    runs = [set(np.arange(400)[sample.places(name, splits)] // 20) for name in ("train", "validation", "test")]
    assert not runs[0] & runs[1]
    assert not runs[0] & runs[2]
    others = [
        str(table(tmp_path, name, ht=np.arange(400.0) + i)) for i, name in ((1000, "v.parquet"), (2000, "t.parquet"))
    ]
    own = of_table(path, split={"validation": others[:1], "test": others[1:]})
    assert own.part("test", splits).features[:, 0].min() >= 2000
    assert len(own.part("train", splits)) == 400


def test_classes_by_file_and_weights(tmp_path):
    y, columns = events(400)
    for place, name in enumerate(("background", "signal")):
        rows = {key: values[y == place] for key, values in columns.items()}
        parquet.write_table(
            pa.table(rows | {"w": np.full((y == place).sum(), 1.0 + place)}), tmp_path / f"{name}.parquet"
        )
    files = {name: [str(tmp_path / f"{name}.parquet")] for name in ("background", "signal")}
    given = {"files": files, "features": ["ht", "mass"], "weights": "w"}
    sample = TableClassification().open(given, 1).sample
    assert np.bincount(sample.labels).tolist() == np.bincount(y).tolist()
    assert sample.weights.mean() == pytest.approx(1)
    assert sample.weights[sample.labels == 1][0] == pytest.approx(2 * sample.weights[sample.labels == 0][0])


def test_init_warns_of_what_tells_the_label(tmp_path):
    y, _ = events(400)
    path = table(tmp_path, leak=y * 2.0 + 1, same=np.ones(400), ht2=events(400)[1]["ht"], eventNumber=np.arange(400))
    text = write_study(path, tmp_path / "own.yaml").read_text()
    assert "NOTE: 'leak' alone tells the classes apart" in text
    assert "NOTE: 'same' is the same in every row" in text
    assert "NOTE: 'ht2' holds the same as 'ht'" in text
    study = load_study(str(tmp_path / "own.yaml"))
    assert study.sample["features"] == ["ht", "jets", "lepton_eta", "lepton_pt", "mass"]
    assert study.sample["split"] == {"by": "eventNumber"}


def test_a_table_of_any_names_is_shown(folder, capsys):
    from codesign.core.printing import print_facts
    from codesign.data.files import describe

    facts = describe(folder / "b.parquet")
    assert (facts["rows"], facts["label"]) == (600, "kind")
    print_facts(facts, False)
    assert "background (" in capsys.readouterr().out


def remarks(sample, **more):
    return list(TableClassification().open({"files": ["x"], "features": ["ht"], "label": LABEL} | more, 1).remarks(
        sample, Splits(0.5, 0.25, 0.25, 3)
    ))  # fmt: skip


LABEL = {"column": "y", "classes": {0: "background", 1: "signal"}}


def test_shares_are_told_before_anything_is_trained(tmp_path):
    y = (np.arange(400) % 40 == 0).astype(int)
    sample = of_table(table(tmp_path, y=np.where(np.arange(400) % 4 == 0, 1, 0)))
    said = remarks(sample)
    assert said[0] == "400 rows: background 300 (75.0%), signal 100 (25.0%)"
    assert any("the validation split has only" in text and "'signal'" in text for text in said)
    weighted = of_table(table(tmp_path, w=np.where(events(400)[0] == 1, 0.01, 1.0)), weights="w")
    said = remarks(weighted)
    assert said[1].startswith("by weight: background 99.")
    assert any("class_weights: balanced" in text for text in said)
    with pytest.raises(InputError, match=r"the training split has [0-9] rows of the class 'signal', and 10 are needed"):
        remarks(of_table(table(tmp_path, y=y)))


def test_init_says_what_will_not_work(tmp_path):
    y, _ = events(400)
    rare = np.where(np.arange(400) < 10, 2, y)
    given = table(tmp_path, y=rare, w=np.arange(400) % 50 - 5.0, number=np.arange(400) + 7)
    text = write_study(given, tmp_path / "own.yaml").read_text()
    assert "NOTE: 'number' numbers rows or events: left out" in text
    assert "NOTE: 400 rows are too few" in text
    assert "NOTE: 'y' is 2 in 10 rows only" in text
    assert "NOTE: the weight 'w' is below 0 in some rows: nothing can be learned from those" in text


def test_efficiency_and_calibration_are_what_they_say():
    rng = np.random.default_rng(5)
    signal = rng.random(20_000) < 0.3
    score = rng.normal(size=20_000) + 1.5 * signal
    found = efficiency_at(score, signal, 0.1)
    cut = np.quantile(score[~signal], 0.9)
    assert found.value == pytest.approx((score[signal] >= cut).mean(), abs=2e-3)
    assert efficiency_at(score[:50], signal[:50], 0.001) is None
    chance = rng.random(20_000)
    right = (rng.random(20_000) < chance).astype(np.int64)
    both = np.column_stack([1 - chance, chance])
    good = calibration_error(both, right)
    assert good.value < 5 * max(good.error, 1e-3)
    assert calibration_error(both[:, ::-1], right).value > 0.3  # planted: the chances of the other class
    heavy = np.where(np.arange(20_000) % 7 == 3, 2.0, 1.0)
    places = np.concatenate([np.arange(20_000), np.flatnonzero(heavy == 2)])
    assert calibration_error(both, right, heavy).value == pytest.approx(
        calibration_error(both[places], right[places]).value
    )
