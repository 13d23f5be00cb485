"""``python -m tests.benchmarks.constituents_judged [JETS.npz]``: JEDI-linear on jets that nobody chose it by.

One configuration (32 constituents of 6 fields, layers of 32, 6 bits) is trained with several seeds on the study's
training jets, and judged on its validation and test jets, on jets that are generated anew with another seed of the
card, and, without the number of constituents, which they do not have, on published ones (``shared/data``, 1,000 jets of
Zenodo 3602260, CC-BY-4.0). Boosted trees on the 16 features of the 32 hardest constituents stand beside.
``reports/reference/constituents.json`` is written after each network; what is in it is not made again.
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
from codesign.tasks.tagging.constituent_fields import field_block
from codesign.tasks.tagging.jet_tagging import JetTagging
from codesign.training.lesson import Budget
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


def other_card(folder: Path, seed: int) -> str:
    """The study's card with another seed."""
    card = load_card("jets-13tev").model_dump(mode="json") | {"seed": seed}
    path = folder / "jets-other.yaml"
    path.write_text(yaml.safe_dump(card))
    return str(path)


def main() -> None:
    """Make what is not there, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", nargs="?", type=Path, help="constituents and label, as shared/data has them")
    parser.add_argument("--events", type=int, default=25000)
    parser.add_argument("--new", type=int, default=10000, help="jets that are generated anew")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--work", type=Path, default=Path("/tmp"))
    given = parser.parse_args()
    rows: dict[str, Any] = json.loads(RECORD.read_text())["rows"] if RECORD.is_file() else {}
    settings = {"card": "jets-13tev", "events": given.events, "fields": list(FIELDS), "jet": ["multiplicity"]}
    problem = JetTagging().open(settings, 1)
    new = JetTagging().open(settings | {"card": other_card(given.work, 2), "events": given.new}, 1).sample
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
            if key in rows:
                continue
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
            rows[key] = {what: judged(classes(part.x), part.y) for what, part in others.items()}
            if outside is not None and view == ("constituents",):
                block = field_block(outside[0], FIELDS).values
                rows[key]["published"] = judged(classes(block.reshape(len(block), -1)), outside[1])
            rows[key]["cpu_seconds"] = round(time.process_time() - start, 1)
            _write(rows, given)
            print(key, rows[key], flush=True)
    if "boosted trees, 32 hardest" not in rows:
        from sklearn.ensemble import HistGradientBoostingClassifier

        leading = generated_sample("jets-13tev", given.events, leading=32)
        train, test = (leading.part(p, SPLITS) for p in ("train", "test"))
        trees = HistGradientBoostingClassifier(max_iter=150, random_state=1).fit(train.features, train.y)
        rows["boosted trees, 32 hardest"] = {"test": judged(trees.predict(test.features), test.y)}
        if outside is not None:
            own = trees.predict(features_of(outside[0]))
            rows["boosted trees, 32 hardest"]["published"] = judged(own, outside[1])
        _write(rows, given)
        print(rows["boosted trees, 32 hardest"])


def _part(sample: Any, view: tuple[str, ...]) -> Part:
    whole = {block.layout.name: block.values for block in sample.blocks}
    return Part("new", sample.features, sample.labels, None, {}, sample.class_names, whole, view)


def _write(rows: dict[str, Any], given: Any) -> None:
    content = {
        "events": given.events, "new": given.new, "epochs": given.epochs, "config": CONFIG, "fields": list(FIELDS),
        "versions": {n: version(n) for n in ("torch", "brevitas", "scikit-learn")}, "rows": rows,
    }  # fmt: skip
    write_atomically(RECORD, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
