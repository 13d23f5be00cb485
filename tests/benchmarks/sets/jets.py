"""The jets on which both sides are trained and judged, and the file that the peer reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import BlockValues
from codesign.core.records import SampleFacts
from codesign.data.sample import Part, Sample, Splits
from codesign.physics.card import load_card
from codesign.pipeline.parts import record
from codesign.tasks.tagging.jet_tagging import JetTagging, JetTaggingProblem

__all__ = ("CARD", "FIELDS", "TEST_SEED", "Jets", "jets_of")

CARD = "jets-13tev"
#: three numbers of a constituent, as most published designs have; a linear pT costs both sides 0.05
FIELDS = ("log_pt", "deta", "dphi")
#: of the card for the test jets: nothing was trained, chosen or tuned on jets of this seed
TEST_SEED = 90017
#: of the card's own jets: there is no test split among them
SPLITS = Splits(0.8, 0.19, 0.01, 1)
#: bits of the grid on which both sides are given their inputs
BITS = 12


@dataclass(frozen=True)
class Jets:
    """Training and validation jets of the card, test jets of another seed; of each the first ``items`` constituents."""

    items: int
    problem: JetTaggingProblem
    facts: SampleFacts
    train: Part
    validation: Part
    test: Part
    base: InputQuantisation

    def values(self, part: Part) -> NDArray[np.float32]:
        """On the common grid, (jets, items, fields)."""
        found = self.base.port.values(self.base.codes(part.x)).astype(np.float32)
        return found.reshape(len(found), self.items, len(FIELDS))

    def write(self, folder: Path) -> Path:
        """The file that the peer reads: no test jet is in it."""
        file = folder / "train.npz"
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            x, x_val = self.values(self.train), self.values(self.validation)
            np.savez(file, x_train=x, y_train=self.train.y, x_val=x_val, y_val=self.validation.y)
        return file


def jets_of(items: int, train: int, test: int, folder: Path) -> Jets:
    """``train`` jets to train on and choose by, ``test`` jets to judge on; made on first use, then from the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    other = folder / "test-jets.yaml"
    other.write_text(yaml.safe_dump(load_card(CARD).model_dump(mode="json") | {"seed": TEST_SEED}))
    own = JetTagging().open({"card": CARD, "events": train, "fields": list(FIELDS)}, 1)
    new = JetTagging().open({"card": str(other), "events": test, "fields": list(FIELDS)}, 1)
    sample, unseen = _hardest(own.sample, items), _hardest(new.sample, items)
    parts = {name: sample.part(name, SPLITS) for name in ("train", "validation")}
    facts = SampleFacts.model_validate(record(sample, SPLITS) | {"outputs": list(own.classes)})
    base = own.input_quantisation(parts["train"].x, facts.seen, BITS)
    whole = {block.layout.name: block.values for block in unseen.blocks}
    judged = Part(
        "test",
        unseen.features,
        unseen.labels,
        class_names=unseen.class_names,
        blocks=whole,
        view=("constituents",),
        collisions=unseen.collisions,
    )
    return Jets(items, own, facts, parts["train"], parts["validation"], judged, base)


def _hardest(sample: Sample, items: int) -> Sample:
    """Only so many constituents of each jet, and nothing beside them."""
    blocks = []
    for block in sample.blocks:
        layout: Any = block.layout.model_copy(update={"shape": (items, *block.layout.shape[1:])})
        blocks.append(BlockValues(layout, np.ascontiguousarray(block.values[:, :items])))
    return replace(sample, blocks=tuple(blocks), view=("constituents",))
