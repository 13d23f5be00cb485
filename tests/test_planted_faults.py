"""Faults that leave every number plausible: each was planted once, and is seen by the test that names it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codesign.core import plugins, store
from codesign.core.figures import Fidelity, find
from codesign.core.records import Figures, SampleFacts
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Part
from codesign.families.base import Family
from codesign.flows.alkaid.flow import AlkaidSettings
from codesign.flows.base import Flow
from codesign.pipeline import evaluation
from codesign.pipeline.kept import training_key
from codesign.study.definition import SplitFractions, load_study
from codesign.tasks.tagging.jet_tagging import JetTagging
from codesign.training.loop import train
from codesign.training.network import Network, Twin

CONFIG = {"widths": [6], "weight_bits": [3, 3], "activation_bits": [3], "input_bits": 6, "sparsity": 0.2}
NAMES = [f"f{i}" for i in range(16)]


def part(name, events, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, events)
    return Part(name, (rng.normal(size=(events, 16)) + 1.5 * np.eye(16)[y]).astype(np.float32), y)


@pytest.fixture
def evaluate(tmp_path):
    """Evaluate a candidate of a study in a run folder of its own; all share a store."""
    base = load_study("jet-tagger")
    base = base.model_copy(
        update={
            "training": base.training.model_copy(update={"epochs": 1, "batch": 64}),
            "verification": base.verification.model_copy(update={"gate_events": 1000}),
        }
    )
    config = plugins.load(Family, "mlp").config.model_validate(CONFIG)
    store.use(str(tmp_path / "store"))

    def run(settings=None, data=0, **changes):
        number = len(list(tmp_path.glob("run-*")))
        folder = RunFolder(tmp_path / f"run-{number}")
        facts = {"hash": "a" * 64, "feature_names": NAMES, "units": ["1"] * 16, "class_names": list("gqwzt")}
        folder.write("sample.json", facts)
        events = part("train", 700, data), part("validation", 300, data + 1)
        study, trial = base.model_copy(update=changes), folder.trial(0)
        found = evaluation.evaluate(study, config, trial, 3, *events, lambda stage: None, settings)
        taken = {note.split(" from the store")[0] for note in found.notes if note.endswith("from the store")}
        return taken, found, trial

    yield run
    store.use(None)


@pytest.mark.parametrize("change", [{"splits": SplitFractions(train=0.5, validation=0.3, test=0.2)}, {"seed": 77}])
def test_a_training_on_another_split_is_not_taken(evaluate, change):
    """Planted: the training's key without the split, or without its seed."""
    assert evaluate()[0] == set()
    assert evaluate()[0] == {"trained weights", "firmware"}
    taken, _, trial = evaluate(data=5, **change)
    assert "trained weights" not in taken
    first = trial.path.parents[2] / "run-0" / "trials" / trial.path.name
    assert (trial.path / "weights.safetensors").read_bytes() != (first / "weights.safetensors").read_bytes()


def test_firmware_with_other_settings_is_not_taken(evaluate):
    """Planted: the firmware's key without the flow's settings."""
    _, shallow, _ = evaluate()
    taken, deep, trial = evaluate(AlkaidSettings(stage_delay=1.0))
    assert taken == {"trained weights"}
    cycles = [find(found.figures, "latency_cycles", Fidelity.COMPILED).value for found in (shallow, deep)]
    assert cycles[1] > cycles[0]
    recorded = trial.read("figures.json", Figures).figures
    assert all(f.settings["stage_delay"] == 1.0 for f in recorded if f.fidelity is Fidelity.COMPILED)


FLOW = """
from codesign.core.figures import Fidelity, Figure
from codesign.flows.alkaid.flow import Alkaid

class Theirs(Alkaid):
    name = "theirs"
    def figures(self, firmware):
        return [*super().figures(firmware), Figure.of("bram", {bram}, Fidelity.COMPILED, "theirs", "1")]
"""
FAMILY = """
from codesign.families.mlp.family import MLP

class Theirs(MLP):
    epochs = {epochs}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a version of somebody's module, in place of the one before, and plug it in."""
    real = plugins.load
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def put(kind, text):
        module = f"somebodys_{kind}"
        (folder / f"{module}.py").write_text(text)
        scope = {"__name__": module}
        exec(compile(text, f"{module}.py", "exec"), scope)
        store.source_hash.cache_clear()  # a process that starts later has read nothing yet
        monkeypatch.setattr(
            plugins, "load", lambda contract, name: scope["Theirs"]() if contract.kind == kind else real(contract, name)
        )

    return put


def test_a_third_partys_flow_that_changed_compiles_again(evaluate, install):
    """Planted: the firmware's key without the code of the flow."""
    install("flows", FLOW.format(bram=1))
    evaluate()
    assert "firmware" in evaluate()[0]
    install("flows", FLOW.format(bram=2))
    taken, found, _ = evaluate()
    assert taken == {"trained weights"}
    assert find(found.figures, "bram", Fidelity.COMPILED).value == 2


