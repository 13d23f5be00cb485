"""The same inputs from every kind of event file."""

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet

from codesign.data.sample import Splits
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.level1_inputs import FEATURES

TASK = Anomaly()


def inputs_of(path):
    """Rows of a file, through the sample, as name -> values of the events."""
    sample = TASK.open({"files": [str(path)], "signal_files": {"same": [str(path)]}}, 1).sample
    rows = sample.features[sample.labels == 0]
    assert np.array_equal(rows, sample.features[sample.labels == 1])
    return dict(zip(FEATURES, rows.T.tolist(), strict=True)), sample


def test_cms_level_1_data(tmp_path):
    columns = {
        "jets_jetIEt": [[100, 2047], [], [60]],
        "jets_jetIEta": [[-60, 10], [], [0]],
        "jets_jetIPhi": [[0, 143], [], [72]],
        "egammas_egIEt": [[20], [30], []],
        "egammas_egIEta": [[5], [-5], []],
        "egammas_egIPhi": [[1], [2], []],
        "muons_muonIEt": [[], [45], []],
        "muons_muonIEtaAtVtx": [[], [200], []],
        "muons_muonIPhiAtVtx": [[], [288], []],
        "ET_Et": [[500], [400], [300]],
        "MET_Et": [[40], [50], [60]],
        "MET_phi": [[0], [36], [108]],
    }
    table = {name: pyarrow.array(values, pyarrow.list_(pyarrow.int32())) for name, values in columns.items()}
    pyarrow.parquet.write_table(
        pyarrow.table(table | {"nPV_True": pyarrow.array([40.0, 50, 60])}), tmp_path / "e.parquet"
    )
    found, sample = inputs_of(tmp_path / "e.parquet")
    assert (found["jet0_pt"], found["jet0_eta"], found["jet0_phi"]) == ([2047, 0, 60], [10, 0, 0], [-1, 0, -72])
    assert (found["jet1_pt"], found["jet1_eta"]) == ([100, 0, 0], [-60, 0, 0])
    assert (found["eg0_pt"], found["muon0_pt"], found["muon0_eta"]) == ([20, 30, 0], [0, 45, 0], [0, 200, 0])
    assert (found["met_pt"], found["met_phi"]) == ([40, 50, 60], [0, 36, -36])
    assert sample.truth["pile_up"].tolist() == [40, 50, 60] * 2


def test_anomaly_detection_challenge(tmp_path):
    particles = np.zeros((4, 19, 4), dtype=np.float32)
    particles[:, 0] = [25, 0, 1, 1]
    particles[0, 1] = [30, 1, 2, 2]
    particles[1, 5] = [20, -1, 2, 3]
    particles[1, 9:11] = [[90, 2, 1, 4], [40, 3, 1, 4]]
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["Particles"] = particles
    found, sample = inputs_of(tmp_path / "e.h5")
    assert found["met_pt"] == [50] * 4
    assert found["eg0_pt"] == [60, 0, 0, 0]
    assert (found["muon0_pt"][1], found["jet0_pt"][1], found["jet1_pt"][1]) == (41, 180, 80)
    assert found["jet0_eta"][1] == round(2 / 0.0435)
    assert not sample.truth["pile_up"].any()


def test_published_events_without_a_trigger(published_data, record_property):
    """Gluinos stand out of the Standard Model's events of DarkMachines, channel 1, for detectors that never saw one."""
    folder = "darkmachines_chan1"
    background = published_data(f"{folder}/background_chan1_7.79_reduced.csv")
    signal = published_data(f"{folder}/glgl1600_neutralino800_chan1_reduced.csv")
    sample = TASK.open({"files": [str(background)], "signal_files": {"gluino": [str(signal)]}}, 1).sample
    train, test = (sample.part(name, Splits(0.5, 0.1, 0.4, 1)) for name in ("train", "test"))
    assert set(train.y) == {0}
    areas = {}
    problem = TASK.open({}, 1)
    for baseline in problem.baselines(train, 1):
        scores = baseline(test)
        points = dict.fromkeys(["threshold", "half_score"], float(scores.max()))
        points |= {f"{kind}_{name}": 1e9 for kind in ("menu", "half") for name in ("jet", "ht", "met", "eg", "muon")}
        areas[baseline.name.split(" (")[0]] = problem.judge(scores, test, points)["auc_gluino"]
    record_property("auc", {name: (m.value, m.error) for name, m in areas.items()})
    assert areas["isolation forest"].value > 0.6
    assert areas["MET"].value > 0.7
    assert all(0.002 < m.error < 0.03 for m in areas.values())
