"""What an earlier version made still opens, or is refused in one line that says why.

``<commit>/made.zip`` holds a run of three trials, a bundle of one of them, the store that the run filled, and the
events, all made by that commit (``python -m tests.frozen.freeze``): a tagger of 16 features and 4 or 6 neurons. Logs
are left out.
:data:`EXPECTED` says what is to become of each command; a version that means to refuse one says so there.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from codesign.cli import main
from codesign.core.store import Store

HERE = Path(__file__).resolve().parent
COMMITS = sorted(p.name for p in HERE.iterdir() if (p / "made.zip").is_file())
#: the first is opened in every run of the tests, what others made at night
FIRST = "7957331"

#: reasons to refuse what was made before there were seals
UNSEALED = r"\b(seal|sealed|signed|signature|key|trusted)\b"


@dataclass(frozen=True)
class Expected:
    """What becomes of a command: it prints ``works``, or, where that is allowed, its one line matches ``refusal``."""

    command: str
    works: str
    refusal: str | None = None
    slow: bool = False

    @property
    def parameter(self):
        return pytest.param(self, id=self.command, marks=[pytest.mark.slow] if self.slow else [])


#: in this order: each may use what those before it left
EXPECTED = (
    Expected("report run -o page", r"page"),
    Expected("run frozen.yaml --run run --store store", r"1 +0\.9155 ± 0\.008\d +198\.34", UNSEALED),
    Expected("verify run 1", r"exact", UNSEALED),
    Expected("handoff run 1 -o new-bundle", r"new-bundle", UNSEALED),
    Expected("check bundle", r"1000 +integers equal to golden\.npz[\s\S]*, 0 wrong"),
    Expected("apply bundle jets.parquet -o scores.parquet", r"2,?000"),
    Expected("verify run 1 --again", r"exact", UNSEALED, slow=True),
    Expected("check bundle --emulator --events 1000", r"equal", slow=True),
    Expected("synth run 1", r"lut", UNSEALED, slow=True),
    Expected(
        "run frozen.yaml --run run --store store --trials 4", r"1 +0\.9155 ± 0\.008\d +198\.34", UNSEALED, slow=True
    ),
)


@pytest.fixture(scope="module", params=[c if c == FIRST else pytest.param(c, marks=pytest.mark.slow) for c in COMMITS])
def made(request, tmp_path_factory):
    """The folder in which that commit ran, as it was left."""
    folder = tmp_path_factory.mktemp(request.param)
    with zipfile.ZipFile(HERE / request.param / "made.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("expected", [e.parameter for e in EXPECTED])
def test_opens_or_says_why_not(expected, made, monkeypatch, capfd):
    monkeypatch.chdir(made)
    monkeypatch.setattr("sys.argv", ["codesign", *expected.command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()
    if ended.value.code in (0, None):
        assert re.search(expected.works, said.out), said.out
        return
    assert ended.value.code == 1, said.err
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert expected.refusal is not None, line
    assert re.search(expected.refusal, line), line


def test_the_store_gives_what_it_holds_or_nothing(made):
    store = Store(str(made / "store"))
    files_of = sorted((made / "store").rglob("*.zip"))
    entries = [(p.relative_to(made / "store").parts[0], p.stem) for p in files_of]
    assert {kind for kind, _ in entries} == {"weights", "firmware", "synthesis"}
    for kind, key in entries:
        files = store.get(kind, key, dict)
        assert files is None or all(isinstance(content, bytes) and content for content in files.values())