def test_a_third_partys_trainer_that_changed_trains_again(evaluate, install):
    """Planted: the training's key without the code of the family."""
    install("families", FAMILY.format(epochs=1))
    evaluate()
    assert "trained weights" in evaluate()[0]
    install("families", FAMILY.format(epochs=2))
    assert "trained weights" not in evaluate()[0]


def test_a_third_partys_package_of_another_version_makes_both_again(evaluate, monkeypatch):
    """Planted: keys with a plug-in's source alone, whose package brings a tool or data of another version."""
    evaluate()
    assert evaluate()[0] == {"trained weights", "firmware"}
    real = plugins.release
    monkeypatch.setattr(plugins, "release", lambda what, name: "theirs 2.0" if what is Flow else real(what, name))
    assert evaluate()[0] == {"trained weights"}
    monkeypatch.setattr(plugins, "release", lambda what, name: "theirs 2.0" if what is Family else real(what, name))
    assert "trained weights" not in evaluate()[0]


def test_a_family_that_trains_with_another_version_trains_again(monkeypatch):
    """Planted: the training's key without the versions of what the family trains with."""
    study, task, family = (
        load_study("jet-tagger"),
        JetTagging().open({"file": "none"}, 1),
        plugins.load(Family, "mlp"),
    )
    facts = SampleFacts(hash="a" * 64, feature_names=NAMES, units=["1"] * 16, class_names=list("gqwzt"))
    real, keys = store.versions, set()
    for changed in ({}, {"torch": "9.9"}, {"brevitas": "9.9"}):
        monkeypatch.setattr(
            store, "versions", lambda *names, new=changed: real(*names) | {n: v for n, v in new.items() if n in names}
        )
        keys.add(training_key(study, family.read(CONFIG, "test"), 3, facts, task, family, None))
    assert len(keys) == 3


def test_a_design_that_fits_is_not_refused_before_it_is_trained(evaluate):
    """Planted: a bound ten times too strict. What is allowed is what this design takes, by the flow's own count."""
    _, found, _ = evaluate()
    lut = find(found.figures, "lut", Fidelity.COMPILED).value
    limit = next(c for c in load_study("jet-tagger").constraints if c.name == "lut").model_copy(update={"max": lut})
    assert find(evaluate(constraints=(limit,))[1].figures, "lut", Fidelity.COMPILED).value == lut


class Steps(Twin):
    """One weight matrix whose gradient is always 1, so that a step of Adam is the learning rate."""

    def __init__(self, weights=1000):
        self.parameters = [torch.linspace(1000.0, 2000.0, weights, dtype=torch.float64)]
        self.prunable = self.parameters
        self.seen = []

    def gradients(self, x, target, loss, progress):
        self.seen.append(self.parameters[0].clone())
        self.parameters[0].grad = torch.ones_like(self.parameters[0])
        return 0.0

    def finish(self):
        pass


class Watched(Network):
    """A network of nothing but what trains it."""

    def __init__(self):
        super().__init__()
        self.steps = Steps()

    def forward(self, x):
        return x

    def calibrate(self, x):
        pass

    def fold(self):
        pass

    def twin(self, events):
        return self.steps


def watched(sparsity, epochs=20, steps=5):
    network = Watched()
    x = np.zeros((10 * steps, 1))
    train(
        network,
        x,
        x,
        torch.nn.functional.mse_loss,
        epochs=epochs,
        batch=10,
        learning_rate=0.01,
        sparsity=sparsity,
        seed=1,
    )
    return network.steps.seen


def test_pruning_is_cubic():
    """Planted: linear pruning. By Zhu and Gupta, of 12 epochs' way to 80 %: 0.8 (1 - (1 - n / 12)^3)."""
    seen = watched(0.8)
    zeros = [int((seen[5 * epoch + 1] == 0).sum()) for epoch in range(20)]
    assert zeros[:7] == [0, 183, 337, 462, 562, 641, 700]
    assert zeros[12:] == [800] * 8


def test_the_rate_rises_for_a_tenth_of_the_steps():
    """Planted: a warm-up five times as long."""
    seen = [float(weights[-1]) for weights in watched(0.0)]
    rates = -np.diff(seen)
    assert len(rates) == 99
    assert (np.diff(rates[:10]) > 0).all()
    assert rates[10] > 0.8 * rates.max()  # at its end the momentum is lowest, and the rate's step a little shorter
    assert (np.diff(rates[25:]) < 0).all()
    assert 0.009 < rates.max() < 0.01


def test_the_baseline_has_learned_all_it_can():
    """Planted: a baseline cut to two rounds, whose order of events is fair and whose probabilities are not."""
    events, unseen = part("train", 1500, 1), part("test", 1000, 2)
    scores = JetTagging().open({"file": "none"}, 1).baselines(events, 1)[0](unseen)
    assert -scores[np.arange(len(unseen.y)), unseen.y].mean() < 1.15  # 1.08; after two rounds 1.34
