"""The best designs trained again: other seeds, the same events, resumable, a failure costs its own row only."""

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Front, FrontPoint, Metric, Objective, Repeats, Verified
from codesign.core.runfolder import RunFolder
from codesign.search.repeat_places import repeat_folder
from codesign.search.repeats import best_of, repeat_best
from tests.search.small_search import search


def test_designs_are_trained_again_and_what_is_there_is_not(study, tmp_path):
    with pytest.raises(InputError, match=r"no front\.json"):
        repeat_best(study, tmp_path, 2, pipeline="toy")
    front = search(study, tmp_path, trials=4)
    found = repeat_best(study, tmp_path, 2, pipeline="toy")
    run, best = RunFolder(tmp_path), best_of(front)
    assert [design.trial for design in found.designs] == best
    assert run.read("repeats.json", Repeats) == found
    for design in found.designs:
        assert len(set(design.seeds)) == 2
        assert design.failed == {}
        accuracy = design.metrics["accuracy"]
        assert len(accuracy.values) == 3
        assert accuracy.training == pytest.approx(np.std(accuracy.values, ddof=1))
        assert accuracy.events == pytest.approx(0.02)
        assert len(design.figures["lut"]) == 3
    searched = {
        repeat_folder(run, best[0], k).read_json("metrics.json")["metrics"]["accuracy"]["value"] for k in (1, 2)
    }
    assert len(searched) == 2, "each training has a seed of its own"
    assert len(run.trials()) == 4, "they are no trials of the search"
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob("repeats-*/*/metrics.json")}
    for name in ("figures.json", "test.json"):  # killed before its end
        (repeat_folder(run, best[0], 2).path / name).unlink()
    again = repeat_best(study, tmp_path, 2, pipeline="toy")
    assert again.designs[0].metrics == found.designs[0].metrics
    changed = [p for p, stamp in stamps.items() if p.stat().st_mtime_ns != stamp]
    assert changed == [repeat_folder(run, best[0], 2).path / "metrics.json"]


def point(trial, accuracy, lut, exact=True):
    return FrontPoint(
        trial=trial, config={}, metrics={"accuracy": Metric(value=accuracy, error=0.01)},
        figures=[Figure.of("lut", lut, Fidelity.COMPILED, "toy", "1")],
        verified=Verified(exact=True, events=1000) if exact else None,
    )  # fmt: skip


def test_of_a_large_front_the_best_of_each_objective_are_chosen():
    goals = [
        Objective(name="accuracy", direction="maximise"),
        Objective(name="lut", direction="minimise", fidelity="compiled"),
    ]
    points = [point(k, 0.5 + 0.01 * k, 100 * (k + 1)) for k in range(20)] + [point(20, 0.99, 1, exact=False)]
    chosen = best_of(Front(study="s", objectives=goals, points=points))
    assert len(chosen) == 5
    assert chosen[:2] == [19, 0]
    assert 20 not in chosen
    assert best_of(Front(study="s", objectives=goals, points=points[:3])) == [0, 1, 2]
