"""``python -m tests.benchmarks.search.refused``: how often a sampler draws what it was told cannot be.

Nothing is trained: a candidate is drawn by the search's own drawer, judged by arithmetic, and told to the storage by
the search's own way, so that hundreds of searches take minutes. What is compared is the share of candidates that are
refused after the sampler's random start, in spaces of which a part is:

- ``width``: 1 to 40, all above 20 refused, and a sparsity that refuses nothing.
- three shipped studies with a budget of LUTs that the flow's own bound before training (``least_lut``) tells a share of
  random candidates cannot keep. The quality of a candidate is arithmetic, too: it rises with the logarithm of its bit
  operations, with a little luck, and its LUTs are those of the bound.

``refused`` is the share as a search draws; ``as_it_comes`` that of the sampler alone, without draws that are left out
because they look like what failed (:mod:`codesign.search.wariness`); ``told_as_failed`` that of the sampler alone where
the storage is told that refused candidates failed, which samplers ignore. A sampler passes a space where its share is
at most half of what random draws come to as they come, in the mean over the seeds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import optuna

from codesign.core.errors import RefusedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, Metric, Metrics, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.families.base import Candidate
from codesign.search.draw import Drawer
from codesign.search.telling import conclude, fail
from codesign.study.definition import Study, load_study, parse_study
from tests.benchmarks.search.record import OUTPUT, read_section, spread, write_section

__all__ = ("SPACES", "Cheap", "share_refused", "width")

SAMPLERS = ("random", "tpe", "nsga2")
#: what is told and done
WAYS: dict[str, dict[str, bool]] = {
    "refused": {},
    "as_it_comes": {"wary": False},
    "told_as_failed": {"wary": False, "ignored": True},
}
_START = 10
_TRIALS = 50

#: a candidate's quality (higher is better) and LUTs; RefusedError where there can be none
Judge = Callable[[Candidate, random.Random], tuple[float, float]]


@dataclass(frozen=True)
class Cheap:
    """A space whose candidates are judged by arithmetic."""

    study: Study
    judge: Judge


def width(sampler: str, seed: int) -> Cheap:
    """A width of 1 to 40, better the larger it is, and refused above 20; and a sparsity, better the smaller."""
    study = parse_study(
        f"""
name: width
seed: {seed}
task: jet-tagging
family: mlp
space: {{depth: 1, width: {{low: 1, high: 40}}, weight_bits: 4, activation_bits: 4, input_bits: 6,
  sparsity: {{low: 0.0, high: 0.9}}}}
