"""The shipped targets: each loads, says where its figures are from, and holds what the part can have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from codesign.core import resources
from codesign.core.availability import Availability
from codesign.core.errors import InputError
from codesign.core.targets import load_target
from codesign.pipeline.scoring import limits
from codesign.report.words import bound
from codesign.study.definition import Constraint, load_study
from codesign.tools.placed_examples import EXAMPLES, placed_examples
from tests.benchmarks.folded_board import RECORD, examples_of

_PER_ADDER = {"xcup": (0.65, 1.1), "xcu": (0.8, 1.4), "xc7": (1.2, 2.2), "ecp5": (3, 6), "nexus": (2.5, 8)}
_PARTS = {"xcup": "xc", "xcu": "xc", "xc7": "xc7", "ecp5": "LFE5U", "nexus": "LIFCL"}
SHIPPED = resources.available("targets")


def test_what_was_placed_is_shown_from_its_record() -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert examples_of(record) == json.loads(EXAMPLES.read_text(encoding="utf-8"))
    shown = placed_examples("ulx3s-85f")
    assert {e.interval for e in shown} == {8, 1}
    assert {(e.fidelity, e.tool) for e in shown} == {("placed", "nextpnr-ecp5")}
    assert placed_examples("vu13p-360") == ()


def test_the_promised_targets_are_there() -> None:
    promised = {"vu13p-360", "vu13p-240", "vu9p-200", "alveo-u250", "alveo-u55c", "zcu102", "kv260", "pynq-z2"}
    assert promised | {"ulx3s-85f", "lifcl-40", "lifcl-40-evn"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_values_are_plausible_and_cited(name: str) -> None:
    target = load_target(name)
    has = target.resources
    assert target.name == name
    assert target.description
    assert re.search(r"\b(DS\d{3}|FPGA-DS-\d{5})\b", has.source), "no data sheet named"
    # the architecture: two flip-flops per LUT on AMD, one on ECP5; eight LUTs in a CLB, four in a slice of 7 series
    assert has.ff == has.lut * (1 if target.family in ("ecp5", "nexus") else 2)
    assert has.lut % (4 if target.family == "xc7" else 8) == 0
    assert 50 <= has.lut / max(has.dsp, 1) <= 700
    assert 300 <= has.lut / max(has.bram, 1) <= 1000
    # nanoseconds per adder between two registers: neither faster than the fabric nor wasteful
    per_adder = target.clock_ns / target.stage_delay
    low, high = _PER_ADDER[target.family]
    assert low <= per_adder <= high
    assert target.part.startswith(_PARTS[target.family])


def test_what_is_reached_follows_the_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    from codesign.tools import nextpnr_family, reach

    here = reach.reach(load_target("ulx3s-85f"))
    assert here == ["compiled", "synthesised", "simulated", "placed", "bitstream"]
    assert reach.reach(load_target("lifcl-40"))[-1] == "placed"
    monkeypatch.setattr(nextpnr_family.DeviceFamily, "available", lambda self: Availability(False, "not here"))
    assert reach.reach(load_target("ulx3s-85f"))[-1] == "simulated"
    for there, last in ((True, "vendor"), (False, "simulated")):
        monkeypatch.setattr(reach, "vivado", lambda there=there: Availability(there, ""))
        assert reach.reach(load_target("vu13p-360"))[-1] == last


#: CLBs of 8 LUTs, block memories and DSP slices of each die, as the open data base of UltraScale+ counts them
_DIES = {
    "xcvu13p": (216000, 2688, 12288), "xcu250": (216000, 2688, 12288), "xcvu9p": (147780, 2160, 6840),
    "xcu55c": (162960, 2016, 9024), "xczu9eg": (34260, 912, 2520), "xck26": (14640, 144, 1248),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in SHIPPED if load_target(n).family == "xcup"])
def test_resources_are_those_of_the_die(name: str) -> None:
    target = load_target(name)
    blocks, memories, slices = _DIES[target.part.split("-")[0]]
    assert (target.resources.lut, target.resources.bram, target.resources.dsp) == (8 * blocks, memories, slices)


def test_parts_are_not_named_twice_with_different_resources() -> None:
    seen: dict[str, object] = {}
    for name in SHIPPED:
        target = load_target(name)
        assert seen.setdefault(target.part, target.resources) == target.resources


def test_constraints_of_a_board_name_what_its_top_has() -> None:
    text = (resources.folder("targets") / "boards" / "ulx3s.lpf").read_text()
    located = set(re.findall(r'LOCATE COMP "([^"]+)"', text))
    assert located == set(re.findall(r'IOBUF PORT "([^"]+)"', text))
    sites = re.findall(r'SITE "([^"]+)"', text)
    assert len(sites) == len(set(sites)) == len(located)
    assert dict(re.findall(r'LOCATE COMP "([^"]+)" SITE "([^"]+)"', text))["clk_25mhz"] == "G2"


def test_constraints_of_the_second_board_name_each_pin_once() -> None:
    text = (resources.folder("targets") / "boards" / "crosslink-nx-evn.pdc").read_text()
    located = re.findall(r"^ldc_set_location -site {(\w+)} \[get_ports {?(\w+(?:\[\d\])?)}?\]", text, re.MULTILINE)
    assert len({site for site, _ in located}) == len(located) == 7
    assert {port for _, port in located} == set(re.findall(r"\[get_ports {?(\w+(?:\[\d\])?)}?\]", text))
    assert ("L13", "clk_12mhz") in located


def test_an_unknown_family_or_a_wrong_value_is_refused(tmp_path: Path) -> None:
    text = (resources.folder("targets") / "pynq-z2.yaml").read_text()
    for old, new, word in (("family: xc7", "family: ice40", "family"), ("lut: 53200", "lut: 0", "lut")):
        (tmp_path / "t.yaml").write_text(text.replace(old, new))
        with pytest.raises(InputError, match=word):
            load_target(str(tmp_path / "t.yaml"))


def test_dies_of_several_regions_are_known() -> None:
    regions = {name: load_target(name).resources.slrs for name in SHIPPED}
    assert {n for n, slrs in regions.items() if slrs == 1} == {
        "kv260", "lifcl-40", "lifcl-40-evn", "pynq-z2", "ulx3s-85f", "zcu102",
    }  # fmt: skip
    assert load_target("vu13p-360").resources.lut_of_slr == 432000
    assert load_target("vu9p-200").resources.lut_of_slr == 394080


def test_lut_may_be_bounded_by_the_region() -> None:
    target = load_target("vu13p-360")
    constraint = Constraint.model_validate({"name": "lut", "slrs": 0.25, "fidelity": "compiled"})
    assert constraint.most(target) == 108000
    assert constraint.model_copy(update={"max": 5000.0}).most(target) == 5000
    assert bound(constraint) == "LUT at most 0.25 SLR"
    study = load_study("jet-tagger").model_copy(update={"constraints": (constraint,)})
    (own,) = (one for one in limits(study, target) if one.name == "lut")
    assert own.max == 108000
    assert not own.implied
    with pytest.raises(ValueError, match="slrs bounds lut alone"):
        Constraint.model_validate({"name": "ff", "slrs": 1, "fidelity": "compiled"})


def test_what_is_made_for_a_target_does_not_depend_on_its_regions():
    """An earlier release knew of no SLRs: what it sealed for a target stays of that target."""
    target = load_target("vu13p-360")
    assert target.resources.slrs > 1
    one = target.model_copy(update={"resources": target.resources.model_copy(update={"slrs": 1})})
    assert one.made_for() == target.made_for()
    slower = target.model_copy(update={"clock_mhz": 240.0})
    assert slower.made_for() != target.made_for()
