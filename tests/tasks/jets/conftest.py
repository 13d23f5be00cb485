import pytest

from codesign.physics.events import write_events
from tests.tasks.jets.toy_events import toy_events


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory):
    """12,000 dijet events with a known response, as a NanoAOD-like file."""
    path = tmp_path_factory.mktemp("toy") / "toy.root"
    write_events(path, toy_events(12000))
    return path
