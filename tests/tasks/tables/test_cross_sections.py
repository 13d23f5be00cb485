"""Files of several processes, weighed to their cross-sections."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from codesign.core.errors import InputError
from codesign.tasks.tables.classification import TableClassification
from tests.tasks.tables.made import events


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three processes of other numbers of rows: a signal, and two backgrounds, of which one lies in two files."""
    made = tmp_path_factory.mktemp("processes")
    for name, rows, seed in (("signal", 200, 1), ("wjets", 500, 2), ("ttbar-1", 100, 3), ("ttbar-2", 300, 4)):
        _, columns = events(rows, seed)
        columns["gen"] = np.random.default_rng(seed).uniform(0.5, 1.5, rows)
        parquet.write_table(pa.table(columns), made / f"{name}.parquet")
    return made


def sample(folder, **more):
    files = {
        "background": [str(folder / "wjets.parquet"), str(folder / "ttbar-*.parquet")],
        "signal": [str(folder / "signal.parquet")],
    }
    given = {"files": files, "features": ["lepton_pt", "mass", "jets"]}
    return TableClassification().open(given | more, 1).sample


def sections(folder):
    values = {"wjets.parquet": 60.0, "ttbar-*.parquet": 30.0, "signal.parquet": 10.0}
    return {str(folder / name): value for name, value in values.items()}


@pytest.mark.parametrize("weights", [None, "gen"])
def test_each_process_weighs_its_cross_section(folder, weights):
    found = sample(folder, cross_sections=sections(folder), **({"weights": weights} if weights else {}))
    whole = found.weights.sum(dtype=np.float64)
    shares = [
        found.weights[part].sum(dtype=np.float64) / whole for part in (slice(500), slice(500, 900), slice(900, None))
    ]
    assert shares == pytest.approx([0.6, 0.3, 0.1], rel=1e-5)
    assert found.weights.mean() == pytest.approx(1, rel=1e-5)
    if weights is None:
        assert len(np.unique(found.weights[500:900])) == 1  # both files of a process are one sample
    else:
        gen = parquet.read_table(folder / "wjets.parquet")["gen"].to_numpy()
        assert found.weights[:500] / found.weights[0] == pytest.approx(gen / gen[0], rel=1e-5)


def test_what_is_not_selected_counts_in_the_normalisation(folder):
    """A cut takes cross-section away: an efficiency is no gain of weight for the rows that are left."""
    cut = "lepton_pt > 70"
    whole = sample(folder, cross_sections=sections(folder))
    left = sample(folder, cross_sections=sections(folder), select=cut)
    kept = whole.features[:, 0] > 70
    wanted = whole.weights[kept] / whole.weights[kept].mean()
    assert left.weights == pytest.approx(wanted, rel=1e-5)


def test_what_is_wrong_is_said(folder):
    known = sections(folder)
    few = dict(list(known.items())[:2])
    with pytest.raises(
        InputError, match=r"signal\.parquet' has none above 0; each entry of files has one, or none has"
    ):
        sample(folder, cross_sections=few)
    with pytest.raises(InputError, match=r"cross_sections: 'wjet\.parquet' is no entry of files"):
        sample(folder, cross_sections=known | {"wjet.parquet": 1.0})
    with pytest.raises(InputError, match="weigh 0 in all: none can be scaled"):
        sample(folder, cross_sections=known, weights="gen * 0")
