"""The search's benchmarks: volumes, times and ranks, tables that searches are replayed in, and their verdict."""

import json

import pytest

from codesign.core.figures import Fidelity
from codesign.pipeline.scoring import Score
from codesign.search.distributions import choose
from tests.benchmarks import families
from tests.benchmarks.search import replay, samplers, tables
from tests.benchmarks.search.record import Searches, read_section, write_section
from tests.benchmarks.search.tables import BOXES, Entry, every, key_of, small_study
from tests.benchmarks.search.volume import Box, at, ranks, reached

BOX = Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 100.0))


def test_a_share_is_of_the_box_between_the_best_and_the_reference_point():
    assert BOX.share([(0.75, 50.0)]) == pytest.approx(0.25)
    assert BOX.share([(0.75, 50.0), (1.0, 75.0)]) == pytest.approx(0.25 + 0.125)
    assert BOX.share([(0.75, 50.0), (0.7, 60.0)]) == pytest.approx(0.25), "what is dominated adds nothing"
    assert BOX.share([(0.5, 10.0), (0.9, 100.0)]) == 0, "no better than the reference point counts nothing"
    assert BOX.share([(1.0, 0.0)]) == 1
    three = Box(("minimise",) * 3, (0.0, 0.0, 0.0), (1.0, 2.0, 4.0))
    assert three.share([(0.5, 1.0, 2.0)]) == pytest.approx(0.125)
    assert three.share([(-1.0, 1.0, 2.0)]) == pytest.approx(0.25), "no share grows beyond the best"


def test_when_a_share_is_reached():
    steps = [(2.0, 0.1), (5.0, 0.3), (9.0, 0.4)]
    assert [at(steps, t) for t in (1, 2, 8.9, 100)] == [0, 0.1, 0.3, 0.4]
    assert [reached(steps, level) for level in (0.05, 0.1, 0.31, 0.5)] == [2.0, 2.0, 9.0, None]


def test_equal_values_share_their_rank():
    assert ranks({"a": 0.3, "b": 0.5, "c": 0.3, "d": 0.1}) == {"a": 2.5, "b": 1, "c": 2.5, "d": 4}


def made_up(study):
    """A table of every candidate: the accuracy rises with what it costs, wide ones are refused, 1 s each; a training
    has the second of all that share it."""
    found = {}
    for candidate in every(study):
        cost = candidate.cost(16, 5)
        key = key_of(candidate)
        given = {"refused": 0.5} if max(candidate.widths) > 24 else {
            "metrics": {"accuracy": (1 - 1 / (1 + cost / 1000), 0.01)},
            "figures": {"lut": cost / 3, "latency_ns": 5.0},
        }  # fmt: skip
        found[key] = Entry(key, key[:6], 1.0, 1.0, **given)
    return found


@pytest.fixture(scope="module")
def table():
    return made_up(small_study("jet-tagger", "random", 1))


def test_a_table_has_every_candidate_that_a_sampler_draws(table):
    import optuna

    from codesign.search.resolve import resolve

    study = small_study("jet-tagger", "random", 1)
    resolved = resolve(study)
    assert len(table) == 640  # 4 + 16 widths, 4 and 2 bits, 4 sparsities
    draws = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(200):
        assert key_of(resolved.family.suggest(resolved.space, choose(draws.ask()))) in table


def test_a_replayed_search_ends_with_its_seconds(table):
    """The recorded ones, a training's once; the front is of feasible candidates, and the same draws give the same."""
    study, box = small_study("jet-tagger", "random", 3), BOXES["jet-tagger"]
    found = replay.replayed(study, table, 30.0, box)
    assert 30.0 <= found["seconds"] < 33.0
    assert 15 < found["trials"] <= 30 - found["sampling_seconds"]
    assert found["hypervolume"] == pytest.approx(box.share(found["front"]), abs=1e-5)
    assert 0 < found["others"] < found["trials"]
    assert all(lut <= 6000 for _, lut in found["front"])
    again = replay.replayed(study, table, 30.0, box)
    assert again["front"] == found["front"]
    twice = {key: Entry(**(vars(e) | {"seconds": 2.0})) for key, e in table.items()}
    assert replay.replayed(study, twice, 30.0, box)["trials"] < found["trials"]


def test_what_a_table_keeps_is_what_it_was(table, tmp_path):
    path = tmp_path / "tables.json"
    tables.write_tables({"jet-tagger": table}, path)
    assert tables.read_tables(path) == {"jet-tagger": json_like(table)}
    other = json.loads(path.read_text())
    other["tables"]["jet-tagger"]["problem"]["population"] = 9
    path.write_text(json.dumps(other))
    assert tables.read_tables(path) == {}, "of another study"


def json_like(table):
    return {k: Entry(**(vars(e) | {"metrics": {n: list(v) for n, v in e.metrics.items()}})) for k, e in table.items()}


