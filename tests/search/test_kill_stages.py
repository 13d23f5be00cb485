"""A worker killed in every stage of real candidates, from the bound to the simulation: all is as if it had not been."""

import pytest

from codesign.core.records import State
from codesign.search.engine import run_study
from tests.search.killing import EVALUATION, PROOF
from tests.search.small_search import optuna_states, statuses, trace
from tests.small_study import small_study


@pytest.mark.slow
def test_a_kill_in_any_stage_costs_nothing(tmp_path):
    study = small_study()
    calm = run_study(study, tmp_path / "calm", len(EVALUATION))
    front = run_study(
        study,
        tmp_path / "killed",
        len(EVALUATION),
        pipeline="deadly",
    )
    deaths = {p.name for p in (tmp_path / "killed" / "deaths").iterdir()}
    assert {f"{n}-{stage}" for n, stage in enumerate(EVALUATION)} <= deaths
    proofs = [name.split("-")[2] for name in deaths if name.startswith("proof-")]
    assert sorted(proofs) == sorted(PROOF[: min(len(PROOF), len(front.points))])
    assert trace(tmp_path / "calm") == trace(tmp_path / "killed")
    assert [(p.trial, p.config, p.metrics, p.figures, p.verified) for p in calm.points] == [
        (p.trial, p.config, p.metrics, p.figures, p.verified) for p in front.points
    ]
    found = statuses(tmp_path / "killed")
    assert State.FAILED not in {s.state for s in found.values()}
    assert all(s.notes[0] == "tried again: at first its worker was killed by SIGKILL" for s in found.values())
    known = sorted(n for n, state, _ in optuna_states(tmp_path / "killed", study) if state == "COMPLETE")
    assert known == list(range(len(EVALUATION))), "none lost, none counted twice"
