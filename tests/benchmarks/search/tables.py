"""``python -m tests.benchmarks.search.tables``: four small studies, of which every candidate is evaluated once.

A search of minutes for each sampler and seed would take a day of processor time, most of it for candidates that another
search had before. Here the space of a shipped study is made so coarse that all of it can be trained, compiled, proven
exact and judged: what each candidate gave, and the processor seconds that it took, are kept in
``reports/reference/search_tables.json``, and :mod:`.samplers` lets each sampler search that table with each seed, at
the recorded cost. So every value is real, and searches differ in their draws alone; what a table cannot say is how a
sampler does in the parts of a space that are left out, nor what the luck of trainings adds.

Candidates of one training pay for it once in a search, so its seconds are told apart. Goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core import plugins
from codesign.core.errors import CodesignError, RefusedError
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.core.space import Choice, Fixed, parse
from codesign.families.base import Candidate, Family
from codesign.pipeline.scoring import score
from codesign.search.progress import Shown, Silent
from codesign.study.definition import Study, load_study
from tests.benchmarks.search.volume import Box
from tests.trees import ROOT

__all__ = ("BOXES", "TABLES", "Entry", "every", "key_of", "read_tables", "small_study")

TABLES = ROOT / "reports" / "reference" / "search_tables.json"

_JETS = {"card": "jets-13tev", "events": 6000}
#: sections that differ from the shipped study's
_SMALLER: dict[str, dict[str, Any]] = {
    "jet-tagger": {
        "sample": _JETS,
        "training": {"epochs": 12, "batch": 256, "learning_rate": 0.02},
        "space": {
            "depth": {"low": 1, "high": 2}, "width": [8, 16, 24, 32], "uniform_bits": True,
            "weight_bits": {"low": 2, "high": 5}, "activation_bits": 4, "input_bits": {"low": 5, "high": 7, "step": 2},
            "sparsity": {"low": 0.4, "high": 0.85, "step": 0.15},
        },
    },
    # one training for many candidates
    "jet-tagger-trees": {
        "sample": _JETS,
        "training": {"epochs": 40},
        "space": {
            "depth": {"low": 2, "high": 5}, "learning_rate": [0.1, 0.3],
            "input_bits": {"low": 4, "high": 8, "step": 2}, "min_child_weight": 20,
            "rounds": {"low": 5, "high": 40, "step": 7}, "pruning": [0.0, 0.3],
            "leaf_bits": {"low": 3, "high": 7, "step": 2},
        },
    },
    # at a false-positive rate of 1e-2: fewer events tell no smaller one
    "l1-anomaly": {
        "sample": {"zero_bias": 8000, "signal": 600},
        "training": {"epochs": 8, "batch": 256, "learning_rate": 0.01},
        "objectives": [
            {"name": "tpr_mean_1e-2", "direction": "maximise"},
            {"name": "lut", "direction": "minimise"},
        ],
        "space": {
            "depth": 1, "width": [8, 16, 24], "latent": {"low": 2, "high": 6, "step": 2}, "weight_bits": 3,
            "activation_bits": 4, "square_bits": {"low": 4, "high": 6, "step": 2}, "score_bits": 14,
            "input_bits": {"low": 5, "high": 7, "step": 2}, "sparsity": {"low": 0.3, "high": 0.9, "step": 0.2},
        },
    },
    # without the bounds on closure and coverage, which a training as short as this seldom keeps
    "hlt-jet-energy": {
        "sample": {"cards": {"qcd-dijets": 2000, "ttbar": 600}},
        "training": {"epochs": 10, "batch": 512, "learning_rate": 0.02},
        "constraints": [{"name": "lut", "max": 4000}, {"name": "latency_ns", "max": 100}],
        "space": {
            "depth": {"low": 1, "high": 2}, "width": [4, 8, 16], "uniform_bits": True,
            "weight_bits": {"low": 3, "high": 6}, "activation_bits": 4, "input_bits": {"low": 6, "high": 8, "step": 2},
            "sparsity": {"low": 0.2, "high": 0.8, "step": 0.3},
        },
    },
}  # fmt: skip

#: of the objectives, as the study has them: a good value and none at the one end; at the other what is of no use (the
#: LUTs' bound, or what a model of no skill has)
BOXES = {
    "jet-tagger": Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0)),
    "jet-tagger-trees": Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0)),
    "l1-anomaly": Box(("maximise", "minimise"), (0.6, 0.0), (0.4, 8000.0)),
    "hlt-jet-energy": Box(("minimise", "minimise", "minimise"), (0.15, 0.0, 0.0), (0.25, 0.05, 4000.0)),
}


@dataclass(frozen=True)
class Entry:
    """What a candidate gave: metrics and figures by name, or by how much it is refused; and what it took.

    ``training``: what its training is called, and ``training_seconds`` what that took; ``seconds``: all the rest.
    """

    key: str
    training: str
    training_seconds: float
    seconds: float
    metrics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    refused: float | None = None


def small_study(name: str, sampler: str, seed: int) -> Study:
    """A small study with a sampler and the seed of its draws; the splits and trainings are those of seed 1."""
    data = load_study(name).model_dump(mode="json")
    sample = data["sample"] | _SMALLER[name]["sample"]
    data |= _SMALLER[name] | {"seed": seed, "sample": sample}
    # a latency is much the same for all that fits: it would make the jets' problem no harder, only its table wider
    data["objectives"] = [o for o in data["objectives"] if o["name"] != "latency_ns"]
    data["search"] = {"trials": 1000, "population": 8, "sampler": sampler}
    data["verification"] = {"gate_events": 1000, "rtl_events": 1000}
    return Study.model_validate(data)


def described(name: str) -> dict[str, Any]:
    """What a record says of a small study: what differs from the shipped one, and its box."""
    study, box = small_study(name, "random", 1), BOXES[name]
    return {
        "sample": study.sample, "training": study.training.model_dump(), "space": study.space,
        "population": study.search.population, "objectives": [o.name for o in study.objectives],
        "best": list(box.best), "reference_point": list(box.worst),
    }  # fmt: skip


def key_of(candidate: Candidate) -> str:
    """A name of a candidate, the same wherever it is drawn: its values, in the order of their names."""
    record = candidate.record()
    values = [round(v, 6) if isinstance(v := record[name], float) else v for name in sorted(record)]
    return json.dumps(values, separators=(",", ":"))


def _training(candidate: Candidate) -> str:
    """A short name of its training."""
    return hashlib.sha256(key_of(candidate.training()).encode()).hexdigest()[:8]


def _values(dimension: Any) -> tuple[Any, ...]:
    found = parse(dimension)
    if isinstance(found, Fixed):
        return (found.value,)
    if isinstance(found, Choice):
        return found.values
    step = found.step or (1 if found.integer else None)
    assert step is not None, "a table needs a space with steps"
    count = round((found.high - found.low) / step) + 1
    return tuple(min(found.low + i * step, found.high) for i in range(count))


def every(study: Study) -> Iterator[Candidate]:
    """All candidates of a space without continuous dimensions, in the order of its values."""
    family = plugins.load(Family, study.family)
    space = family.space.model_validate(study.space)
    path: list[int] = []
    while True:
        sizes: list[int] = []

        def choose(name: str, dimension: Any, sizes: list[int] = sizes) -> Any:
            values = _values(dimension)
            if len(sizes) == len(path):
                path.append(0)
            sizes.append(len(values))
            return values[path[len(sizes) - 1]]

        yield family.suggest(space, choose)
        while path and path[-1] + 1 == sizes[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


class _Fits:
    """Processor seconds of all trainings that were made while it watches a family."""

    def __init__(self, family: type[Family]) -> None:
        self.seconds = 0.0
        fit = family.fit

        @wraps(fit)
        def timed(*arguments: Any, **more: Any) -> Mapping[str, bytes]:
            began = time.process_time()
            files = fit(*arguments, **more)
            self.seconds += time.process_time() - began
            return files

        family.fit = timed  # type: ignore[method-assign]


class _UntilSampled(Silent):
    """Ends a search when its sample is there."""

    def show(self, shown: Shown) -> None:
        if shown.stage.startswith("search"):
            raise KeyboardInterrupt


def _measured(name: str, there: Mapping[str, Entry]) -> Iterator[Entry]:
    """The candidates that are not there yet."""
    import torch

    from codesign.pipeline.evaluation import evaluate
    from codesign.pipeline.parts import load_part
    from codesign.search.engine import run_study

    torch.set_num_threads(1)
    study = small_study(name, "random", 1)
    missing = [c for c in every(study) if key_of(c) not in there]
    if not missing:
        return
    fits = _Fits(type(plugins.load(Family, study.family)))
    known = {e.training: e.training_seconds for e in there.values()}
    with tempfile.TemporaryDirectory() as place:
        with contextlib.suppress(KeyboardInterrupt):
            run_study(study, Path(place), trials=1, workers=1, progress=_UntilSampled())
        run = RunFolder(Path(place))
        train, validation = load_part(run, "train"), load_part(run, "validation")
        for number, candidate in enumerate(missing, start=1000):
            training, fits.seconds = _training(candidate), 0.0
            began = time.process_time()
            entry: dict[str, Any]
            try:
                result = evaluate(study, candidate, run.trial(number), 1, train, validation, lambda stage: None)
                score(number, study, result.metrics, result.figures)  # whether all that it needs is there
                names = {o.name for o in study.objectives} | {c.name for c in study.constraints}
                entry = {
                    "metrics": {n: (m.value, m.error) for n, m in result.metrics.items() if n in names},
                    "figures": {f.quantity: f.value for f in result.figures if f.quantity in names},
                }
            except RefusedError as error:
                entry = {"refused": error.excess}
            except CodesignError:
                entry = {"refused": 1.0}
            took = time.process_time() - began
            if fits.seconds:
                known[training] = round(fits.seconds, 3)
            yield Entry(key_of(candidate), training, known.get(training, 0.0), round(took - fits.seconds, 3), **entry)


def read_tables(path: Path = TABLES) -> dict[str, dict[str, Entry]]:
    """By the name of a study its candidates, by their keys; those of a study that has changed since are left out."""
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    tables: dict[str, dict[str, Entry]] = {}
    for name, table in record.get("tables", {}).items():
        if name in BOXES and table["problem"] == json.loads(json.dumps(described(name))):
            entries = [Entry(**dict(zip(table["columns"], row, strict=True))) for row in table["rows"]]
            tables[name] = {e.key: e for e in entries}
    return tables


def write_tables(tables: Mapping[str, Mapping[str, Entry]], path: Path = TABLES) -> None:
    """One candidate a line."""
    columns = list(Entry.__dataclass_fields__)
    versions = {name: version(name) for name in ("torch", "alkaid", "scikit-learn")}
    parts = []
    for name, entries in tables.items():
        rows = ",\n   ".join(json.dumps([getattr(e, c) for c in columns]) for e in entries.values())
        problem = json.dumps(described(name))
        listed = f'"columns": {json.dumps(columns)},\n  "rows": [\n   {rows}\n  ]'
        parts.append(f'{json.dumps(name)}: {{\n  "problem": {problem},\n  {listed}\n }}')
    head = f'"machine": {json.dumps(platform.machine())}, "versions": {json.dumps(versions)}'
    write_atomically(path, f'{{{head},\n"tables": {{\n {", ".join(parts)}\n}}}}\n'.encode())


def main() -> None:
    """Evaluate what the tables lack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", default=",".join(BOXES))
    parser.add_argument("--most", type=int, default=10**6, help="candidates of each, and no more")
    parser.add_argument("--output", type=Path, default=TABLES)
    options = parser.parse_args()
    tables = read_tables(options.output)
    for name in options.studies.split(","):
        found, made = tables.setdefault(name, {}), 0
        for entry in _measured(name, found):
            found[entry.key], made = entry, made + 1
            if made % 20 == 0 or made == options.most:
                write_tables(tables, options.output)
                print(f"{name}: {len(found)}, {sum(e.seconds for e in found.values()):.0f} s", flush=True)
            if made >= options.most:
                break
        if made:
            write_tables(tables, options.output)
        print(f"{name}: {len(found)} candidates", flush=True)


if __name__ == "__main__":
    main()
