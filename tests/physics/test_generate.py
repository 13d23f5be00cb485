from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from codesign.core.errors import InputError, ToolError
from codesign.data import generated as generate
from codesign.data.files import make_data
from codesign.data.generated import generated_sample
from codesign.data.readers import read_sample
from codesign.physics import cache
from codesign.physics.card import load_card, shipped_cards
from codesign.physics.chunk import make_chunk
from codesign.physics.substructure import FEATURE_NAMES, features_of

pytest.importorskip("pythia8mc", reason="pythia8mc is not installed")
pytest.importorskip("fastjet", reason="fastjet is not installed")


@pytest.fixture(scope="module")
def small_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped card without multi-parton interactions, two of its classes: fast."""
    card = load_card("jets-13tev").model_dump(mode="json")
    card |= {"name": "small", "multiparton_interactions": False, "classes": [card["classes"][i] for i in (1, 4)]}
    path = tmp_path_factory.mktemp("card") / "small.yaml"
    path.write_text(yaml.safe_dump(card))
    return path


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of what only looks at jets: they are made once."""
    return tmp_path_factory.mktemp("shared") / "cache"


def edited(path: Path, target: Path, **changes: object) -> str:
    target.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return str(target)


@pytest.mark.slow
def test_seed_and_interactions_change_the_jets(small_card: Path) -> None:
    card = load_card(str(small_card))
    jets = make_chunk(card, 0, 0, 10).features
    np.testing.assert_array_equal(make_chunk(card, 0, 0, 20).features[:10], jets)
    for other in (
        make_chunk(card, 0, 1, 10),
        make_chunk(card.model_copy(update={"seed": 2}), 0, 0, 10),
        make_chunk(card.model_copy(update={"multiparton_interactions": True}), 0, 0, 10),
    ):
        assert (other.features != jets).any()


def test_same_sample_whatever_the_processes(small_card: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes or one, whole or in two steps, with or without damaged chunks: the same jets."""
    monkeypatch.setattr(generate, "CHUNK_JETS", 40)
    seen: list[tuple[int, int]] = []
    sample = generated_sample(str(small_card), 161, progress=lambda done, total: seen.append((done, total)), workers=2)
    assert sample.features.shape == (161, 16)
    assert sample.labels.tolist() == [i % 2 for i in range(161)]
    assert sample.class_names == ("q", "t")
    assert seen[-1] == (161, 161)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert len(seen) > 4
    assert sample.provenance["generator_version"].startswith("8.")
    assert sample.provenance["card"]["seed"] == sample.provenance["seed"] == 1

    chunks = sorted(own_cache.rglob("*.npz"))
    assert [p.stem for p in chunks] == ["q-00000", "q-00001", "q-00002", "t-00000", "t-00001"]
    chunks[0].unlink()
    chunks[3].write_bytes(chunks[3].read_bytes()[:100])
    again = generated_sample(str(small_card), 161, workers=1)
    np.testing.assert_array_equal(again.features, sample.features)
    np.testing.assert_array_equal(again.constituents, sample.constituents)

    calls: list[object] = []
    monkeypatch.setattr(generate, "make_pieces", lambda *a: calls.append(a))
    shorter = generated_sample(str(small_card), 100)  # all in the cache
    np.testing.assert_array_equal(shorter.features, sample.features[:100])
    assert not calls


def test_physics_of_the_jets(small_card: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(shared_cache))
    sample = generated_sample(str(small_card), 200)
    assert sample.constituents is not None
    pt, deta, dphi = np.moveaxis(sample.constituents, 2, 0)
    assert (np.diff(pt, axis=1) <= 0).all()
    assert np.quantile(np.hypot(deta, dphi)[pt > 0], 0.999) < 0.5  # anti-kt jets are round, nearly
    assert (pt.sum(axis=1) < 1500).all()
    assert np.median(pt.sum(axis=1)) > 800
    mass, count = (sample.features[:, FEATURE_NAMES.index(n)] for n in ("mass_mmdt", "multiplicity"))
    quark, top = sample.labels == 0, sample.labels == 1
    assert 90 < np.median(mass[top]) < 185
    assert np.median(mass[quark]) < 40
    assert np.median(count[quark]) < np.median(count[top])
    assert (count >= (pt > 0).sum(axis=1)).all()

    leading = generated_sample(str(small_card), 200, leading=16)
    np.testing.assert_array_equal(leading.features, features_of(sample.constituents[:, :16]))
    assert leading.provenance["features_from"] == "16 leading constituents"


def test_killed_and_started_again(small_card: Path, own_cache: Path) -> None:
    """A kill in the middle leaves whole chunks only, and no lock; the next run goes on from them."""
    code = (
        "from codesign.data import generated; generated.CHUNK_JETS = 50; "
        f"generated.generated_sample({str(small_card)!r}, 4000, workers=2)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2])
    deadline = time.monotonic() + 120
    while not list(own_cache.rglob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    card = load_card(str(small_card))
    folder = cache.cache_folder(card, generate.GENERATION_VERSION)
    chunks = list(folder.glob("*.npz"))
    assert 0 < len(chunks) < 80
    for path in chunks:
        assert cache.read_chunk(path, 50) is not None, path
    with cache.hold_folder(folder):
        pass
    assert len(generated_sample(str(small_card), 20)) == 20


def test_make_data(small_card: Path, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    path = make_data(str(small_card), 20)
    assert path == Path("small-20.parquet")
    root = make_data(str(small_card), 20, tmp_path / "jets.root")
    np.testing.assert_array_equal(read_sample(root).features, read_sample(path).features)
    assert read_sample(path).provenance["card"]["name"] == "small"
    with pytest.raises(InputError, match=r"not '\.csv'"):
        make_data(str(small_card), 20, tmp_path / "jets.csv")
    with pytest.raises(InputError, match="only cards of trigger events have pile-up"):
        make_data(str(small_card), 20, pile_up=60)


def test_cards_are_checked(small_card: Path, own_cache: Path, tmp_path: Path) -> None:
    assert "jets-13tev" in shipped_cards()
    with pytest.raises(InputError, match=r"'jets-13te'.*did you mean 'jets-13tev'"):
        load_card("jets-13te")
    target = tmp_path / "bad.yaml"
    with pytest.raises(InputError, match=r"unknown key 'sead'.*did you mean 'seed'"):
        load_card(edited(small_card, target, sead=3))
    with pytest.raises(InputError, match="set by the keys 'seed'"):
        load_card(edited(small_card, target, common=["Random:seed = 3"]))
    with pytest.raises(InputError, match="does not know the setting 'Beams:nonsense = 3'"):
        generated_sample(edited(small_card, target, common=["Beams:nonsense = 3"]), 10)
    with pytest.raises(InputError, match=r"class '[qt]': only \d+ jets pass out of"):
        generated_sample(edited(small_card, target, jets={"pt_min": 6000.0}), 10)
    target.write_text("a: [")
    with pytest.raises(InputError, match="not valid YAML"):
        load_card(str(target))
    for arguments, message in (((1,), "too small"), ((10, None, 0), "at least 1"), ((10, None, 1, 33), "1 to 32")):
        with pytest.raises(InputError, match=message):
            generated_sample(str(small_card), *arguments)


def test_missing_generator_is_named(small_card: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    with pytest.raises(ToolError, match=r"pip install pythia8mc==8\.317\.2 fastjet==3\.5\.2\.0"):
        make_chunk(load_card(str(small_card)), 0, 0, 5)


def test_crashing_worker(small_card: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match="ended early"):
        generated_sample(str(small_card), 10)
