"""A network trained on generated jets only, judged on published jets that another generator chain made."""

from __future__ import annotations

from dataclasses import replace

import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.data.generated import generated_sample
from codesign.data.readers import read_sample
from codesign.data.readers.checks import CLASS_NAMES
from codesign.data.sample import Part, Splits
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.physics.substructure import features_of
from codesign.tasks.tagging.jet_tagging import JetTagging
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train

#: the published file holds the 32 hardest constituents above 2 GeV: features of both sides are computed from such
SOFTEST = 2.0


def test_network_trained_on_generated_jets_tags_published_jets(published_data, record_property):
    path = published_data("lhc_jets_150p/jets_1000.npz")
    made = generated_sample("jets-13tev", 8000)
    assert made.constituents is not None
    seen = made.constituents * (made.constituents[..., :1] >= SOFTEST)
    sample = replace(made, features=features_of(seen))
    splits = Splits(0.7, 0.15, 0.15, seed=1)
    training, test = sample.part("train", splits), sample.part("test", splits)
    config = MLPConfig(widths=(32, 32), weight_bits=(5, 5, 5), activation_bits=(5, 5), input_bits=8, sparsity=0.5)
    quantisation = InputQuantisation.fit(training.x, sample.feature_names, sample.units, config.input_bits)
    torch.manual_seed(1)
    network = MLP().build(config, Subject.of_sizes(16, 5))
    task = JetTagging().open({"file": "none"}, 1)
    train(
        network,
        quantisation.port.values(quantisation.codes(training.x)),
        task.target(training)["classes"],
        torch.nn.functional.cross_entropy,
        epochs=60,
        batch=256,
        learning_rate=0.01,
        sparsity=config.sparsity,
        seed=1,
    )
    design = export.export(network, quantisation, sample.class_names)

    jets = read_sample(path, CLASS_NAMES)
    outside = Part("test", features_of(jets.constituents), jets.labels)
    (boosted,) = task.baselines(training, 1)
    accuracy = {}
    for name, part in (("generated", test), ("published", outside)):
        scores = design.outputs.values(export.qonnx_codes(design, quantisation.codes(part.x)))
        accuracy[name] = task.judge(scores, part, {})["accuracy"]
        accuracy[f"{name}, boosted trees"] = task.judge(boosted(part), part, {})["accuracy"]
    for name, metric in accuracy.items():
        record_property(name, metric.value)
        print(f"accuracy on {name} jets: {metric.value:.3f} +- {metric.error:.3f}")
    # a random forest trained on the published jets themselves reaches 0.65 with these features (five-fold)
    assert accuracy["published"].value > 0.6
    assert accuracy["generated"].value > 0.58
    assert abs(accuracy["published"].value - accuracy["generated"].value) < 0.1
