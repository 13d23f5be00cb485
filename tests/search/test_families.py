"""One study that searches several families: each with what is its own, and an equal share of the processor time."""

import pytest
import yaml

from codesign.core.errors import InputError
from codesign.core.records import Front, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.report.collect import collect
from codesign.report.compare import write_comparison
from codesign.report.family_rows import family_rows
from codesign.report.html import write_report
from codesign.search.bench import Bench
from codesign.search.messages import Settings
from codesign.search.resolve import resolve
from codesign.search.shares import Shares
from codesign.search.storage import open_study
from codesign.study.definition import FAMILY, parse_study
from tests.search.conftest import STUDY
from tests.search.small_search import Notes, search, statuses

SPACES = {"toy": {"width": {"low": 1, "high": 40}, "sparsity": {"low": 0.0, "high": 0.9}}, "narrow": {"taps": [1, 2]}}
EACH = [
    {"name": "toy", "space": SPACES["toy"], "training": {"epochs": 3}},
    {"name": "narrow", "space": {"taps": {"low": 1, "high": 60}}, "flow": {"name": "toy", "reuse": [1, 2]}},
]


def several(families=EACH, space=None, **changes):
    one = {k: v for k, v in yaml.safe_load(STUDY).items() if k not in ("family", "space")}
    more = {} if space is None else {"space": space}
    return parse_study(yaml.safe_dump(one | more | changes | {"families": families}), "toy.yaml")


def family_of(run):
    return {t.number: t.read_json("config.json")[FAMILY] for t in run.trials()}


@pytest.mark.parametrize("sampler", [pytest.param("nsga2", marks=pytest.mark.slow), "tpe"])
def test_each_family_is_searched_with_what_is_its_own(sampler, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "seen")
    # shares go by measured time: of so many trials the slower family has more than a generation of two, too
    study = several(search={"trials": 30, "sampler": sampler, "population": 2}, training={"epochs": 9})
    front = search(study, tmp_path, workers=2)
    run = RunFolder(tmp_path)
    assert set(family_of(run).values()) == {"toy", "narrow"}
    for folder in run.trials():
        config, seen = folder.read_json("config.json"), (folder.path / "seen.txt").read_text()
        if config[FAMILY] == "toy":
            assert set(config) == {FAMILY, "width", "sparsity"}
            assert seen == "toy ('features',) 3 {}"
        else:
            assert set(config) == {FAMILY, "taps", "width", "sparsity", "flow.reuse"}
            assert seen == "narrow ('features',) 9 {'reuse': [1, 2]}"
    assert {p.config[FAMILY] for p in front.points} <= {"toy", "narrow"}
    assert Front.model_validate_json((tmp_path / "front.json").read_text()) == front
    (tmp_path / "parts" / "test.npz").unlink()
    bench = Bench(Settings(study, str(tmp_path), None, "toy"), run, lambda stage: None)
    for folder in run.trials():  # as on a cluster: from its files alone
        before = (folder.path / "seen.txt").read_text()
        (folder.path / "seen.txt").unlink()
        status = bench.carry_out({"kind": "Evaluate", "trial": folder.number, "note": None})["status"]
        assert status["state"] in ("complete", "infeasible")
        assert (folder.path / "seen.txt").read_text() == before
    trials = open_study(run, study, None).get_trials(deepcopy=False)
    if sampler == "nsga2":  # of each family alone
        keys = [f"NSGAIISampler:{name}:generation" for name in ("toy", "narrow")]
        assert all(max(t.system_attrs.get(key, 0) for t in trials) > 0 for key in keys)
        assert not any(all(key in t.system_attrs for key in keys) for t in trials)
    names = [set(t.params) for t in trials if t.params]
    wide, narrow = {"family", "toy.width", "toy.sparsity"}, {"family", "narrow.taps", "narrow.flow.reuse"}
    assert {frozenset(n) for n in names} == {frozenset(wide), frozenset(narrow)}


def test_shares_of_the_processor_time_are_equal_within_a_trial(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "burns")
    study = several(search={"trials": 16, "sampler": "random"})
    search(study, tmp_path)
    run, times = RunFolder(tmp_path), {"toy": [], "narrow": []}
    for number, family in family_of(run).items():
        times[family].append(run.trial(number).read("status.json", TrialStatus).processor)
    assert min(times["narrow"]) > 0.15
    longest = max(max(t) for t in times.values())
    assert abs(sum(times["toy"]) - sum(times["narrow"])) <= longest + 0.1
    assert len(times["toy"]) > len(times["narrow"]), "whose trainings are shorter has more of them"


def test_it_goes_on_where_it_was(tmp_path):
    study = several(search={"trials": 4, "population": 2})
    search(study, tmp_path)
    before = {n: s.seconds for n, s in statuses(tmp_path).items()}
    search(several(search={"trials": 9, "population": 2}), tmp_path, workers=2)
    found = statuses(tmp_path)
    assert sorted(found) == list(range(9))
    assert {n: found[n].seconds for n in before} == before
    with pytest.raises(InputError, match="holds a run of another study: families"):
        search(several([EACH[1], EACH[0]]), tmp_path)


