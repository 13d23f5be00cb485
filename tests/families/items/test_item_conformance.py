"""Every family on items and images keeps the contract of its kind."""

from __future__ import annotations

import pytest

from codesign.core.errors import CodesignError
from codesign.core.layout import Layout
from codesign.families.attention.family import Attention
from codesign.families.conv1d.family import Conv1d
from codesign.families.conv2d.family import Conv2d
from codesign.families.deepsets.family import DeepSets
from codesign.families.gru.family import Gru
from codesign.families.interaction.family import Interaction
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.linear_attention.family import LinearAttention
from codesign.families.mixer.family import Mixer
from codesign.testing import TorchFamilyTests
from tests.families.items.networks import BASE

pytestmark = pytest.mark.slow

BITS = {"low": 2, "high": 5}
SPACE = {
    "each_depth": {"low": 1, "high": 2},
    "each_width": [3, 4],
    "tail_depth": {"low": 0, "high": 1},
    "tail_width": [4, 5],
    "pool": ["sum", "mean", "max", "flatten"],
    "weight_bits": BITS,
    "activation_bits": BITS,
    "pooled_bits": BITS,
    "input_bits": {"low": 4, "high": 6},
}


class OfItems(TorchFamilyTests):
    blocks = (
        Layout.of_features(("a", "b"), ("1", "1")),
        Layout(name="items", shape=(5, 3), fields=("x", "y", "z"), absent="code"),
    )
    own: dict = {}  # noqa: RUF012
    kind: type

    @pytest.fixture
    def family(self):
        return self.kind()

    @pytest.fixture
    def space(self):
        return SPACE | self.own


class TestDeepSets(OfItems):
    kind, own = DeepSets, {"items": [3, 5], "fields": [2, 3]}


class TestJediLinear(OfItems):
    kind = JediLinear


class TestConv1d(OfItems):
    kind, own = Conv1d, {"kernel": [1, 3]}


class TestConv2d(OfItems):
    kind, own = Conv2d, {"kernel": [2, 3], "stride": [1, 2], "depthwise": [False, True]}
    blocks = (Layout(name="image", shape=(4, 5, 2), fields=("energy", "time")),)


class TestInteraction(OfItems):
    kind, own = Interaction, {"item_width": [3, 4]}


class TestLinearAttention(OfItems):
    kind, own = LinearAttention, {"latent": [1, 2], "product_bits": {"low": 2, "high": 4}}


class TestMixer(OfItems):
    kind = Mixer


class TestAttention(OfItems):
    kind, own = Attention, {"latent": [1, 2], "product_bits": {"low": 3, "high": 5}}


class TestGru(OfItems):
    kind, own = Gru, {"hidden": [2, 3], "product_bits": {"low": 3, "high": 5}}


@pytest.mark.parametrize("family", [Attention, Gru], ids=lambda f: f.name)
def test_what_reads_tables_has_a_fixed_precision(family):
    with pytest.raises(CodesignError, match="precision"):
        family().read(BASE | {"precision": "learned"}, "test")
