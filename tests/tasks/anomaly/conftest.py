import pytest

from codesign.data.sample import Splits
from codesign.physics.events.writing import write_events
from codesign.tasks.anomalies.anomaly import Anomaly
from tests.tasks.anomaly.toy_level1 import toy_level1

SPLITS = Splits(0.4, 0.3, 0.3, 1)


@pytest.fixture(scope="session")
def toy_settings(tmp_path_factory):
    """The ``sample`` section of a study on toy files."""
    folder = tmp_path_factory.mktemp("toy-level1")
    made = {
        "zero": toy_level1(9000, 1),
        "hard": toy_level1(600, 2, hard=40.0),
        "muonic": toy_level1(600, 3, muons=3.0),
    }
    for name, events in made.items():
        write_events(folder / f"{name}.root", events)
    return {
        "files": [str(folder / "zero.root")],
        "signal_files": {n: [str(folder / f"{n}.root")] for n in ("hard", "muonic")},
    }


@pytest.fixture(scope="session")
def toy_sample(toy_settings):
    return Anomaly().open(toy_settings, 1).sample


@pytest.fixture(scope="session")
def toy_parts(toy_sample):
    return [toy_sample.part(name, SPLITS) for name in ("train", "validation", "test")]