def search(sampler, seed, *steps, study="jet-tagger"):
    return {"study": study, "sampler": sampler, "seed": seed, "trials": 30, "sampling_seconds": 0.1, "steps": steps}


def test_the_summary_compares_within_a_study_and_seed():
    late = samplers.SECONDS["jet-tagger"]
    found = [
        search("random", 1, (1.0, 0.1), (late, 0.2)),
        search("tpe", 1, (1.0, 0.3), (late + 1, 0.4)),
        search("random", 2, (1.0, 0.2)),
        search("tpe", 2, (1.0, 0.3)),
        search("random", 3, (1.0, 0.1)),
    ]
    table = samplers.summary(found, {"jet-tagger": 0.5})
    row = table["over_all"]["tpe"]
    assert row["volume"] == {"mean": 0.6, "deviation": 0.0, "searches": 2}, "what came after the budget does not count"
    assert row["against_random"] == {"mean": 0.2, "error": 0.0, "searches": 2}, "seed 3 has no pair"
    assert row["half_way"]["mean"] == 0.3
    assert table["over_all"]["random"]["rank"]["mean"] == 2
    assert table["studies"]["jet-tagger"]["random"]["volume"]["searches"] == 3
    alone = samplers.summary([s for s in found if s["sampler"] == "tpe"], {"jet-tagger": 0.5})
    assert alone["verdict"].startswith("not measured")


def test_a_sampler_is_the_default_only_beyond_twice_its_error():
    def found(*gains):
        pairs = [("random", 0.0), ("nsga2", 0.0), ("tpe", None)]
        return [
            search(name, seed, (1.0, 0.4 + (gain if fixed is None else fixed)))
            for seed, gain in enumerate(gains, start=1)
            for name, fixed in pairs
        ]

    whole = {"jet-tagger": 1.0}
    assert samplers.summary(found(0.05, 0.06, 0.05, 0.06), whole)["verdict"].startswith("tpe: better than random")
    assert samplers.summary(found(0.1, -0.09, 0.08, -0.05), whole)["verdict"].startswith("random: none is better")


@pytest.mark.parametrize("name", BOXES)
def test_small_studies_differ_in_their_sampler_only(name):
    first = small_study(name, "nsga2", 1).model_dump()
    for sampler in samplers.SAMPLERS:
        other = small_study(name, sampler, 1).model_dump()
        assert other.pop("search") == first["search"] | {"sampler": sampler}
        assert other == {k: v for k, v in first.items() if k != "search"}
    assert [o["direction"] for o in first["objectives"]] == list(BOXES[name].directions)


def test_searches_of_the_record_are_replaced_one_by_one_and_those_made_otherwise_left_out(tmp_path):
    path = tmp_path / "search.json"

    def add(seconds, way, seed, value):
        searches = Searches(path, "ladder", lambda section, search: section["seconds"] == seconds)
        searches.add(
            {"way": way, "seed": seed, "value": value},
            lambda s: (s["way"], s["seed"]),
            lambda found: {"seconds": seconds, "total": sum(s["value"] for s in found)},
        )
        return read_section(path, "ladder")

    write_section(path, "workers", {"left": "alone"})
    add(60, "plain", 2, 5)
    add(60, "plain", 1, 1)
    section = add(60, "plain", 2, 3)
    assert [(s["seed"], s["value"]) for s in section["searches"]] == [(1, 1), (2, 3)]
    assert section["total"] == 4
    assert add(90, "plain", 3, 7)["total"] == 7, "another budget begins anew"
    assert read_section(path, "workers")["left"] == "alone"


def test_what_each_family_gives_to_a_front():
    """Two of three points are of networks; without them only the trees' is left; a dominated one counts as a trial."""
    values = {0: (0.9, 60.0), 1: (0.7, 20.0), 2: (0.8, 40.0), 3: (0.6, 90.0)}
    names = {0: "mlp", 1: "mlp", 2: "trees", 3: "trees", 4: "trees"}
    scores = [Score(trial, v, (None, Fidelity.COMPILED)) for trial, v in values.items()]
    found = families.summary(names, scores, {"mlp": 3.0}, BOX)
    assert [(p["trial"], p["family"]) for p in found["front"]] == [(0, "mlp"), (1, "mlp"), (2, "trees")]
    trees = found["families"]["trees"]
    assert (trees["trials"], trees["within_bounds"], trees["points_on_the_front"]) == (3, 2, 1)
    assert trees["hypervolume_alone"] == found["families"]["mlp"]["hypervolume_without_it"] == 0.36
    assert trees["hypervolume_without_it"] == pytest.approx(BOX.share([values[0], values[1]]), abs=1e-5)
    assert found["hypervolume"] > trees["hypervolume_without_it"]
    assert (found["families"]["mlp"]["processor_seconds"], trees["processor_seconds"]) == (3.0, 0.0)
