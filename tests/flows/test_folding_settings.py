"""What a study says of folding: the interval, the beats, a module for each item; what cannot be so is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import UnsupportedError
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings, AlkaidSpace
from codesign.testing.graphs import kind_of, weights
from tests.flows.folded_firmware import TARGET, compiled
from tests.graph.everywhere import exact_codes
from tests.graph.graphs import GraphBuilder, design_of
from tests.graph.item_networks import Network, network


def test_interval_one_is_what_it_was(tmp_path: Path) -> None:
    design = network("deep set, sum", 4, seed=2, width=5, outputs=3)
    whole = Alkaid().compile(design, TARGET, tmp_path / "a")
    one = Alkaid().compile(design, TARGET, tmp_path / "b", AlkaidSettings(interval=1))
    assert [p.read_bytes() for p in one.source_paths] == [p.read_bytes() for p in whole.source_paths]
    assert one.rtl.protocol == whole.rtl.protocol == "pipelined"


def test_an_unrolled_design_of_many_items_has_a_module_for_each(tmp_path: Path) -> None:
    made = network("deep set, sum", 32, seed=2, width=4, outputs=3)
    firmware = Alkaid().compile(made, TARGET, tmp_path / "items")
    assert firmware.rtl.protocol == "pipelined"
    (module,) = firmware.rtl.repeated
    top = (firmware.folder / "src" / "codesign_top.v").read_text()
    assert top.count(f"    {module} ") == 32
    assert "module codesign_tree0 (" in top
    codes = probe_codes(made.inputs, 60)
    assert np.array_equal(Alkaid().predict(firmware, codes), exact_codes(made, codes))
    assert Alkaid().load(made, TARGET, firmware.folder).rtl == firmware.rtl
    assert Alkaid().layers(firmware) is None
    few = network("deep set, sum", 4, seed=2, width=4, outputs=3)
    assert Alkaid().compile(few, TARGET, tmp_path / "whole").rtl.repeated == ()


def test_items_of_which_nothing_is_done_in_turn_are_refused(tmp_path: Path) -> None:
    """Each is first rounded to a grid of its own, which waits for all of them."""
    made = Network(3, 4, 2)
    x = made.quant(made.block("items", 8, 3), 2.0 ** (np.arange(8.0)[:, None] % 4), 5)
    with pytest.raises(UnsupportedError, match="no items that could be folded into 3 clocks"):
        compiled(made.design(made.head(made.reduce("ReduceSum", x), 3)), tmp_path, 3)


def test_a_network_without_items_is_refused_with_what_to_do(tmp_path: Path) -> None:
    b = GraphBuilder(6)
    design = design_of(b.finish(b.layer("x", weights(np.random.default_rng(0), (6, 2), 4)), 2), kind_of(4, True), 6)
    with pytest.raises(UnsupportedError, match="no items that could be folded into 9 clocks"):
        compiled(design, tmp_path, 9)
    with pytest.raises(UnsupportedError, match="no items of which each could have a module"):
        Alkaid().compile(design, TARGET, tmp_path, AlkaidSettings(modules="items"))


def test_a_study_draws_the_interval() -> None:
    drawn = []

    def choose(name, dimension):
        drawn.append(name)
        return {"interval": 5, "stage_delay": None}[name]

    space = AlkaidSpace.model_validate({"interval": {"low": 1, "high": 9}})
    assert Alkaid().suggest(space, choose) == AlkaidSettings(interval=5)
    assert drawn == ["interval", "stage_delay"]
    assert Alkaid().suggest(AlkaidSpace(), lambda name, _: None) == AlkaidSettings()
    with pytest.raises(ValueError, match="1 to 64 clocks"):
        AlkaidSpace.model_validate({"interval": {"low": 0, "high": 9}})


def test_targets_say_the_free_interval() -> None:
    assert {name: load_target(name).free_interval for name in ("vu13p-360", "vu13p-240", "ulx3s-85f")} == {
        "vu13p-360": 9, "vu13p-240": 6, "ulx3s-85f": 1,
    }  # fmt: skip
