"""The gate in front of every score, and the bound in front of every training."""

import sys

import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.errors import CodesignError, ToolError
from codesign.core.figures import Fidelity, find
from codesign.core.records import Figures, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Part
from codesign.families.base import Family
from codesign.pipeline import evaluation, proof, trial
from codesign.search.resolve import resolve
from codesign.study.definition import load_study
from codesign.tools import nextpnr, nextpnr_family
from tests.small_candidate import CONFIG


@pytest.fixture
def setting(tmp_path):
    study = load_study("jet-tagger")
    study = study.model_copy(
        update={
            "training": study.training.model_copy(update={"epochs": 2, "batch": 64}),
            "verification": study.verification.model_copy(update={"gate_events": 1000}),
        }
    )
    run = RunFolder(tmp_path / "run")
    names = [f"f{i}" for i in range(16)]
    run.write("sample.json", {"feature_names": names, "units": ["1"] * 16, "class_names": list("gqwzt")})
    rng = np.random.default_rng(0)

    def part(name, events):
        y = rng.integers(0, 5, events)
        return Part(name, (rng.normal(size=(events, 16)) + np.eye(16)[y] * 2).astype(np.float32), y)

    return study, run.trial(0), part("train", 1200), part("validation", 600)


def evaluate(setting, config=CONFIG):
    study, folder, train, validation = setting
    stages = []
    config = plugins.load(Family, "mlp").config.model_validate(config)
    return evaluation.evaluate(study, config, folder, 3, train, validation, stages.append), stages


def test_a_candidate_leaves_all_its_records(setting):
    result, stages = evaluate(setting)
    assert stages == ["bound", "training", "export", "compile", "gate", "judging"]
    folder = setting[1].path
    for name in ("model.onnx", "design.json", "weights.safetensors", "metrics.json", "figures.json", "firmware"):
        assert (folder / name).exists()
    assert result.metrics["accuracy"].value > 0.3
    assert {f.quantity for f in result.figures} >= {"ebops", "lut", "ff", "latency_ns"}
    again, _ = evaluate(setting)
    assert again.design_hash == result.design_hash  # the same seed, the same bits


