"""The family ``embedding-autoencoder``: views of events, two phases, and exactness from Brevitas to the circuit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codesign.core.errors import InputError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.autoencoder.config import EmbeddingConfig
from codesign.families.autoencoder.event_views import EventViews, vicreg
from codesign.families.autoencoder.family import EmbeddingAutoencoder
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.tasks.anomalies.level1_inputs import quantisation_of
from codesign.testing.torch_family_tests import TorchFamilyTests
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train

NAMES = ("met_pt", "met_eta", "met_phi", "jet0_pt", "jet0_eta", "jet0_phi", "jet1_pt", "jet1_eta", "jet1_phi")
CONFIG = EmbeddingConfig(
    widths=(10,), embedding=5, narrow=(4,), latent=2, weight_bits=(5,) * 6, activation_bits=(5,) * 5,
    square_bits=6, score_bits=12, input_bits=7, sparsity=0.3,
)  # fmt: skip


@pytest.mark.slow
class TestEmbeddingAutoencoder(TorchFamilyTests):
    outputs = 1
    objective = "reconstruction"

    @pytest.fixture
    def family(self):
        return EmbeddingAutoencoder()

    @pytest.fixture
    def space(self):
        return {
            "depth": 1,
            "width": [6, 8],
            "embedding": {"low": 3, "high": 4},
            "narrow_depth": [1, 2],
            "narrow": [3, 4],
            "latent": 2,
            "weight_bits": {"low": 3, "high": 5},
            "activation_bits": {"low": 3, "high": 5},
            "square_bits": 5,
            "score_bits": 9,
            "input_bits": {"low": 5, "high": 6},
        }


def events(count=3000, seed=0, odd=False):
    """Missing energy against two jets that are back to back, the second not always there; or jets at right angles."""
    rng = np.random.default_rng(seed)
    lead = np.floor(rng.gamma(3, 20, count) + 10)
    phi = rng.integers(-72, 72, count)
    share = rng.uniform(0.5, 1, count)
    apart = rng.normal(36 if odd else 72, 4, count)
    x = np.stack(
        [
            np.floor(lead * (1 - share)), np.zeros(count), (phi + 72 + 72) % 144 - 72,
            lead, rng.normal(0, 25, count), phi,
            np.floor(lead * share), rng.normal(0, 25, count), (phi + np.rint(apart) + 72) % 144 - 72,
        ],
        axis=1,
    )  # fmt: skip
    gone = rng.random(count) < 0.2
    x[gone, 6:] = 0
    x[:, [4, 7]] = np.rint(x[:, [4, 7]])
    return x


def trained(epochs=6, seed=1, rows=2000):
    x = events(rows)
    q = quantisation_of(x, NAMES, ("1",) * 9, CONFIG.input_bits)
    values = q.port.values(q.codes(x))
    target = ((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1)).astype(np.float32)
    torch.manual_seed(seed)
    network = EmbeddingAutoencoder().build(CONFIG, Subject(NAMES, Subject.of_sizes(9, 1).heads))
    history = train(
        network, values, target, torch.nn.functional.mse_loss, epochs=epochs, batch=200, learning_rate=5e-3,
        sparsity=CONFIG.sparsity, seed=seed,
    )  # fmt: skip
    return q, x, network, history


@pytest.fixture(scope="module")
def learned():
    return trained()


def test_it_is_exact_from_brevitas_to_the_circuit(learned, tmp_path):
    q, x, network, history = learned
    assert history.sparsity >= CONFIG.sparsity - 0.05
    design = export.export(network, q, ("score",))
    codes = np.concatenate([q.codes(x), probe_codes(design.inputs)])
    brevitas = export.brevitas_codes(network, design, codes)
    assert len(np.unique(brevitas)) > 20
    assert np.array_equal(brevitas, export.qonnx_codes(design, codes))
    ours = read_graph(design.onnx).run(design.inputs.values(codes), Exact())
    assert np.array_equal(brevitas, design.outputs.codes(ours))
    firmware = Alkaid().compile(design, load_target("vu13p-360"), tmp_path)
    assert np.array_equal(brevitas, Alkaid().predict(firmware, codes))


@pytest.mark.slow
def test_the_same_seed_is_the_same_network():
    hashes = [export.export(run[2], run[0], ("score",)).hash for run in (trained(2, s, 600) for s in (1, 1, 2))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_embedding_tells_events_apart(learned):
    q, x, network, _ = learned
    values = torch.as_tensor(q.port.values(q.codes(x)), dtype=torch.float32)
    with torch.no_grad():
        found = network._embed(network.input(values) * network.gain)
    assert (found.std(dim=0) > 0).sum() >= CONFIG.embedding - 1, "it did not collapse"


def test_the_bottleneck_moves_no_encoder():
    """Its loss alone: what reproduces the embedding has a gradient, and what makes the embedding none."""
    q, x, network, _ = trained(2, 1, 600)
    network.folded = False
    values = torch.as_tensor(q.port.values(q.codes(x)), dtype=torch.float32)
    gradients = {}
    for phase in network.phases():
        network.enter(phase)
        for weight in (0.0, 1.0):
            network.zero_grad()
            torch.manual_seed(3)
            network.objective(values, values, lambda a, b, w=weight: w * (a - b).square().mean()).backward()
            gradients[phase.name, weight] = [
                torch.zeros(()) if linear.weight.grad is None else linear.weight.grad.clone()
                for linear in network.linears
            ]
    encoder = len(CONFIG.widths) + 1
    first, both = gradients["embedding", 1.0], gradients["bottleneck", 1.0]
    assert not any(g.any() for g in first[encoder:])
    assert all(g.any() for g in both[encoder:])
    for with_it, without in zip(both[:encoder], gradients["bottleneck", 0.0][:encoder], strict=True):
        assert torch.equal(with_it, without)


def test_views_are_of_the_same_event():
    x = torch.as_tensor(events(4000), dtype=torch.float32)
    views = EventViews(NAMES)
    views.fit(x)
    torch.manual_seed(0)
    seen = views.draw(x)
    pt, eta, phi = (seen[:, [i, i + 3, i + 6]] for i in (0, 1, 2))
    lowest = x[:, [0, 3, 6]].amin(dim=0)
    there = x[:, [0, 3, 6]] > lowest
    assert (pt == lowest)[~there].all()
    assert not eta[~there].any()
    lost = there & (pt == lowest)
    assert 0.05 < lost[:, 2].float().mean() < 0.25
    soft = x[:, 6][x[:, 6] > 0].median()
    assert (x[:, 6][lost[:, 2]] < soft).all(), "soft ones alone"
    assert phi.abs().max() <= 72.001
    kept = (there & ~lost).all(dim=1)
    # turned together: what is between two objects stays, around the circle
    turns = torch.remainder(phi[kept] - x[kept][:, [2, 5, 8]], 144)
    assert ((turns - turns[:, :1] + 72) % 144 - 72).abs().max() < 0.01
    assert turns[:, 0].std() > 20
    mirrored = eta[kept][:, 1] / x[kept][:, 4]
    assert set(mirrored[mirrored.isfinite()].round().tolist()) <= {-1.0, 1.0}
    smeared = (pt[kept][:, 1] / x[kept][:, 3]).std()
    assert 0.08 < smeared < 0.12


def test_numbers_of_no_object_get_noise():
    x = torch.randn(500, 3)
    views = EventViews(("a", "b", "c_pt"))
    views.fit(x)
    off = views.draw(x) - x
    assert 0.05 < off.std() < 0.2


def test_the_loss_knows_collapse_and_copies():
    torch.manual_seed(1)
    a = torch.randn(2000, 4)
    assert vicreg(a, a) < 1
    assert vicreg(torch.zeros(2000, 4), torch.zeros(2000, 4)) > 40, "all events are one"
    assert vicreg(a, -a) > 50, "two views are two"
    same = a[:, :1].expand(-1, 4)
    assert vicreg(same, same) > 5, "four numbers are one"


def test_what_it_cannot_learn_is_said():
    family = EmbeddingAutoencoder()
    with pytest.raises(InputError, match="has one output, a score, but the task wants 5"):
        family.build(CONFIG, Subject.of_sizes(9, 5))
    with pytest.raises(ValueError, match="weight_bits needs 6 entries"):
        EmbeddingConfig.model_validate(CONFIG.model_dump() | {"weight_bits": (4,)})
    with pytest.raises(ValueError, match="every narrow width"):
        EmbeddingConfig.model_validate(CONFIG.model_dump() | {"narrow": (0,)})