target: vu13p-360
objectives: [{{name: accuracy, direction: maximise}}, {{name: lut, direction: minimise}}]
search: {{trials: {_TRIALS}, sampler: {sampler}, population: {_START}}}
""",
        "width",
    )

    def judge(candidate: Candidate, dice: random.Random) -> tuple[float, float]:
        record: dict[str, Any] = candidate.record()
        drawn, sparsity = record["widths"][0], record["sparsity"]
        if drawn > 20:
            raise RefusedError(f"a width of {drawn}", excess=(drawn - 20) / 20)
        return 1 - 1 / (1 + drawn) - sparsity**2 + dice.gauss(0, 0.01), round(100 * drawn * (1 - sparsity))

    return Cheap(study, judge)


#: inputs, outputs, and the budget of LUTs, which of random candidates about half cannot keep
_SHIPPED = {"jet-tagger": (16, 5, 200.0), "l1-anomaly": (19, 1, 220.0), "hlt-jet-energy": (12, 3, 130.0)}


def shipped(name: str, sampler: str, seed: int) -> Cheap:
    """A shipped study's space under a tight budget."""
    from codesign.core import plugins
    from codesign.flows.base import Flow

    inputs, outputs, budget = _SHIPPED[name]
    data = load_study(name).model_dump(mode="json")
    first = next(o for o in data["objectives"] if o["fidelity"] is None)
    data |= {
        "seed": seed,
        "objectives": [first | {"direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
        "constraints": [{"name": "lut", "max": budget}],
        "search": {"trials": _TRIALS, "sampler": sampler, "population": _START},
    }
    flow = plugins.load(Flow, "alkaid")

    def judge(candidate: Candidate, dice: random.Random) -> tuple[float, float]:
        operations = candidate.cost(inputs, outputs)
        least = flow.least_lut(operations)
        assert least is not None
        if least.value > budget:
            raise RefusedError("cannot fit", excess=(least.value - budget) / budget)
        return math.log1p(operations) / 20 + dice.gauss(0, 0.003), least.value

    return Cheap(Study.model_validate(data), judge)


SPACES: dict[str, Callable[[str, int], Cheap]] = {
    "width": width,
    **{name: (lambda sampler, seed, name=name: shipped(name, sampler, seed)) for name in _SHIPPED},
}


def share_refused(cheap: Cheap, *, ignored: bool = False, wary: bool = True) -> float:
    """Share of refused candidates after the random start; with ``ignored`` they are told as failed, and unless ``wary``
    what the sampler gives is taken as it comes."""
    study = cheap.study
    refusals = []
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stderr(io.StringIO()):
        run = RunFolder(Path(place))
        directions = [f"{o.direction.removesuffix('se')}ze" for o in study.objectives]
        search = optuna.create_study(directions=directions)  # in memory: of its journal nothing is measured
        drawer, seen = Drawer(study, search, wary=wary), set[str]()

        def repeats(asked: Any, config: dict[str, Any]) -> int | None:
            known = str(config) in seen
            seen.add(str(config))
            return 0 if known else None

        for number in range(study.search.trials):
            drawn = drawer.draw(number, repeats)
            if drawn is None:
                break
            asked, candidate = drawn.asked, drawn.candidate
            folder, status = run.trial(number), TrialStatus(trial=number, state=State.COMPLETE, seed=1)
            try:
                quality, lut = cheap.judge(candidate, random.Random(f"{study.seed}/{number}"))
                name = next(o.name for o in study.objectives if o.fidelity is None)
                metrics = {name: Metric(value=quality, error=0.0)}
                folder.write("metrics.json", Metrics(split="validation", events=1, metrics=metrics))
                figure = Figure.of("lut", lut, Fidelity.COMPILED, "arithmetic", "1")
                folder.write("figures.json", Figures(figures=[figure]))
            except RefusedError as error:
                update = {"state": State.FAILED, "reason": str(error), "refused": error.excess}
                status = status.model_copy(update=update)
            refusals.append(status.state == State.FAILED)
            if ignored and status.state == State.FAILED:
                fail(search, asked, "as it once was")
            else:
                conclude(search, asked, folder, study, status)
    return mean(refusals[study.search.population :])


def _table(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Per space and sampler: the share in each way, over the seeds, and what passes."""
    tables: dict[str, Any] = {}
    for space in SPACES:
        here = [f for f in found if f["space"] == space]
        rows = {}
        for sampler in SAMPLERS:
            mine = [f for f in here if f["sampler"] == sampler]
            if mine:
                rows[sampler] = {way: spread([f[way] for f in mine]) for way in WAYS}
        for row in rows.values():
            row["at_most_half_of_random"] = row["refused"]["mean"] <= rows["random"]["as_it_comes"]["mean"] / 2
        tables[space] = rows
    return tables


def main() -> None:
    """Measure what the record lacks, a space, sampler and seed at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--again", action="store_true", help="also those that are in the record")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    how = {"trials": _TRIALS, "random_start": _START, "ways": list(WAYS)}
    section = read_section(options.output, "refused")
    found = [] if options.again or any(section.get(k) != v for k, v in how.items()) else section["searches"]
    for seed in range(1, options.seeds + 1):
        for space in options.spaces.split(","):
            for sampler in options.samplers.split(","):
                if any((f["space"], f["sampler"], f["seed"]) == (space, sampler, seed) for f in found):
                    continue
                cheap = SPACES[space](sampler, seed)
                shares = {way: round(share_refused(cheap, **how_told), 4) for way, how_told in WAYS.items()}
                found.append({"space": space, "sampler": sampler, "seed": seed} | shares)
        write_section(options.output, "refused", how | _table(found) | {"searches": found})
    for space, rows in _table(found).items():
        for sampler, row in rows.items():
            means = {way: row[way]["mean"] for way in WAYS}
            print(f"{space} {sampler}: {means} {row['at_most_half_of_random']}")


if __name__ == "__main__":
    main()