def test_the_trained_network_is_rebuilt_from_what_is_on_disk(setting):
    from codesign.core.design import Design
    from codesign.graph.reference import qonnx_codes

    evaluate(setting)
    study, folder, train, _ = setting
    folder.write("config.json", CONFIG)
    design = Design.load(folder.path)
    codes = design.input_quantisation.codes(train.x)
    trained = trial.load_trained(study, folder, design)
    assert trained.design() is design
    (brevitas,) = trained.references().values()
    assert np.array_equal(brevitas(codes), qonnx_codes(design, codes))
    assert trained.files()["weights.safetensors"] == (folder.path / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("liar", ["brevitas_codes", "qonnx_codes"])
@pytest.mark.parametrize(("place", "said"), [(517, "real events.*first on event 517"), (1003, "extreme.* event 3:")])
def test_one_wrong_integer_in_one_event_fails_the_candidate(setting, monkeypatch, liar, place, said):
    from codesign.graph import reference
    from codesign.training import export

    module = export if liar == "brevitas_codes" else reference
    honest = getattr(module, liar)

    def lies(*arguments):
        codes = honest(*arguments).copy()
        codes[place, 2] += 1
        return codes

    monkeypatch.setattr(module, liar, lies)
    with pytest.raises(CodesignError, match=f"not exact on {said}"):
        evaluate(setting)
    assert not (setting[1].path / "metrics.json").exists()


def test_what_cannot_fit_is_refused_before_it_is_trained(setting):
    large = {"widths": [300, 300], "weight_bits": [8] * 3, "activation_bits": [8] * 2, "input_bits": 8}
    with pytest.raises(CodesignError, match=r"cannot fit: .* 6000 are allowed"):
        evaluate(setting, large)


def test_shipped_studies_resolve():
    for name in ("jet-tagger", "finnas"):
        assert resolve(load_study(name)).task.name == "jet-tagging"


def test_checkpoints_of_one_training_are_candidates(setting, monkeypatch):
    """Two budgets, one training: the second candidate's network comes of the first one's, exact as any other."""
    from codesign.families.learned import learned_front

    study, folder, train, validation = setting
    study = study.model_copy(
        update={
            "family": "mlp-learned",
            "training": study.training.model_copy(update={"epochs": 30, "batch": 64, "learning_rate": 0.02}),
        }
    )
    family, run = plugins.load(Family, "mlp-learned"), RunFolder(folder.path.parent.parent)
    trained, count = learned_front.checkpoints, []

    def counted(*given, **how):
        count.append(how["seed"])
        return trained(*given, **how)

    monkeypatch.setattr(learned_front, "checkpoints", counted)
    found = []
    for number, budget in enumerate((2000.0, 120.0)):
        config = family.config(widths=(12, 8), beta_low=1e-4, beta_high=3e-2, budget=budget)
        result = evaluation.evaluate(study, config, run.trial(number), number, train, validation, lambda stage: None)
        ebops = next(f.value for f in result.figures if f.quantity == "ebops")
        assert 0 < ebops <= budget
        found.append((ebops, result.metrics["accuracy"].value, result.design_hash))
    assert len(count) == 1
    assert found[1][0] < found[0][0]
    assert found[1][2] != found[0][2]
    assert "made before" in result.notes[-1]
    tiny = family.config(widths=(12, 8), beta_low=1e-4, beta_high=3e-2, budget=1.0)
    with pytest.raises(CodesignError, match="no network of at most 1 effective bit operations"):
        evaluation.evaluate(study, tiny, run.trial(2), 2, train, validation, lambda stage: None)
    assert len(count) == 1


@pytest.mark.skipif(not nextpnr.available().available, reason=nextpnr.available().reason)
def test_rungs_of_measurement_on_real_tools(setting, monkeypatch):
    """Synthesised and placed on the study's own target; what cannot be routed costs the placed figures only."""
    study, folder, *parts = setting
    study = study.model_copy(update={"target": "ulx3s-85f"})
    evaluate((study, folder, *parts))
    folder.write("status.json", TrialStatus(trial=0, state=State.COMPLETE, seed=3))
    stages = []

    def fidelities():
        return {f.fidelity for f in folder.read("figures.json", Figures).figures}

    proof.measure(study, folder, Fidelity.SYNTHESISED, stages.append)
    with monkeypatch.context() as broken:
        said = "import sys; print('ERROR: Routing design failed.'); sys.exit(1)"
        broken.setattr(nextpnr_family.DeviceFamily, "command", lambda self, name: [sys.executable, "-c", said])
        with pytest.raises(ToolError, match=r"Routing design failed"):
            proof.measure(study, folder, Fidelity.PLACED, stages.append)
    assert fidelities() == {Fidelity.ANALYTIC, Fidelity.COMPILED, Fidelity.SYNTHESISED}
    (note,) = folder.read("status.json", TrialStatus).notes
    assert note.startswith("placement not measured: nextpnr-ecp5: ")
    assert "Routing design failed" in note
    proof.measure(study, folder, Fidelity.PLACED, stages.append)
    found = folder.read("figures.json", Figures).figures
    compiled, placed = (find(found, "lut", f) for f in (Fidelity.COMPILED, Fidelity.PLACED))
    assert 0.5 * compiled.expected.low < placed.value < 2 * compiled.expected.high
    assert find(found, "fmax", Fidelity.PLACED).tool == "nextpnr-ecp5"
    assert stages[-3:] == ["synthesis", "placement", "placement"]
    before = len(stages)
    proof.measure(study, folder, Fidelity.PLACED, stages.append)
    assert len(stages) == before, "what is measured is left as it is"
    assert folder.read("status.json", TrialStatus).notes == [], "and nothing is said to be missing"
