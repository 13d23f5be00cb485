"""The shipped families pass the suite, and one that breaks a promise does not."""

import itertools
import re
from dataclasses import replace

import pytest
import torch

from codesign.core.errors import InputError
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.mlp.network import QuantMLP
from codesign.testing.torch_family_tests import TorchFamilyTests
from codesign.training.lesson import Subject
from tests.testing.broken import said

BITS = {"low": 2, "high": 5}
SPACE = {"depth": {"low": 1, "high": 2}, "width": [4, 6], "weight_bits": BITS, "activation_bits": BITS, "input_bits": 6}
ANOMALY = SPACE | {"latent": [2, 3], "square_bits": 5, "score_bits": [6, 9]}


class TestMLP(TorchFamilyTests):
    @pytest.fixture
    def family(self):
        return MLP()

    @pytest.fixture(params=["each", pytest.param("uniform", marks=pytest.mark.slow)])
    def space(self, request):
        return SPACE | {"sparsity": [0.0, 0.3], "uniform_bits": request.param == "uniform"}


class TestMLPLearned(TorchFamilyTests):
    counts_before = False

    @pytest.fixture
    def family(self):
        return MLPLearned()

    @pytest.fixture
    def space(self):
        return {"depth": 1, "width": 6, "input_bits": 8, "budget": [5000.0, 50000.0]}


@pytest.mark.slow
class TestVAE(TorchFamilyTests):
    outputs, objective = 1, "reconstruction"

    @pytest.fixture
    def family(self):
        return VAE()

    @pytest.fixture
    def space(self):
        return ANOMALY | {"beta": {"low": 0.01, "high": 0.5, "log": True}}


class TestAutoencoder(TorchFamilyTests):
    outputs, objective = 1, "reconstruction"

    @pytest.fixture
    def family(self):
        return Autoencoder()

    @pytest.fixture
    def space(self):
        return ANOMALY


COUNT = itertools.count()


class Wider(MLP):
    """Gives more neurons than were drawn."""

    def suggest(self, space, choose):
        config = super().suggest(space, choose)
        return config.model_copy(update={"widths": tuple(w + 1 for w in config.widths)})


class Moody(MLP):
    """Decides by itself, whatever is drawn."""

    def suggest(self, space, choose):
        return super().suggest(space, choose).model_copy(update={"sparsity": next(COUNT) / 1e6})


class Invalid(MLP):
    """A layer more than there are bits."""

    def suggest(self, space, choose):
        config = super().suggest(space, choose)
        return config.model_copy(update={"widths": (*config.widths, 3)})


class Forgetful(MLP):
    """Cannot say what was drawn."""

    def parameter(self, config, name):
        raise KeyError(name)


class Free(MLP):
    """Costs nothing, however many bits."""

    class config(MLPConfig):
        def cost(self, inputs, outputs):
            return 0.0

    def suggest(self, space, choose):
        return self.config.model_validate(super().suggest(space, choose).record())


class Backwards(Free):
    """The fewer bits, the dearer."""

    class config(MLPConfig):
        def cost(self, inputs, outputs):
            return 1e9 / super().cost(inputs, outputs)


class Drifting(MLP):
    """Folding moves it, each time."""

    class Network(QuantMLP):
        def fold(self):
            super().fold()
            with torch.no_grad():
                self.linears[-1].bias.add_(1.0)

    def build(self, config, subject):
        return self.Network(config, *subject.sizes)


class Random(MLP):
    """Its weights come from nowhere."""

    def build(self, config, subject):
        network = super().build(config, subject)
        with torch.no_grad():
            network.linears[0].weight.add_(next(COUNT) + 1.0)
        return network


class Plain(MLP):
    """Builds a module that is no network."""

    class Network(torch.nn.Linear):
        pass

    def build(self, config, subject):
        return self.Network(*subject.sizes)


class Resold(MLP):
    """Keeps a file that every trial has for itself."""

    files = ("metrics.json",)

    def pick(self, files, candidate, lesson):
        return renamed(super().pick(files, candidate, lesson))


