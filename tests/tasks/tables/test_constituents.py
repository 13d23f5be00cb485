"""Lists of any length become a block of items, the same in a study and where a network is applied."""

import awkward as ak
import numpy as np
import pytest
import uproot

from codesign.core.errors import InputError
from codesign.data.input_tables import lacking, table_chunks
from codesign.study.definition import load_study
from codesign.study.init import write_study
from codesign.tasks.tables.classification import TableClassification
from codesign.testing.task_tests import TaskTests

ROWS = 300


def parts(seed=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, ROWS)
    counts = rng.integers(0, 9, ROWS)
    flat = {name: rng.exponential(20, counts.sum()) + 1 for name in ("pt", "eta")}
    return y, {name: ak.unflatten(values, counts) for name, values in flat.items()}


def written(folder, kind="parquet", extra=None):
    y, lists = parts()
    columns = {f"Cand_{name}": values for name, values in lists.items()} | {"y": y, "ht": np.arange(ROWS) % 50 + 1.0}
    columns |= extra or {}
    if kind == "root":
        path = folder / "items.root"
        with uproot.recreate(path) as file:
            file["Events"] = columns
        return path
    path = folder / "items.parquet"
    ak.to_parquet(ak.Array(columns), path)
    return path


def study(path, **own):
    return {
        "files": [str(path)],
        "features": ["ht"],
        "label": {"column": "y", "classes": {0: "background", 1: "signal"}},
        "constituents": {"collection": "Cand", "fields": ["pt", "log(pt)"], "max": 4, "sort": "-pt", **own},
    }


def block(path, **own):
    return TableClassification().open(study(path, **own), 1).sample.blocks[0]


@pytest.mark.parametrize("kind", ["parquet", "root"])
def test_the_hardest_items_come_first_and_absent_ones_are_zeros(tmp_path, kind):
    found = block(written(tmp_path, kind))
    assert found.layout.shape == (4, 2)
    for row, values in zip(parts()[1]["pt"].to_list(), found.values, strict=True):
        hardest = sorted(row, reverse=True)[:4]
        assert values[:, 0].tolist() == [np.float32(v) for v in hardest] + [0.0] * (4 - len(hardest))
        assert values[: len(hardest), 1] == pytest.approx(np.log(hardest), rel=1e-6)
        assert not values[len(hardest) :].any()


def test_a_masked_block_says_which_items_are_there(tmp_path):
    found = block(written(tmp_path), absent="masked")
    assert found.layout.fields == ("pt", "log(pt)", "valid")
    assert found.values[:, :, 2].sum(axis=1).tolist() == [min(len(row), 4) for row in parts()[1]["pt"].to_list()]


@pytest.mark.parametrize("own", [{}, {"absent": "masked"}, {"sort": ""}, {"sort": "pt"}])
def test_where_it_is_applied_the_network_is_given_the_same(tmp_path, own):
    path = written(tmp_path)
    found = block(path, **own)
    assert lacking([found.layout], ["ht", "Cand_pt"]) is None
    assert lacking([found.layout], ["ht", "pt"]) == "Cand"
    (rows,) = table_chunks(path, [found.layout], 1000, arrange=TableClassification().arrange)
    assert np.array_equal(rows.features, found.values.reshape(ROWS, -1))


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"collection": "Jets"}, "there is no collection 'Jets'"),
        ({"fields": ["pt", "mass"]}, "no column 'mass'"),
        ({"fields": ["pt", "pt"]}, "two of its fields have one name"),
        ({"max": 1024, "fields": ["pt"] + [f"pt * {i}" for i in range(2, 80)]}, "are more than 65536 numbers"),
        ({"fields": ["pt", "ht"]}, "'ht' is one number a row"),
    ],
)
def test_what_is_no_collection_is_said_in_one_line(tmp_path, own, said):
    with pytest.raises(InputError, match=said) as error:
        block(written(tmp_path), **own)
    assert "\n" not in str(error.value)


def test_lists_of_other_lengths_and_missing_values_are_told(tmp_path):
    _, lists = parts()
    path = written(tmp_path, extra={"Cand_eta": lists["pt"][:, :2]})
    with pytest.raises(InputError, match=r"row [0-9]+: columns 'Cand_pt' and 'Cand_eta' have lists of other lengths"):
        block(path, fields=["pt", "eta"])
    path = written(tmp_path, extra={"Cand_pt": ak.where(lists["pt"] > 60, np.nan, lists["pt"])})
    with pytest.raises(InputError, match=r"Cand.pt \([0-9]+ of 300\).*say what is done"):
        block(path)
    sample = TableClassification().open(study(path) | {"missing": {"policy": "drop"}}, 1).sample
    assert 0 < len(sample) < ROWS
    with pytest.raises(InputError, match="a median is of features"):
        TableClassification().open(study(path) | {"missing": {"policy": "median"}}, 1).sample  # noqa: B018


@pytest.mark.slow
class TestWithConstituents(TaskTests):
    @pytest.fixture
    def task(self):
        return TableClassification()

    @pytest.fixture
    def settings(self, tmp_path):
        return study(written(tmp_path))


def test_init_offers_the_collections_that_it_sees(tmp_path):
    text = write_study(written(tmp_path), tmp_path / "own.yaml").read_text()
    offered = "  # constituents: {collection: Cand, fields: [pt, eta], max: 8, sort: -pt}\n"
    assert offered in text
    (tmp_path / "own.yaml").write_text(text.replace(offered, offered.replace("# ", "")))
    study = load_study(str(tmp_path / "own.yaml"))
    sample = TableClassification().open(study.sample, 1).sample
    assert sample.blocks[0].layout.shape == (8, 2)
    assert sample.feature_names[:2] == ("ht", "Cand_eta[0]")
