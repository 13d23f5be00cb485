"""``python -m tests.benchmarks.full_jets [JETS.npz]``: the jet's shapes beside its sixteen groomed features.

A network of one configuration (two layers, 6 bits) and boosted trees are trained on the training jets of the study
``jet-tagger-full``, on the sixteen features and on all, and judged on its test jets and on published ones
(``shared/data``, 1,000 jets of Zenodo 3602260, CC-BY-4.0), which nothing was trained or chosen by. All features are
made of the 32 hardest constituents above 2 GeV, which is what the published file has. Differences are paired: network
less trees, and all features less sixteen. With ``--folds``, trees that learn from the published jets themselves stand
beside.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import SampleFacts
from codesign.core.runfolder import write_atomically
from codesign.data.sample import Part, Sample, Splits
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.physics.jet_shapes import SHAPES, jet_shapes
from codesign.physics.substructure import FEATURE_NAMES, features_of
from codesign.pipeline.parts import record as facts_of
from codesign.statistics.comparison import differences, reading, summary
from codesign.study.definition import load_study
from codesign.tasks.tagging.jet_tagging import BoostedClasses, JetTagging, JetTaggingProblem
from codesign.tasks.weighting import replicas_of
from codesign.training.lesson import Budget
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "full_jets.json"
CONFIG = {"widths": [48, 32], "weight_bits": [6, 6, 6], "activation_bits": [6, 6], "input_bits": 9, "sparsity": 0.3}
SPLITS = Splits(0.6, 0.2, 0.2, 1)
METRICS = ("accuracy", "auc_mean")
Scores = NDArray[np.float64]


def published_part(path: Path, names: Sequence[str]) -> Part:
    """The published jets with these features."""
    with np.load(path) as arrays:
        constituents, labels = arrays["constituents"].astype(np.float32), arrays["label"].astype(np.int64)
    columns = dict(zip(FEATURE_NAMES, features_of(constituents).T, strict=True))
    columns |= dict(zip(SHAPES, jet_shapes(constituents).T, strict=True))
    return Part("published", np.column_stack([columns[n] for n in names]), labels, class_names=JetTagging.classes)


def network_scores(
    problem: JetTaggingProblem, sample: Sample, parts: Sequence[Part], seed: int, epochs: int
) -> list[Scores]:
    """Scores of the trained network, by its exact integers, on each part."""
    train, validation = (sample.part(p, SPLITS) for p in ("train", "validation"))
    facts = SampleFacts.model_validate(facts_of(sample, SPLITS) | {"outputs": list(problem.classes)})
    family = MLP()
    candidate = family.read(CONFIG, "config")
    lesson = lesson_of(problem, facts, candidate.input_width(), train, validation, None)
    files = family.fit(candidate, lesson, Budget(epochs, 512, 0.02), seed)
    design = family.pick(files, candidate, lesson).design()
    graph = read_graph(design.onnx)
    return [
        design.outputs.values(
            design.outputs.codes(graph.run(design.inputs.values(design.input_quantisation.codes(part.x)), Exact()))
        )
        for part in parts
    ]


def judge(problem: JetTaggingProblem, part: Part, scores: dict[str, Scores], pairs: Sequence[tuple[str, str]]) -> Any:
    """Metrics of each with errors, and the paired differences."""
    rows = {name: problem.replicate(s, part, {}, replicas_of(part)) for name, s in scores.items()}
    found: dict[str, Any] = {"jets": len(part)}
    for name, own in rows.items():
        known = summary(own)
        found[name] = {m: [round(known[m].value, 4), round(known[m].error, 4)] for m in METRICS}
    told = {}
    for one, other in pairs:
        gaps = differences(rows[one], rows[other], problem.metrics)
        told[f"{one} - {other}"] = {
            m: {"difference": round(gaps[m].value, 4), "error": round(gaps[m].error, 4), "reading": reading(gaps[m])}
            for m in METRICS
        }
    return found | {"paired": told}


def folds_of(part: Part, seed: int = 1) -> Scores:
    """Scores of trees that learn from four fifths of the part, on the fifth, five times."""
    order = np.random.default_rng(seed).permutation(len(part))
    scores = np.zeros((len(part), len(part.class_names)))
    for fold in np.array_split(order, 5):
        scores[fold] = BoostedClasses(part.taken(np.setdiff1d(order, fold)), seed)(part.taken(fold))
    return scores


def all_scores(problem: JetTaggingProblem, sample: Sample, parts: dict[str, Part], given: Any) -> dict[str, Scores]:
    """Scores of every method on each part, as ``part/method``."""
    trees = BoostedClasses(sample.part("train", SPLITS), given.seed)
    networks = network_scores(problem, sample, list(parts.values()), given.seed, given.epochs)
    found = {f"{where}/network": scores for where, scores in zip(parts, networks, strict=True)}
    found |= {f"{where}/trees": trees(part) for where, part in parts.items()}
    if given.folds and "published" in parts:
        found["published/trees in five folds"] = folds_of(parts["published"])
    return found


def main() -> None:
    """Train, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", nargs="?", type=Path, help="constituents and label, as shared/data has them")
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", action="store_true", help="trees that learn from the published jets, too")
    parser.add_argument("--work", type=Path, default=Path("/tmp"), help="scores that are there are not made again")
    given = parser.parse_args()
    start = time.process_time()
    full = dict(load_study("jet-tagger-full").sample)
    every = list(full["features"])  # type: ignore[arg-type]
    scores: dict[str, dict[str, Scores]] = {"generated": {}, "published": {}}
    parts: dict[str, Part] = {}
    for what, names in (("sixteen", list(FEATURE_NAMES)), ("all", every)):
        problem = JetTagging().open(full | {"events": given.events, "features": names}, 1)
        sample = problem.sample
        parts = {"generated": sample.part("test", SPLITS)}
        if given.published is not None:
            parts["published"] = published_part(given.published, names)
        kept = given.work / f"full_jets-{what}-{given.events}-{given.epochs}-{given.seed}.npz"
        if not kept.is_file():
            made = all_scores(problem, sample, parts, given)
            with kept.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **made)
        with np.load(kept) as arrays:
            for key in arrays.files:
                where, _, method = key.partition("/")
                scores[where][f"{method}, {what}"] = arrays[key]
        print(what, round(time.process_time() - start, 1), "s", flush=True)
    pairs = [
        ("network, all", "trees, all"),
        ("network, all", "network, sixteen"),
        ("trees, all", "trees, sixteen"),
    ]
    folds = [("trees in five folds, all", "trees in five folds, sixteen")]
    content = {
        "features": every,
        "config": CONFIG,
        "events": given.events,
        "epochs": given.epochs,
        "seed": given.seed,
        "judged": {
            where: judge(problem, part, scores[where], [*pairs, *(folds if folds[0][0] in scores[where] else [])])
            for where, part in parts.items()
        },
        "versions": {n: version(n) for n in ("torch", "brevitas", "scikit-learn")},
    }
    write_atomically(RECORD, (json.dumps(content, indent=1) + "\n").encode())
    print(json.dumps(content["judged"], indent=1))


if __name__ == "__main__":
    main()