class Balanced(MLP):
    """To it all heads count alike."""

    def fit(self, candidate, lesson, *how, **more):
        heads = tuple(replace(head, weight=1.0) for head in lesson.subject.heads)
        return super().fit(candidate, replace(lesson, subject=replace(lesson.subject, heads=heads)), *how, **more)


class Deaf(MLP):
    """To it all events count alike."""

    def fit(self, candidate, lesson, *how, **more):
        return super().fit(candidate, replace(lesson, train=replace(lesson.train, weights=None)), *how, **more)


class Merged(MLP):
    """Exports one head where there were two."""

    def pick(self, files, candidate, lesson):
        merged = Subject.of_sizes(*lesson.subject.sizes)
        return super().pick(files, candidate, replace(lesson, subject=merged))


class Omnivorous(MLP):
    """Would learn anything."""

    def can(self, subject):
        return None


class Credulous(MLP):
    """Takes whatever it is given for its weights."""

    def load(self, files, candidate, design):
        try:
            return super().load(files, candidate, design)
        except InputError:
            return None


class Replaced(MLP):
    """Opens another model than it kept."""

    def load(self, files, candidate, design):
        opened = super().load(files, candidate, design)
        with torch.no_grad():
            opened._network.linears[-1].bias.add_(1.0)
        return opened


def renamed(trained):
    trained.files = lambda kept=trained.files: {"metrics.json": kept()["weights.safetensors"]}
    return trained


class ManyTrainings(MLPLearned):
    """What candidates share is another at each question."""

    class config(LearnedMLPConfig):
        def training(self):
            return super().training().model_copy(update={"budget": 1.0 + next(COUNT)})

    def suggest(self, space, choose):
        return self.config.model_validate(super().suggest(space, choose).record())


@pytest.mark.parametrize(
    ("liar", "fails", "words"),
    [
        (Wider, "parameter_finds_what_was_drawn", "'width_0' was drawn as 4, and its candidate has 5"),
        (Moody, "suggest_is_decided_by_what_is_drawn", "the same values drawn gave"),
        (Invalid, "suggest_draws_valid_configurations", "not valid: .* weight_bits needs 3 entries"),
        (Forgetful, "parameter_finds_what_was_drawn", "cannot tell what 'depth' was"),
        (Free, "fewer_bits_cost_less", "expects 0.0 effective bit operations"),
        (Backwards, "fewer_bits_cost_less", "with fewer bits"),
        (Drifting, "networks_are_exact", "folded a second time it is another network"),
        (Plain, "networks_are_exact", "builds a Network, which is no Network"),
        (Random, "models_are_trained_and_exact", "the same seed trains two models"),
        (Resold, "models_are_trained_and_exact", "a trial has another metrics.json"),
        (Replaced, "models_are_trained_and_exact", "keeps other files|differs from exact arithmetic"),
        (Balanced, "several_heads_count_by_their_weights", "does not depend on the weights of its heads"),
        (Merged, "several_heads_count_by_their_weights", "has the outputs .*scores.*, not those of its heads"),
        (Deaf, "events_count_by_their_weights", "does not depend on the weights of events"),
        (Omnivorous, "what_cannot_be_learned_is_said", "an objective that nobody knows"),
        (Credulous, "damaged_files_are_refused", "opens a weights.safetensors of 0 bytes"),
    ],
)
def test_a_family_that_breaks_a_promise_is_caught(liar, fails, words):
    assert re.search(words, said(TorchFamilyTests, fails, family=liar(), space=SPACE))


def test_a_training_that_is_not_shared_is_caught():
    space = {"depth": 1, "width": 4, "input_bits": 6, "budget": 5000.0}
    words = said(TorchFamilyTests, "candidates_of_one_training_are_picked_from_it", family=ManyTrainings(), space=space)
    assert words.endswith("what is shared by what is shared is another")
