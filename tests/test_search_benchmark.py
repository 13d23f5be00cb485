"""The arithmetic of the search's benchmarks: volumes, times and ranks."""

import pytest

from codesign.search.progress import Shown
from tests.benchmarks.search import ladder, rungs, samplers
from tests.benchmarks.search.budget import Watch
from tests.benchmarks.search.record import Searches, read_section, write_section
from tests.benchmarks.search.small_studies import BOXES, SAMPLERS, small_study
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


def test_the_table_compares_within_a_study_and_seed():
    def search(sampler, seed, front):
        volume = BOXES["jet-tagger"].share(front)
        return {"study": "jet-tagger", "sampler": sampler, "seed": seed, "trials": 30} | {
            "front": front,
            "hypervolume": volume,
        }

    found = [
        search("nsga2", 1, [(0.75, 3000.0)]),
        search("tpe", 1, [(1.0, 3000.0)]),
        search("nsga2", 2, [(0.75, 3000.0)]),
        search("tpe", 2, [(0.625, 3000.0)]),
        search("nsga2", 3, [(0.9, 1000.0)]),
    ]
    table = samplers.summary(found)
    assert table["over_all"]["tpe"]["rank"] == {"mean": 1.5, "deviation": 0.7071, "searches": 2}
    assert table["over_all"]["nsga2"]["volume"]["searches"] == 2, "seed 3 lacks a sampler"
    # shares of the box: 0.25 and 0.5 with seed 1, 0.25 and 0.125 with seed 2; the better is the whole of its seed
    differences = [(0.5 - 0.25) / 0.5, (0.125 - 0.25) / 0.25]
    assert table["over_all"]["tpe"]["against_nsga2"]["mean"] == pytest.approx(sum(differences) / 2, abs=1e-4)
    assert table["studies"]["jet-tagger"]["nsga2"]["volume"]["searches"] == 3
    assert table["verdict"].startswith("not measured")


def test_a_sampler_is_the_default_only_beyond_twice_its_error():
    def search(sampler, seed, accuracy):
        front = [(accuracy, 3000.0)]
        volume = BOXES["jet-tagger"].share(front)
        return {"study": "jet-tagger", "sampler": sampler, "seed": seed, "trials": 9, "front": front} | {
            "hypervolume": volume
        }

    def found(*gains):
        pairs = [("random", 0.0), ("nsga2", 0.0), ("tpe", None)]
        return [
            search(name, seed, 0.8 + (gain if fixed is None else fixed))
            for seed, gain in enumerate(gains, start=1)
            for name, fixed in pairs
        ]

    assert samplers.summary(found(0.05, 0.06, 0.05, 0.06))["verdict"].startswith("tpe: better than random")
    assert samplers.summary(found(0.1, -0.09, 0.08, -0.05))["verdict"].startswith("random: none is better")


def test_the_ladders_summary():
    def search(way, seed, steps, stopped=0):
        return {"way": way, "seed": seed, "steps": steps, "trials": 10, "stopped": stopped}

    short = "12 epochs first"
    found = [
        search("plain", 1, [[10.0, 0.2], [80.0, 0.4], [120.0, 0.9]]),
        search(short, 1, [[20.0, 0.45], [90.0, 0.5]], 6),
    ]
    table = ladder.summary(found, 100.0)
    assert table["ways"]["plain"]["volume"]["mean"] == 0.4, "what came after the budget does not count"
    assert table["ways"][short]["volume_half_way"]["mean"] == 0.45
    assert table["ways"][short]["trained_in_full"] == 4
    assert table["seconds_to_the_plain_end"] == {"1": {"plain": 80.0, short: 20.0}}
    assert table["over_plain_median"] == {"plain": 1.0, short: 0.25}
    late = [*found, search("plain", 2, [[10.0, 0.2]]), search(short, 2, [[10.0, 0.1]])]
    assert ladder.summary(late, 100.0)["over_plain_median"][short] is None, "no ratio where one never arrives"


def test_how_well_a_rung_foretells_the_end():
    """Four networks; after the rung the two best seem to be two others of the final front."""
    final = [(0.5, 100.0), (0.6, 200.0), (0.7, 400.0), (0.55, 300.0)]
    same = rungs.foretold(final, final, events=10**6)
    assert same == {"accuracy_rank_correlation": 1.0, "front": 3, "of_it_kept": 3, "kept": 3}
    turned = [(0.7, 100.0), (0.6, 200.0), (0.5, 400.0), (0.65, 300.0)]
    found = rungs.foretold(turned, final, events=10**6)
    assert found["of_it_kept"] == 1
    assert found["accuracy_rank_correlation"] < 0


def test_a_search_ends_with_its_budget(monkeypatch):
    clock = iter([100.0, 104.0, 106.0])
    monkeypatch.setattr("tests.benchmarks.search.budget.processor_seconds", lambda: next(clock))
    watch = Watch(5.0, BOX)
    watch.show(Shown(stage="search", running={0: "training"}))  # the first trial is not counted
    watch.show(Shown(stage="search", complete=1, front=[(0, (0.75, 50.0))]))
    watch.show(Shown(stage="search", complete=2, front=[(0, (0.75, 50.0))]))
    with pytest.raises(KeyboardInterrupt):
        watch.show(Shown(stage="search", complete=2, failed=1, front=[(1, (1.0, 50.0))]))
    assert watch.steps == [(0.0, 0.25), (6.0, 0.5)]
    assert watch.counts == {"complete": 2, "infeasible": 0, "failed": 1, "stopped": 0}


@pytest.mark.parametrize("name", BOXES)
def test_small_studies_differ_in_their_sampler_only(name):
    first = small_study(name, "nsga2", 1).model_dump()
    for sampler in SAMPLERS:
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
