"""``python -m tests.benchmarks.constituents_judged [JETS.npz]``: JEDI-linear on jets that nobody chose it by.

One configuration (32 constituents of 6 fields, layers of 32, 6 bits) is trained with several seeds on the study's
training jets, and judged on its validation and test jets, on jets that are generated anew with another seed of the
card, and, without the number of constituents, which they do not have, on published ones (``shared/data``, 1,000 jets of
Zenodo 3602260, CC-BY-4.0). Boosted trees on the 16 features of the 32 hardest constituents, and of all, stand beside:
on the jets generated anew each network is compared with each in pairs. Writes ``reports/reference/constituents.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from codesign.core.records import SampleFacts
from codesign.core.runfolder import write_atomically
from codesign.data.generated import generated_sample
from codesign.data.sample import Part, Splits
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.teaching import lesson_of
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.physics.card import load_card
from codesign.physics.substructure import features_of
from codesign.pipeline.parts import record as facts_of
from codesign.statistics import rowwise
from codesign.statistics.comparison import spread
from codesign.statistics.replicas import Replicas
from codesign.tasks.tagging.constituent_fields import field_block
from codesign.tasks.tagging.jet_tagging import JetTagging
from codesign.training.lesson import Budget
from tests.benchmarks.sets.jets import TEST_SEED
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "constituents.json"
FIELDS = ("deta", "dphi", "log_pt", "pt", "pt_r2", "r")
CONFIG = {
    "each_widths": [32], "tail_widths": [32], "weight_bits": [6, 6, 6], "activation_bits": [6, 6], "pooled_bits": 9,
    "input_bits": 9, "pool": "sum",
}  # fmt: skip
SPLITS = Splits(0.6, 0.2, 0.2, 1)
VIEWS = {"with their number": ("jet", "constituents"), "alone": ("constituents",)}


def judged(predicted: Any, truth: Any) -> dict[str, float]:
    """Accuracy and its binomial error."""
    right = float((predicted == truth).mean())
    return {"accuracy": round(right, 4), "error": round(float(np.sqrt(right * (1 - right) / len(truth))), 4)}


def paired(network: Any, trees: Any, part: Part) -> dict[str, float]:
    """Accuracy of a network less that of trees on the same jets, with the error of the difference."""
    own, other = network == part.y, trees == part.y
    replicas = Replicas.of("generated anew", len(part), part.collisions)
    found = replicas.collect(
        lambda rows: {"network": rowwise.means(own, rows.weights), "trees": rowwise.means(other, rows.weights)}
    )
    difference = found["network"] - found["trees"]
    return {"difference": round(float(difference[0]), 4), "error": round(spread(difference), 4)}


def other_card(folder: Path, seed: int) -> str:
    """The study's card with another seed."""
    card = load_card("jets-13tev").model_dump(mode="json") | {"seed": seed}
    path = folder / "jets-other.yaml"
    path.write_text(yaml.safe_dump(card))
    return str(path)


def main() -> None:
    """Train, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", nargs="?", type=Path, help="constituents and label, as shared/data has them")
    parser.add_argument("--events", type=int, default=25000)
    parser.add_argument("--new", type=int, default=20000, help="jets that are generated anew")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--work", type=Path, default=Path("/tmp"))
    given = parser.parse_args()
    rows: dict[str, Any] = {}
    settings = {"card": "jets-13tev", "events": given.events, "fields": list(FIELDS), "jet": ["multiplicity"]}
    problem = JetTagging().open(settings, 1)
    new = JetTagging().open(settings | {"card": other_card(given.work, TEST_SEED), "events": given.new}, 1).sample
    trees = boosted(given.events, problem.classes, other_card(given.work, TEST_SEED), given.new)
    outside = None
    if given.published is not None:
        arrays = np.load(given.published)
        outside = arrays["constituents"].astype(np.float32), arrays["label"].astype(np.int64)
    for name, view in VIEWS.items():
        sample = problem.sample
        sample = type(sample)(**{**vars(sample), "view": view})
        train, validation, test = (sample.part(p, SPLITS) for p in ("train", "validation", "test"))
        facts = SampleFacts.model_validate(facts_of(sample, SPLITS) | {"outputs": list(problem.classes)})
        for seed in given.seeds:
            key = f"JEDI-linear, constituents {name}, seed {seed}"
            start = time.process_time()
            family = JediLinear()
            candidate = family.read(CONFIG, "config")
            lesson = lesson_of(problem, facts, candidate.input_width(), train, validation, None)
            files = family.fit(candidate, lesson, Budget(given.epochs, 256, 0.01), seed)
            design = family.pick(files, candidate, lesson).design()
            graph = read_graph(design.onnx)

            def classes(x: Any, design: Any = design, graph: Any = graph) -> Any:
                values = design.inputs.values(design.input_quantisation.codes(x))
                return np.concatenate([graph.run(v, Exact()) for v in np.array_split(values, 20)]).argmax(axis=1)

            others = {"validation": validation, "test": test, "generated anew": _part(new, view)}
            said = {what: classes(part.x) for what, part in others.items()}
            rows[key] = {what: judged(said[what], part.y) for what, part in others.items()}
            rows[key]["less the trees"] = {
                name: paired(said["generated anew"], found["generated anew"], others["generated anew"])
                for name, found in trees.items()
            }
            if outside is not None and view == ("constituents",):
                block = field_block(outside[0], FIELDS).values
                rows[key]["published"] = judged(classes(block.reshape(len(block), -1)), outside[1])
            rows[key]["cpu_seconds"] = round(time.process_time() - start, 1)
            _write(rows, given)
            print(key, rows[key], flush=True)
    own = {"test": problem.sample.part("test", SPLITS).y, "generated anew": new.labels}
    for name, found in trees.items():
        rows[f"boosted trees, {name}"] = {what: judged(found[what], truth) for what, truth in own.items()}
    if outside is not None:
        rows["boosted trees, 32 hardest"]["published"] = judged(trees["32 hardest"]["of"](outside[0]), outside[1])
    _write(rows, given)


def boosted(events: int, classes: tuple[str, ...], other: str, new: int) -> dict[str, dict[str, Any]]:
    """Trees on the 16 features of the 32 hardest constituents and of all: what they say of the test split, of ``new``
    jets of the ``other`` card, and, under ``of``, of any constituents (jets, 32, 3)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    found: dict[str, dict[str, Any]] = {}
    for name, leading in (("32 hardest", 32), ("all constituents", None)):
        sample, unseen = (generated_sample(c, n, leading=leading) for c, n in (("jets-13tev", events), (other, new)))
        train, test = (sample.part(p, SPLITS) for p in ("train", "test"))
        assert tuple(n.lower() for n in sample.class_names) == classes
        model = HistGradientBoostingClassifier(max_iter=150, random_state=1).fit(train.features, train.y)
        said = {"test": model.predict(test.features), "generated anew": model.predict(unseen.features)}
        found[name] = {**said, "of": lambda x, model=model: model.predict(features_of(x))}
    return found


def _part(sample: Any, view: tuple[str, ...]) -> Part:
    whole = {block.layout.name: block.values for block in sample.blocks}
    return Part(
        "new", sample.features, sample.labels, None, {}, sample.class_names, whole, view, None, sample.collisions
    )


def _write(rows: dict[str, Any], given: Any) -> None:
    content = {
        "events": given.events, "new": given.new, "epochs": given.epochs, "config": CONFIG, "fields": list(FIELDS),
        "versions": {n: version(n) for n in ("torch", "brevitas", "scikit-learn")}, "rows": rows,
    }  # fmt: skip
    write_atomically(RECORD, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
