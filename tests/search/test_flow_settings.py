"""A flow's settings: written in a study, drawn with a candidate, recorded, read back, and obeyed."""

import json

import numpy as np
import pytest
import yaml

from codesign.core import plugins
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.flows.base import Flow
from codesign.flows.settings import family_config, flow_settings
from codesign.rtl.firmware import Firmware
from codesign.search.engine import run_study
from codesign.search.resolve import resolve
from codesign.study.definition import load_study, parse_study
from tests.search.conftest import STUDY


def study(**changes):
    return parse_study(yaml.safe_dump(yaml.safe_load(STUDY) | changes), "toy.yaml")


def test_a_plain_name_stays_one_and_a_mapping_comes_back():
    assert study().flow.name == "toy"
    assert yaml.safe_load(study().to_yaml())["flow"] == "toy"
    given = {"name": "toy", "reuse": [1, 2]}
    again = parse_study(study(flow=given).to_yaml(), "again")
    assert yaml.safe_load(again.to_yaml())["flow"] == given
    assert again.flow.space == {"reuse": [1, 2]}


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (
            {"name": "alkaid", "stage_dealy": 2},
            r"section 'flow': unknown key 'stage_dealy' \(did you mean 'stage_delay'",
        ),
        ({"reuse": 3}, "'flow.name' is missing"),
        ("alkaide", r"'alkaide' among the flows \(did you mean 'alkaid'"),
        ({"name": "alkaid", "stage_delay": {"low": 3}}, "'high' is missing"),
    ],
)
def test_what_is_wrong_with_a_flow_is_said(flow, message):
    with pytest.raises(InputError, match=message):
        resolve(study(flow=flow))


def test_a_search_draws_them_and_records_them(tmp_path):
    run = RunFolder(tmp_path / "run")
    given = study(flow={"name": "toy", "reuse": {"low": 1, "high": 8}})
    run_study(given, run.path, 6, 1, pipeline="toy")
    configs = [json.loads((t.path / "config.json").read_text()) for t in run.trials()]
    drawn = {c["flow.reuse"] for c in configs}
    assert len(drawn) > 1
    assert drawn <= set(range(1, 9))
    assert set(family_config(configs[0])) == {"width", "sparsity"}
    assert flow_settings(plugins.load(Flow, "toy"), configs[0]).reuse == configs[0]["flow.reuse"]
    # the same command again finds nothing to do
    run_study(given, run.path, 6, 1, pipeline="toy")


def test_a_run_of_an_earlier_release_goes_on(tmp_path):
    """Its study.yaml has a plain name, and objectives without a fidelity."""
    run = RunFolder(tmp_path / "run")
    run_study(study(), run.path, 3, 1, pipeline="toy")
    path = run.path / "study.yaml"
    old = yaml.safe_load(path.read_text())
    assert old["flow"] == "toy"
    for entry in (*old["objectives"], *old["constraints"]):
        entry.pop("fidelity")
    path.write_text(yaml.safe_dump(old))
    front = run_study(study(), run.path, 5, 1, pipeline="toy")
    assert front.points
    assert all(not any(key.startswith("flow.") for key in p.config) for p in front.points)


def test_alkaid_deepens_the_pipeline_and_keeps_the_integers(tmp_path):
    from tests.families.mlp_networks import CONFIGS
    from tests.flows.small_designs import design_of

    _, design, codes = design_of(CONFIGS[0])
    target = load_target("vu13p-360")
    flow = Alkaid()
    plain = flow.compile(design, target, tmp_path / "plain")
    deep = flow.compile(design, target, tmp_path / "deep", AlkaidSettings(stage_delay=1.0))
    assert deep.latency_cycles > plain.latency_cycles
    assert np.array_equal(flow.predict(plain, codes), flow.predict(deep, codes))
    assert deep.settings == {"stage_delay": 1.0}
    assert plain.settings == {}
    assert flow.load(design, target, tmp_path / "deep").settings == {"stage_delay": 1.0}
    with pytest.raises(InputError, match=r"stage_delay 100 .* more logic .* than vu13p-360 allows"):
        flow.compile(design, target, tmp_path / "shallow", AlkaidSettings(stage_delay=100))


def test_settings_are_part_of_a_figures_provenance(tmp_path):
    figure = Figure.of("lut", 3, Fidelity.COMPILED, "alkaid", "1")
    assert "settings" not in figure.model_dump(mode="json")
    folder = RunFolder(tmp_path).trial(1)
    folder.write("figures.json", Figures(figures=[figure.model_copy(update={"settings": {"reuse_factor": 4}})]))
    assert folder.read("figures.json", Figures).figures[0].settings == {"reuse_factor": 4}


def test_firmware_without_rtl_claims_none(tmp_path):
    bare = Firmware(None, None, tmp_path, None, extra={"no_rtl": "Vitis HLS is not on the PATH"})
    for what in ("sources", "top", "latency_cycles"):
        with pytest.raises(UnsupportedError, match="no RTL of this firmware here: Vitis HLS is not on the PATH"):
            getattr(bare, what)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            {"name": "lut", "direction": "minimise", "fidelity": "vendor"},
            "not measure 'lut' at fidelity 'vendor': write",
        ),
        ({"name": "accuracy", "direction": "maximise", "fidelity": "vendor"}, "only those have a fidelity"),
    ],
)
def test_a_fidelity_that_nobody_measures_is_refused(objective, message):
    with pytest.raises(InputError, match=message):
        resolve(study(objectives=[objective]))


def test_the_analytic_bit_operations_are_an_objective():
    resolved = resolve(study(objectives=[{"name": "ebops", "direction": "minimise"}]))
    assert resolved.study.objectives[0].fidelity is Fidelity.ANALYTIC
    assert load_study("jet-tagger").objectives[1].fidelity is Fidelity.COMPILED