def test_a_family_without_candidates_left_leaves_the_rest_to_the_others(tmp_path):
    notes = Notes()
    # shares go by measured time: of so many trials the one that is begun late has its second, too
    study = several(["toy", "narrow"], SPACES, search={"trials": 40, "sampler": "random"})
    search(study, tmp_path, progress=notes)
    found = family_of(RunFolder(tmp_path))
    assert sorted(found) == list(range(40))
    assert sum(f == "narrow" for f in found.values()) == 2
    assert notes.notes == ["family 'narrow' has no other candidates in its space: the other families go on"]
    only = several(["narrow", "toy"], {"narrow": {"taps": 1}, "toy": {"width": 1, "sparsity": 0.1}})
    search(only, tmp_path / "all", progress=notes)
    assert any("stopped after 2 of 10 trials" in note for note in notes.notes)


def test_seeds_say_which_family_they_are_of(tmp_path):
    seeds = [{FAMILY: "narrow", "taps": 5, "width": 5, "sparsity": 0.5, "flow.reuse": 2}]
    seeds.append({FAMILY: "toy", "width": 7, "sparsity": 0.25})
    search(several(search={"trials": 3, "seeds": seeds}), tmp_path)
    assert [t.read_json("config.json") for t in RunFolder(tmp_path).trials()][:2] == seeds
    with pytest.raises(InputError, match=r"entry 1: study.family is '', which is none of the study's families"):
        resolve(several(search={"seeds": [{"width": 7, "sparsity": 0.25}]}))


def test_names_take_what_the_study_says_for_all():
    study = several(["toy", "narrow"], SPACES, training={"epochs": 5})
    assert [study.alone(n).space for n in study.named] == [SPACES["toy"], SPACES["narrow"]]
    assert {study.alone(n).training.epochs for n in study.named} == {5}
    assert parse_study(study.to_yaml(), "again") == study
    assert study.alone("toy").families == ()


@pytest.mark.parametrize(
    ("families", "more", "words"),
    [
        (["toy"], {"family": "toy"}, "'family', or 'families' for several: give one of the two"),
        ([], {}, "'family', or 'families' for several"),
        (["toy", "toy"], {}, "'toy' is there twice"),
        (["toy"], {"space": {"wide": {}}}, "'wide' is none"),
        (["toy", "narow"], {"space": {"toy": SPACES["toy"]}}, r"narow"),
        ([{"name": "toy", "vew": ["features"]}], {}, "families.0.vew"),
        (["toy"], {"space": {"toy": {"width": 3}}}, r"family 'toy', section 'space'.*sparsity"),
        ([5], {}, "families.0"),
    ],
)
def test_what_is_wrong_is_named(families, more, words):
    with pytest.raises(InputError, match=words) as caught:
        resolve(several(families, **more))
    assert "\n" not in str(caught.value)


def test_whose_turn_it_is():
    shares = Shares(["a", "b", "c"])
    given = []
    for trial in range(3):
        given.append(shares.next())
        shares.begin(trial, given[-1])
    assert given == ["a", "b", "c"], "one of each, though none has ended"
    for trial, name, seconds in ((0, "a", 10.0), (1, "b", 1.0), (2, "c", 4.0)):
        assert shares.end(trial) == name
        shares.add(name, seconds)
    assert shares.next() == "b"
    for trial in range(3, 6):
        shares.begin(trial, "b")
    assert shares.next() == "c", "three that run count a mean each"
    shares.exhaust("c")
    shares.exhaust("b")
    assert shares.next() == "a"
    shares.exhaust("a")
    assert shares.next() is None


def test_the_report_says_what_each_family_gave(tmp_path):
    study = several(search={"trials": 12, "sampler": "random"})
    search(study, tmp_path / "run")
    run = collect(tmp_path / "run")
    rows, whole = family_rows(run)
    assert [r.name for r in rows] == ["toy", "narrow"]
    assert sum(r.trials for r in rows) == 12
    assert sum(r.front for r in rows) == len(run.points)
    assert sum(r.share for r in rows) == pytest.approx(1)
    assert [rows[0].without, rows[1].without] == [rows[1].alone, rows[0].alone], "of two families"
    assert whole >= max(r.alone for r in rows)
    page = write_report(tmp_path / "run", tmp_path / "report.html").read_text()
    assert '<table class="overview stack" id="families">' in page
    assert '"families":[["toy","#0072B2"],["narrow","#D55E00"]]' in page.replace(", ", ",").replace(": ", ":")
    assert "<dt>Families</dt><dd>toy, narrow, compiled by toy</dd>" in page
    search(parse_study(STUDY, "toy.yaml"), tmp_path / "one", 3)
    assert 'id="families"' not in write_report(tmp_path / "one", tmp_path / "one.html").read_text()
    both = write_comparison(tmp_path / "run", tmp_path / "one", tmp_path / "both.html").read_text()
    assert "narrow: taps" in both
