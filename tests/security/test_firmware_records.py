"""The record of a firmware is checked field by field: no name in it leads out of its folder or into a tool."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.figures import Figure
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.finn.flow import Finn
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.rtl.firmware import Firmware, Rtl
from tests.make_run import make_run
from tests.security.evil_names import EVIL, changed, evil, refused

pytestmark = pytest.mark.usefixtures("no_mark")


def synthesised(firmware: Firmware, folder: Path) -> list[Figure]:
    from codesign.tools.yosys import synthesise

    return synthesise(Alkaid().load(firmware.design, firmware.target, firmware.folder), folder / "yosys", 300)


@evil
def test_synthesis_takes_no_source_by_such_a_name(own: Firmware, tmp_path: Path, name: str) -> None:
    top = own.folder / "src" / "codesign_top.v"
    if len(name) < 200 and "/" not in name and "\0" not in name:
        shutil.copyfile(top, own.folder / "src" / name)
    changed(own, sources=[*map(str, own.sources), f"src/{name}"])
    with pytest.raises(InputError, match=r"firmware.json: 'sources") as error:
        synthesised(own, tmp_path)
    refused(error)


@evil
def test_no_top_has_such_a_name(own: Firmware, tmp_path: Path, name: str) -> None:
    changed(own, top=name)
    with pytest.raises(InputError, match=r"firmware.json: 'top'") as error:
        synthesised(own, tmp_path)
    refused(error)


@pytest.mark.parametrize("where", ["../outside.v", "/etc/passwd", "src/../../outside.v", "src/link.v", "linked/a.v"])
def test_a_source_lies_in_the_firmwares_own_folder(own: Firmware, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside.v"
    outside.write_text("module secret; endmodule\n")
    (own.folder / "src" / "link.v").symlink_to(outside)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.v").write_text("module secret; endmodule\n")
    (own.folder / "linked").symlink_to(tmp_path / "elsewhere")
    changed(own, sources=[*map(str, own.sources), where])
    with pytest.raises(InputError, match=r"symbolic link|no path inside") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


def test_firmware_that_a_plugin_opens_is_checked_too(own: Firmware, tmp_path: Path) -> None:
    """Whatever built it: RTL holds plain names only, and its files are looked at when they are used."""
    for sources, top in (((Path("../a.v"),), "top"), ((Path("/a.v"),), "top"), ((Path("a.v"),), "top; x")):
        with pytest.raises(InputError):
            Rtl(sources, top, 1)
    (own.folder / "src" / "link.v").symlink_to("/etc/passwd")
    from codesign.tools.yosys import synthesise

    assert own.rtl is not None
    with pytest.raises(InputError, match=r"symbolic link"):
        synthesise(replace(own, rtl=replace(own.rtl, sources=(Path("src/link.v"),))), tmp_path / "yosys", 300)


def test_no_source_from_elsewhere_is_handed_on(tmp_path: Path) -> None:
    from codesign.handoff.bundle import write_bundle
    from tests.handoff.conftest import build

    run = make_run(tmp_path / "run" / "made-up", trials=12, front=3)
    number = build(run)
    folder = run.trial(number).firmware
    (tmp_path / "outside.v").write_text("secret\n")
    (folder / "src" / "link.v").symlink_to(tmp_path / "outside.v")
    record = json.loads((folder / "firmware.json").read_text())
    for where in ("../../../../../outside.v", "/etc/passwd", "src/link.v", EVIL["quote and line"], EVIL["make"]):
        (folder / "firmware.json").write_text(json.dumps(record | {"sources": [*record["sources"], where]}))
        with pytest.raises(
            InputError, match=r"firmware is of files in its folder only|no path inside|leads out of the run"
        ):
            write_bundle(run.path, number, tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_cycles", "nine"), ("latency_cycles", -1), ("lut", float("nan")), ("lut", float("inf")), ("ff", 1e300),
        ("ff", None), ("sources", []), ("sources", "src/a.v"), ("sources", [1]), ("notes", [{}]), ("settings", []),
        ("settings", {"stage_delay": "x"}), ("top", ["a"]), ("design", "x"), ("target", 3), ("alkaid", {}),
    ],
)  # fmt: skip
def test_a_record_is_checked_field_by_field(own: Firmware, field: str, value: object) -> None:
    changed(own, **{field: value})
    with pytest.raises(InputError, match=rf"firmware.json: ('{field}|(NaN|Infinity) is not)") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"lut": ' + "9" * 5000 + "}", "\ud800", "null"])
def test_what_is_no_record_is_refused_in_one_line(own: Firmware, text: str) -> None:
    (own.folder / "firmware.json").write_text(text, errors="surrogatepass")
    with pytest.raises(InputError, match=r"firmware.json") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


FINN = {
    "settings": {"initiation_interval": 16},
    "sources": ["rtl/a.sv"],
    "data": ["rtl/a.dat"],
    "stripped": ["a note"],
    "estimates": {"cycles": {"MVAU_rtl_0": 3}, "resources": {}, "initiation_interval": 16, "latency_cycles": 20},
    "folding": [
        {"name": "MVAU_rtl_0", "kind": "MVAU_rtl", "PE": 1, "SIMD": 2, "bits": 8, "weight_bits": 3,
         "activation_bits": 4, "narrow": True},
        {"name": "Thresholding_rtl_0", "kind": "Thresholding_rtl", "PE": 1, "bits": 3},
    ],
    "modules": [
        {"name": "MVAU_rtl_0", "kind": "MVAU", "module": "MVAU_rtl_0", "input_bits": 8, "output_bits": 8,
         "sources": ["a.sv"], "data": ["a.dat"], "memory": "MVAU_rtl_0_memstream_wrapper", "weight_stream_bits": 8},
        {"kind": "library", "sources": ["fifo.sv"], "data": []},
    ],
    "input": {"bits": 5, "parallel": 2},
    "output": {"bits": 8, "signed": True, "parallel": 1},
    "version": "1.6.1",
}  # fmt: skip
HLS4ML = {
    "settings": {"io": "io_parallel", "strategy": "latency", "reuse_factor": 1},
    "layers": [
        {"name": "Dense_MatMul_0", "inputs": 3, "outputs": 2, "strategy": "latency", "reuse_factor": 1,
         "accumulator": "fixed<9,4>", "result": "fixed<9,4>"}
    ],
    "hls4ml": "1.3.0",
    "notes": [],
    "vendor": [],
    "no_rtl": "no Vitis",
}  # fmt: skip


def recorded(flow: Any, record: dict[str, Any], design: Design, folder: Path) -> Firmware:
    """Firmware of a hand-written record, opened."""
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    for name in ("a.sv", "a.dat"):
        (folder / "rtl" / name).write_text("")
    text = json.dumps({"design": design.hash, "target": "vu13p-360", **record})
    (folder / "firmware.json").write_text(text)
    opened: Firmware = flow.load(design, load_target("vu13p-360"), folder)
    return opened


@pytest.mark.parametrize(
    "change",
    [
        {"sources": ["../a.sv"]}, {"sources": [EVIL["quote and line"]]}, {"data": ["/etc/passwd"]},
        {"data": [EVIL["substitution"]]}, {"settings": {"initiation_interval": "x"}}, {"output": {"bits": -1}},
        {"estimates": {"cycles": {EVIL["backtick"]: 1}}}, {"folding": [{"kind": "MVAU_rtl"}]}, {"modules": [{}]},
        {"modules": [FINN["modules"][0] | {"memory": EVIL["verilog"]}]},
        {"folding": [FINN["folding"][0] | {"weight_bits": 10**9}]},
    ],
)  # fmt: skip
def test_finns_record_is_checked(compiled_network: Firmware, tmp_path: Path, change: dict[str, Any]) -> None:
    whole = recorded(Finn(), FINN, compiled_network.design, tmp_path / "whole")
    assert whole.extra | {"design": 0, "target": 0} == FINN | {"design": 0, "target": 0}
    assert Finn().figures(whole)
    with pytest.raises(InputError, match=r"firmware.json: ") as error:
        recorded(Finn(), FINN | change, compiled_network.design, tmp_path / "changed")
    refused(error)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"io": EVIL["tcl command"]}}, {"layers": [{"name": EVIL["comment"]}]}, {"vendor": [{"lut": 1}]},
        {"layers": [HLS4ML["layers"][0] | {"strategy": EVIL["make"]}]}, {"notes": "x"},
    ],
)  # fmt: skip
def test_hls4mls_record_is_checked(compiled_network: Firmware, tmp_path: Path, change: dict[str, Any]) -> None:
    whole = recorded(Hls4ml(), HLS4ML, compiled_network.design, tmp_path / "whole")
    assert whole.extra | {"design": 0, "target": 0} == HLS4ML | {"design": 0, "target": 0}
    with pytest.raises(InputError, match=r"firmware.json: ") as error:
        recorded(Hls4ml(), HLS4ML | change, compiled_network.design, tmp_path / "changed")
    refused(error)
