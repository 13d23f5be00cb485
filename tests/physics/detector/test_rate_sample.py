"""Zero bias for rates: the same events as whole ones, parts that outlive a kill, and weights that add up."""

import json

import awkward as ak
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.physics.detector import tiers
from codesign.physics.detector.event_card import load_event_card
from codesign.physics.detector.event_chunk import make_events
from codesign.physics.detector.level1_codes import make_level1
from codesign.physics.detector.rate_sample import EVENT, known_share, make_rate_sample, read_rate_sample
from codesign.physics.detector.seed_rates import SEEDS, make_seeds
from codesign.physics.detector.soft_pool import HARD_SHARE, read_pool
from codesign.tasks.anomalies.level1_inputs import coded_inputs, event_inputs


def drawn(rng, number, harder):
    """Events of which only the collisions are drawn, each with a number of its own."""
    found = np.zeros(number, EVENT)
    found["pile_up"] = rng.normal(46, 9, number)
    found["hard"] = rng.poisson(np.maximum(found["pile_up"], 0) * HARD_SHARE) + harder
    found["met"][:, 0, 0] = rng.integers(1, 4000, number)
    return found


def written(folder, plain, harder, **changes):
    """A folder as ``make_rate_sample`` writes it."""
    folder.mkdir(exist_ok=True)
    (folder / "events.bin").write_bytes(np.concatenate([plain, harder]).tobytes())
    facts = {"events": len(plain), "harder": len(harder), "hard_share": HARD_SHARE, "pile_up": 46, "pile_up_spread": 9,
             "seeds": [1, 2]}  # fmt: skip
    (folder / "sample.json").write_text(json.dumps(facts | changes))
    return folder


def test_weights_are_of_one_sample_and_add_up(tmp_path):
    rng = np.random.default_rng(1)
    plain, harder = drawn(rng, 40_000, 0), drawn(rng, 8_000, 1)
    found = read_rate_sample(written(tmp_path, plain, harder))
    assert isinstance(found.events, np.memmap)
    hard = found.events["hard"] > 0
    assert (found.weights[~hard] == 1).all()
    share = known_share(found.facts)
    assert share == pytest.approx(1 - np.exp(-46 * HARD_SHARE), abs=0.001)
    assert found.weights.sum() == pytest.approx(40_000, abs=5 * np.sqrt(4000))
    assert found.weights[hard].sum() / 40_000 == pytest.approx(share, abs=0.004)
    # what they say of two hard collisions: 40,000 plain events alone know it less well
    two = found.events["hard"] == 2
    mean = np.maximum(rng.normal(46, 9, 10**6), 0) * HARD_SHARE
    assert found.weights[two].sum() / 40_000 == pytest.approx(np.mean(mean**2 / 2 * np.exp(-mean)), rel=0.1)
    assert read_rate_sample(written(tmp_path, plain, harder[:0], seeds=[1])).weights is None


def test_what_counts_double_is_seen(tmp_path):
    rng = np.random.default_rng(2)
    plain, harder = drawn(rng, 40_000, 0), drawn(rng, 8_000, 1)
    with pytest.raises(InputError, match="some count double"):
        read_rate_sample(written(tmp_path, np.concatenate([plain, harder]), harder[:0]))  # stitched without weights
    with pytest.raises(InputError, match=r"2000 of 50000 events stand in it twice"):
        read_rate_sample(written(tmp_path, np.concatenate([plain, plain[:2000]]), harder))
    with pytest.raises(InputError, match="some count double, or are missing"):
        read_rate_sample(written(tmp_path, plain[plain["hard"] == 0], harder))


def test_a_folder_that_is_none_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no rate sample"):
        read_rate_sample(tmp_path)
    rng = np.random.default_rng(3)
    written(tmp_path, drawn(rng, 100, 0), drawn(rng, 0, 0))
    (tmp_path / "events.bin").write_bytes(b"short")
    with pytest.raises(InputError, match="5 bytes, and 100 events have"):
        read_rate_sample(tmp_path)
    (tmp_path / "sample.json").write_text('{"events": 5, "spoon": 1}')
    with pytest.raises(InputError, match="spoon"):
        read_rate_sample(tmp_path)
    with pytest.raises(InputError, match="is no zero bias"):
        make_rate_sample(tmp_path, 5, card="ttbar")


def test_an_event_is_what_the_whole_simulation_makes(small, event_cache):
    """Of the same crossings: the 57 inputs from codes, and from the record of all tiers."""
    card = load_event_card(small("zero-bias"), seed=7)
    pool = read_pool([p for p in event_cache.rglob("soft-*.npz") if p.stem.endswith("300")])
    whole = make_events(card, 0, 12, pool)
    codes = make_level1(card, 0, 12, pool)
    assert np.array_equal(coded_inputs(as_events(codes)), event_inputs(whole).features)
    assert np.array_equal(codes["pile_up"], ak.to_numpy(whole.Pileup.nTrueInt))
    for name, known in (("pool", "pool"), ("soft", "nSoft"), ("fresh", "nFresh")):
        assert np.array_equal(codes[name], ak.to_numpy(whole.Pileup[known])), name
    seen = make_seeds(card, 0, 12, pool)
    for seed, fired in zip(SEEDS.values(), seen["fires"].T, strict=True):
        assert np.array_equal(fired, seed.fires({name: whole[name] for name in ("L1Mu", "L1EG", "L1Jet", "L1EtSum")}))
    more = make_level1(card, 0, 12, pool, harder=1)
    assert np.array_equal(more["hard"], codes["hard"] + 1)


def as_events(arrays):
    found = np.zeros(len(arrays["hard"]), EVENT)
    for name in EVENT.names:
        found[name] = arrays[name]
    return found


def test_parts_outlive_a_kill(tmp_path, monkeypatch):
    """Ended in its third part, the same command makes that part and those behind it only."""
    made = []

    def make(pieces, workers, total, progress=None):
        for piece in pieces:
            number = piece.request["number"]
            made.append((piece.request["tier"], number))
            if len(made) == 3:
                raise KeyboardInterrupt
            rng = np.random.default_rng([piece.request["card"]["seed"], number])
            rows = drawn(rng, piece.size, int(piece.request["tier"] == "level1-hard"))
            more = dict.fromkeys(("pool", "soft", "fresh"), np.zeros(len(rows), np.int32))
            np.savez(piece.path.open("wb"), **{name: rows[name] for name in EVENT.names}, **more)

    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tiers, "make_pieces", make)
    monkeypatch.setattr(tiers, "pool_of", lambda *_: [])
    monkeypatch.setattr(tiers, "CHUNK_EVENTS", 500)
    folder = tmp_path / "rates"
    with pytest.raises(KeyboardInterrupt):
        make_rate_sample(folder, 2000, 600, "zero-bias", 5)
    assert not (folder / "sample.json").exists()
    assert not [p for p in folder.iterdir() if p.stat().st_size]
    facts = make_rate_sample(folder, 2000, 600, "zero-bias", 5)
    assert made == [*(("level1", k) for k in (0, 1, 2, 2, 3)), ("level1-hard", 0), ("level1-hard", 1)]
    assert facts.seeds == (5, 6)
    found = read_rate_sample(folder)
    assert len(found) == 2600
    assert (found.events["hard"][2000:] > 0).all()
    other = tmp_path / "other"
    make_rate_sample(other, 2000, 600, "zero-bias", 5)
    assert (other / "events.bin").read_bytes() == (folder / "events.bin").read_bytes()
