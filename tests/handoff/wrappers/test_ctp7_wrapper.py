"""``algo_unpacked`` as an entity: regions of a calorimeter on links, a crossing every four clocks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from wrapper_designs import compiled, needs_ghdl, typed

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.handoff.patterns.ctp7_patterns import ctp7_patterns, read_ctp7_patterns
from codesign.handoff.wrappers.ctp7_wrapper import Ctp7Wrapper
from codesign.handoff.wrappers.destination import Golden, simulate_destination, write_destination
from codesign.handoff.wrappers.wrapper import network_of, play
from tests.graph.graphs import GraphBuilder


def regions(inputs=30, outputs=1):
    """A network of few weights over numbers of 10 bits, as the regions of CICADA; one score, or signed numbers."""
    kind = FixedPoint(signed=False, integer_bits=10, fraction_bits=0)
    q = InputQuantisation(
        features=tuple(f"region{i}" for i in range(inputs)), units=("1",) * inputs, offset=(0.0,) * inputs,
        step=(1.0,) * inputs, types=(kind,) * inputs,
    )  # fmt: skip
    rng = np.random.default_rng(inputs)
    b = GraphBuilder(inputs)
    dense = rng.integers(-3, 4, (inputs, 5)) * (rng.random((inputs, 5)) < 0.4)
    hidden = b.quant(b.layer("x", dense * 0.125), 4, 6, 0, 0, "HALF_UP")
    last = b.layer(hidden, rng.integers(-2, 4, (5, outputs)) * 0.0625)
    return typed(b.finish(b.quant(last, 0.25, 9, int(outputs > 1)), outputs), q, outputs)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    design = regions()
    codes = np.minimum(np.random.default_rng(0).gamma(1.2, 60, (30, 30)).astype(np.int64), 1023)
    return compiled(design, codes, tmp_path_factory.mktemp("regions"))


@needs_ghdl
def test_links_in_and_out_whatever_is_between(tmp_path, own):
    """Headers and checksums of any bits, gaps, early starts, resets: every word of every clock."""
    folder = tmp_path / "ctp7"
    written = write_destination("ctp7", own.firmware, Golden(own.inputs, own.outputs), folder)
    assert len(np.unique(own.outputs)) > 10
    assert [b.name for b in written.benches] == ["a crossing every four clocks", "gaps, early starts and resets"]
    assert simulate_destination(written, folder, tmp_path / "work") == (60, None)
    links = read_ctp7_patterns(folder / "test/patterns_inp.txt", 128)
    assert len({word & 0xFF for event in links for word in event}) > 50
    pins = {f"link_in_{i}_V": [event[i] for event in links] for i in range(len(links[0]))}
    assert isinstance(written.wrapper, Ctp7Wrapper)
    np.testing.assert_array_equal(written.wrapper.words.codes_of(pins, len(links)), own.inputs)
    found = read_ctp7_patterns(folder / "test/patterns_out_ref.txt", 192)
    fraction = own.design.outputs.types[0].fraction_bits
    for (word,), (code,) in zip(found, own.outputs, strict=True):
        nibbles = [word >> at & 15 for at in (28, 60, 92, 124)]
        assert int("".join(f"{n:x}" for n in nibbles), 16) == int(code) << (8 - fraction)


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize("bits", [128, 192])
def test_several_signed_numbers_and_wide_links(tmp_path, bits):
    design = regions(24, 13)
    codes = np.random.default_rng(1).integers(0, 1024, (50, 24))
    several = compiled(design, codes, tmp_path / "firmware")
    assert (several.outputs < 0).any()
    name = "ctp7" if bits == 128 else "ctp7-192"
    written = write_destination(name, several.firmware, Golden(codes, several.outputs), tmp_path / name)
    assert simulate_destination(written, tmp_path / name, tmp_path / "work")[1] is None
    assert simulate_destination(written, tmp_path / name, tmp_path / "translated", verilator=True)[1] is None


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ap_start = '1' and left = 0", "ap_start = '1'"),
        ("left <= to_unsigned(3, 2);", "left <= to_unsigned(2, 2);"),
        ("= '1' and ap_rst = '0' then", "= '1' or ap_rst = '0' then"),
        ("link_in_0_V(17 downto 8)", "link_in_0_V(16 downto 7)"),
        ("number_1(7 downto 4)", "number_1(3 downto 0)"),
        ("done <= '0';", "null;"),
    ],
)
def test_a_planted_fault_is_seen(tmp_path, own, right, wrong):
    folder = tmp_path / "ctp7"
    written = write_destination("ctp7", own.firmware, Golden(own.inputs, own.outputs), folder)
    path = folder / "algo_unpacked.vhd"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    found = [play(b, written.network, folder, tmp_path / str(i)) for i, b in enumerate(written.benches)]
    assert any(found)


def test_what_is_too_wide_is_refused(tmp_path, own):
    kind = FixedPoint(signed=False, integer_bits=17, fraction_bits=0)
    wide = Port(name="y", types=(kind,), labels=("y0",))
    design = Design(own.design.onnx, own.design.input_quantisation, wide)
    with pytest.raises(InputError, match=r"ctp7: 'y0' is ufixed<17,17>, wider than the 16 bits"):
        Ctp7Wrapper.of(design, network_of(own.firmware, tmp_path, 160.0))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.replace("#BeginData", ""), "no line #BeginData"),
        (lambda t: t.replace("0x0000   0x", "0x0000   zz", 1), "is no hexadecimal word of 32 bits"),
        (lambda t: t[: t.rindex("0x0003")], "3 lines of words; a crossing of links of 128 bits has 4"),
        (lambda t: t.replace("0x0002   0x00000000    ", "0x0002   "), "1 links, the first line has 2"),
    ],
)
def test_a_bad_pattern_file_is_one_line(tmp_path, edit, said):
    path = tmp_path / "patterns.txt"
    path.write_text(edit(ctp7_patterns([[5, 1 << 127]], 128)))
    with pytest.raises(InputError, match=re.escape(said)):
        read_ctp7_patterns(path, 128)
